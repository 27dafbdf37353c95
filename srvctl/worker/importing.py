"""Import what a user names as ``module:attribute``, and say what is wrong with it in one line.

The application and the hooks are imported here; what an attribute must be is their business.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from srvctl.errors import AppError
from srvctl.worker.tracebacks import format_user_traceback


def import_from(folder: str) -> None:
    """Have modules looked for in a folder first; twice is as good as once."""
    path = str(Path(folder).resolve())
    if sys.path[:1] != [path]:
        sys.path.insert(0, path)


def load_attribute(target: str, failure: str) -> Any:
    """Import what ``target`` names.

    Args:
        target: ``module:attribute``, where both may have dots.
        failure: The sentence before the reason, such as ``Error loading ASGI app.``.

    Raises:
        AppError: It cannot be imported; the message is one line, the details the user's own traceback.
    """
    module_name, separator, attribute = target.partition(":")
    if not module_name or not separator or not attribute:
        raise AppError(f'{failure} Import string "{target}" must be in format "<module>:<attribute>".')
    return _resolve(_import(module_name, failure), module_name, attribute, failure)


def kind_of(error: BaseException) -> str:
    """Return what a sentence calls an error."""
    return f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else type(error).__name__


def _import(name: str, failure: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise AppError(f'{failure} Could not import module "{name}".') from None
        raise _failed(name, failure, error) from None
    except SystemExit as leaving:
        text = f'{failure} Importing "{name}" ended the process with sys.exit({leaving.code!r}).'
        raise AppError(text, format_user_traceback(leaving)) from None
    except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt, too
        raise _failed(name, failure, error) from None


def _failed(name: str, failure: str, error: BaseException) -> AppError:
    text = f'{failure} Importing "{name}" raised {kind_of(error)}.'
    return AppError(text, format_user_traceback(error))


def _resolve(module: Any, name: str, attribute: str, failure: str) -> Any:
    found = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            text = f'{failure} Attribute "{attribute}" not found in module "{name}".'
            raise AppError(text) from None
        except Exception as error:  # noqa: BLE001 - modules may compute their attributes (PEP 562)
            text = f'{failure} Attribute "{attribute}" of module "{name}" raised {kind_of(error)}.'
            raise AppError(text, format_user_traceback(error)) from None
    return found
