"""Who started a master, as far as whoever wants to start it again has to know. Pure.

The words are part of what a master says about itself. Called once, before any child exists: what tells it is
removed from the environment, or a server that an application starts would take itself for one like this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: Set by ``srvctl start`` for the process it starts.
VARIABLE: Final = "SRVCTL_STARTED"
START: Final = "start"  #: by ``srvctl start``, in the background
SERVICE: Final = "service"  #: by a service manager, which starts it again by itself
RUN: Final = "run"  #: by anybody else: a terminal, a container, a script

#: What systemd.exec(5) sets for every service, and what sd_notify(3) needs.
_OF_SERVICES: Final = ("NOTIFY_SOCKET", "INVOCATION_ID")


def take(environ: MutableMapping[str, str]) -> str:
    """Return how this process was started, and remove what only it may see of that."""
    if environ.pop(VARIABLE, ""):
        return START
    return SERVICE if any(environ.get(name) for name in _OF_SERVICES) else RUN
