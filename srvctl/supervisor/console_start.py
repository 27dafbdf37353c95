"""Whether there is a console, and how it begins: its addresses, what is said of them, what it may do.

Decided by the settings of the start, which a reload does not change. Called by the composition root.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from srvctl.settings.console_token import misgiving
from srvctl.supervisor.admin_roles import Role
from srvctl.supervisor.console import Console, is_public, open_console

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from srvctl.settings.groups import ConsoleSettings, Settings
    from srvctl.supervisor.admin import Admin
    from srvctl.supervisor.console import Start
    from srvctl.supervisor.inherited import Inherited
    from srvctl.supervisor.listeners import Listener
    from srvctl.supervisor.output.output import Output
    from srvctl.supervisor.poller import Poller

logger = logging.getLogger("srvctl.error")


def is_wanted(settings: Settings) -> bool:
    """Return whether somebody is to be shown or sent figures."""
    metrics = settings.metrics
    return any(way is not None for way in (settings.console.bind, metrics.statsd, metrics.otlp))


def new_console(
    settings: Settings,
    others: Iterable[Listener],
    inherited: Inherited,
    poller: Poller,
    output: Output,
    start: Start,
    adopt: Callable[[socket.socket], object],
) -> Console:
    """Open the console's addresses and return what begins its child.

    Args:
        settings: Of the instance.
        others: What the instance listens on.
        inherited: What may be taken over instead of being opened.
        poller: As for `Console`.
        output: As for `Console`.
        start: As for `Console`.
        adopt: As for `Console`.

    Raises:
        BindError: An address cannot be opened.
    """
    listeners = open_console(settings.console.bind, tuple(others), inherited)
    may_act = _may_act(settings.console)
    for warning in listeners.warnings:
        logger.warning("%s", warning)
    if warning := misgiving(settings.console):
        logger.warning("%s.", warning)
    for listener in listeners:
        logger.info("The console is at %s", listener.url)
        if is_public(listener) and not may_act:
            text = (
                "The console at %s shows the figures of this instance to everybody who can reach it; nobody "
                "can act there without a token."
            )
            logger.warning(text, listener.url)
    return Console(poller, output, listeners, start, adopt)


def adopt(admin: Admin | None, sock: socket.socket, settings: ConsoleSettings) -> None:
    """Serve a connection of the console's; without a token it may only look."""
    if admin is None:
        sock.close()
    else:
        admin.adopt(sock, "the console", Role.ACT if _may_act(settings) else Role.READ)


def _may_act(settings: ConsoleSettings) -> bool:
    return settings.token is not None or settings.token_file is not None
