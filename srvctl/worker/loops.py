"""Which event loop a worker runs on, and what is wrong with one that a user names.

Whoever makes the loop asks here first; nothing here runs one.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import AppError
from srvctl.worker.importing import import_from, kind_of, load_attribute
from srvctl.worker.tracebacks import format_user_traceback

if TYPE_CHECKING:
    from collections.abc import Callable

    LoopFactory = Callable[[], asyncio.AbstractEventLoop]

_FAILURE: Final = "Error loading the event loop (workers.loop)."


def is_users_own(name: str) -> bool:
    """Return whether a loop is the user's code, which must have no more rights than the application."""
    return ":" in name


def loop_factory_of(name: str, folder: str = "") -> LoopFactory | None:
    """Return what makes the event loop; None for the choice of asyncio's policy.

    Args:
        name: ``auto``, ``uvloop``, ``asyncio``, ``none``, or ``module:factory``.
        folder: Where the module is looked for first; the current directory when empty.

    Raises:
        AppError: It is not installed, or cannot be imported, or cannot be called. What is returned raises it
            as well, where a factory of the user's fails or returns something else.
    """
    if is_users_own(name):
        import_from(folder)
        return _checked(load_attribute(name, _FAILURE), name)
    if name == "asyncio":
        return asyncio.SelectorEventLoop
    if name == "none":
        return None
    try:
        import uvloop  # noqa: PLC0415 - not every platform has it
    except ImportError:
        if name == "uvloop":
            raise AppError("workers.loop is uvloop, but uvloop is not installed.") from None
        return asyncio.SelectorEventLoop
    return uvloop.new_event_loop


def _checked(factory: Any, name: str) -> LoopFactory:
    """Return a factory that says what is wrong with what it makes."""
    if not callable(factory):
        raise AppError(f'{_FAILURE} "{name}" is a {type(factory).__name__}, and cannot be called.')

    def make() -> asyncio.AbstractEventLoop:
        try:
            made = factory()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a factory raises
            text = f'{_FAILURE} "{name}" raised {kind_of(error)}.'
            raise AppError(text, format_user_traceback(error)) from None
        if not isinstance(made, asyncio.AbstractEventLoop):
            if inspect.iscoroutine(made):
                made.close()  # or Python would warn that nobody awaited it
            raise AppError(f'{_FAILURE} "{name}" returned a {type(made).__name__}, not an event loop.')
        return made

    return make
