"""Whatever an application speaks, a server sees an ASGI 3 application.

`adapt` is given what was imported, or what an embedder hands over. It knows neither where that came from nor
how it is served. `detect` says what is spoken; `asgi2` and `wsgi` translate.
"""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from srvctl.errors import AppError
from srvctl.worker.importing import kind_of
from srvctl.worker.interfaces.asgi2 import Asgi2
from srvctl.worker.interfaces.detect import Shape, detect, is_factory, objection
from srvctl.worker.interfaces.wsgi import Wsgi, is_installed
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from srvctl.settings.groups import AppSettings
    from srvctl.worker.http.cycle import Application
    from srvctl.worker.interfaces.detect import Interface

logger = logging.getLogger("srvctl.error")

FAILURE: Final = "Error loading ASGI app."
_CALLS: Final = {
    "asgi3": "app(scope, receive, send)",
    "asgi2": "app(scope)",
    "wsgi": "app(environ, start_response)",
}
_NAMES: Final = {"asgi2": "an ASGI 2", "wsgi": "a WSGI"}


def adapt(application: object, settings: AppSettings) -> Application:
    """Return an ASGI 3 application that does what the given one does.

    Args:
        application: What is to be served, or a factory that returns it.
        settings: Whether it is a factory, what it speaks, and how many threads call it where it is WSGI.

    Raises:
        AppError: It is no application, or not one of the kind that the settings say; or the factory failed.
    """
    name = settings.target or _name_of(application)
    made = _made(application, name, is_declared=settings.factory)
    if not callable(made):
        raise AppError(f'{FAILURE} "{name}" is a {type(made).__name__}, not an application.')
    interface = _interface_of(made, name, settings)
    if interface == "asgi2":
        return Asgi2(made)
    if interface == "wsgi":
        if not is_installed():
            text = f"\"{name}\" is a WSGI application, which takes a2wsgi: pip install 'srvctl[wsgi]'."
            raise AppError(f"{FAILURE} {text}")
        return Wsgi(made, settings.wsgi_threads)
    return cast("Application", made)


def _made(application: Any, name: str, *, is_declared: bool) -> Any:
    """Return the application, which may have to be made first."""
    if not is_declared:
        if not callable(application) or not is_factory(Shape.of(application)):
            return application
        text = '"%s" takes no arguments, so it is a factory: serving what it returns. Say so with --factory.'
        logger.warning(text, name)
    try:
        made = application()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a factory raises
        text = f'{FAILURE} Factory "{name}" raised {kind_of(error)}.'
        raise AppError(text, format_user_traceback(error)) from None
    if inspect.iscoroutine(made):
        made.close()  # or Python would warn that nobody awaited it
        raise AppError(f'{FAILURE} Factory "{name}" is async; it has to return the application at once.')
    return made


def _interface_of(application: Any, name: str, settings: AppSettings) -> Interface:
    given = settings.interface
    interface = detect(application) if given == "auto" else given
    reason = objection(application, interface)
    if reason:
        if given == "auto":
            text = f'"{name}" {reason}; an application is called as {" or ".join(_CALLS.values())}.'
        else:
            text = f'app.interface is {given}, but "{name}" {reason}, and is to be called as {_CALLS[given]}.'
        raise AppError(f"{FAILURE} {text}")
    if given == "auto" and interface != "asgi3":
        text = '"%s" looks like %s application, and is called as %s (app.interface).'
        logger.info(text, name, _NAMES[interface], _CALLS[interface])
    return interface


def _name_of(application: object) -> str:
    """Return what an object is called that was not imported by a name."""
    named = application if hasattr(application, "__qualname__") else type(application)
    return f"{getattr(named, '__module__', '')}:{getattr(named, '__qualname__', '')}"
