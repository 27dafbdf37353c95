"""Imports what of the application's own a worker needs: the application and its hooks.

Called in a mold, in a worker that has none, and by whoever embeds a server, for the application alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from srvctl.broadcast.serving import check_installed
from srvctl.worker import trace
from srvctl.worker.hooks import Hooks
from srvctl.worker.importing import import_from, load_attribute
from srvctl.worker.interfaces import FAILURE, adapt
from srvctl.worker.websocket.opener import check_codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.settings.groups import AppSettings, Settings
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
        AppError: Something cannot be imported or served, or is not installed; the message is one line, the
            details the user's own traceback.
    """
    application = load_application(settings, lambda: _named(settings.app))
    return Loaded(application, Hooks(settings.hooks))


def load_application(settings: Settings, find: Callable[[], Any]) -> Application:
    """Return the application as one that speaks ASGI 3, once it is known that it can be served.

    Args:
        settings: How it is served.
        find: Imports it, if need be, and returns it as it is.

    Raises:
        AppError: As for `load_all`.
    """
    check_installed(settings.broadcast)
    check_codec(settings.ws)
    if settings.http.http2:
        import_module("srvctl.worker.http2.opening")  # before the fork, so that all workers share it
    application = adapt(find(), settings.app)
    return trace.traced(application) if trace.is_wanted() else application


def _named(settings: AppSettings) -> Any:
    import_from(settings.dir)
    return load_attribute(settings.target or "", FAILURE)
