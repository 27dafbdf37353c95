"""Import the application a user names as ``module:attribute``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srvctl.errors import AppError
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from srvctl.settings.groups import AppSettings
    from srvctl.worker.http.cycle import Application


def load_application(settings: AppSettings) -> Application:
    """Import the application.

    Raises:
        AppError: It cannot be imported; the message is one line, the details the user's own traceback.
    """
    sys.path.insert(0, str(Path(settings.dir).resolve()))
    target = settings.target or ""
    module_name, separator, attribute = target.partition(":")
    if not module_name or not separator or not attribute:
        raise AppError(
            f'Error loading ASGI app. Import string "{target}" must be in format "<module>:<attribute>".'
        )
    loaded = _resolve(_import(module_name), module_name, attribute)
    if settings.factory:
        loaded = _call(loaded, target)
    if not callable(loaded):
        raise AppError(
            f'Error loading ASGI app. "{target}" is a {type(loaded).__name__}, not an application.'
        )
    return loaded  # type: ignore[no-any-return]  # only calling it can show that it speaks ASGI


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise AppError(f'Error loading ASGI app. Could not import module "{name}".') from None
        raise _failed(name, error) from None
    except SystemExit as leaving:
        text = (
            f'Error loading ASGI app. Importing "{name}" ended the process with sys.exit({leaving.code!r}).'
        )
        raise AppError(text, format_user_traceback(leaving)) from None
    except Exception as error:  # noqa: BLE001 - whatever a module raises
        raise _failed(name, error) from None


def _failed(name: str, error: BaseException) -> AppError:
    text = f'Error loading ASGI app. Importing "{name}" raised {_kind(error)}.'
    return AppError(text, format_user_traceback(error))


def _kind(error: BaseException) -> str:
    return f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else type(error).__name__


def _resolve(module: Any, name: str, attribute: str) -> Any:
    found = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            text = f'Error loading ASGI app. Attribute "{attribute}" not found in module "{name}".'
            raise AppError(text) from None
        except Exception as error:  # noqa: BLE001 - modules may compute their attributes (PEP 562)
            text = (
                f'Error loading ASGI app. Attribute "{attribute}" of module "{name}" raised {_kind(error)}.'
            )
            raise AppError(text, format_user_traceback(error)) from None
    return found


def _call(factory: Any, target: str) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a factory raises
        text = f'Error loading ASGI app. Factory "{target}" raised {_kind(error)}.'
        raise AppError(text, format_user_traceback(error)) from None
