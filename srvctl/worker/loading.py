"""Imports what of the application's own a worker needs: the application and its hooks.

Called in a mold, in a worker that has none, and by whoever embeds a server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srvctl.broadcast.serving import check_installed
from srvctl.worker import trace
from srvctl.worker.application import load_application
from srvctl.worker.hooks import Hooks
from srvctl.worker.interfaces import adapt
from srvctl.worker.websocket.opener import check_codec

if TYPE_CHECKING:
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


def load_all(settings: Settings, application: object = None) -> Loaded:
    """Import the application and its hooks.

    Args:
        settings: What to import.
        application: Is served instead of what the settings name; None for that.

    Raises:
        AppError: Something cannot be imported, or is not installed.
    """
    check_installed(settings.broadcast)
    check_codec(settings.ws)
    adapted = load_application(settings.app) if application is None else adapt(application, settings.app)
    if trace.is_wanted():
        adapted = trace.traced(adapted)
    return Loaded(adapted, Hooks(settings.hooks))
