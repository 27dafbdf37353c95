"""Import the application a user names as ``module:attribute``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import AppError
from srvctl.worker.importing import import_from, kind_of, load_attribute
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from srvctl.settings.groups import AppSettings
    from srvctl.worker.http.cycle import Application

_FAILURE: Final = "Error loading ASGI app."


def load_application(settings: AppSettings) -> Application:
    """Import the application.

    Raises:
        AppError: It cannot be imported; the message is one line, the details the user's own traceback.
    """
    import_from(settings.dir)
    target = settings.target or ""
    loaded = load_attribute(target, _FAILURE)
    if settings.factory:
        loaded = _call(loaded, target)
    if not callable(loaded):
        raise AppError(f'{_FAILURE} "{target}" is a {type(loaded).__name__}, not an application.')
    return loaded  # type: ignore[no-any-return]  # only calling it can show that it speaks ASGI


def _call(factory: Any, target: str) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a factory raises
        text = f'{_FAILURE} Factory "{target}" raised {kind_of(error)}.'
        raise AppError(text, format_user_traceback(error)) from None
