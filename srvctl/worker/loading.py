"""Imports what of the application's own a worker needs: the application, its hooks, its event loop.

Called in a mold, in a worker that has none, and by whoever embeds a server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srvctl.broadcast.serving import check_installed
from srvctl.errors import AppError
from srvctl.worker import trace
from srvctl.worker.application import load_application
from srvctl.worker.hooks import Hooks
from srvctl.worker.websocket.opener import check_codec

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from srvctl.settings.groups import Settings
    from srvctl.worker.http.cycle import Application


@dataclass(frozen=True, slots=True)
class Loaded:
    """What of the application's own is imported.

    Attributes:
        application: What is served.
        hooks: Functions that are called at points of a worker's life.
    """

    application: Application
    hooks: Hooks


def load_all(settings: Settings) -> Loaded:
    """Import the application and its hooks.

    Raises:
        AppError: Something cannot be imported, or is not installed.
    """
    check_installed(settings.broadcast)
    check_codec(settings.ws)
    application = load_application(settings.app)
    if trace.is_wanted():
        application = trace.traced(application)
    return Loaded(application, Hooks(settings.hooks))


def loop_factory_of(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop of a worker; None for asyncio's own choice.

    Raises:
        AppError: It is not installed.
    """
    if name == "asyncio":
        return None
    try:
        import uvloop  # noqa: PLC0415 - not every platform has it
    except ImportError:
        if name == "uvloop":
            raise AppError("workers.loop is uvloop, but uvloop is not installed.") from None
        return None
    return uvloop.new_event_loop
