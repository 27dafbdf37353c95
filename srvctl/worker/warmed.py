"""What a warm process becomes: the mold of the first generation.

It was forked before there were settings, so it is told what other molds inherit. The composition root names
`live`, and `srvctl.ipc.warm` calls it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from srvctl.logs import setup
from srvctl.worker.main import Outfit
from srvctl.worker.molding import Molding

if TYPE_CHECKING:
    from srvctl.settings.groups import Settings


def live(
    settings: Settings,
    meeting_place: str,
    generation: int,
    master: int,
    channel: socket.socket,
    listeners: list[int],
) -> int:
    """Be a mold; return its exit code, or that of a worker that it has forked.

    Args:
        settings: What to serve and how.
        meeting_place: The directory in which the workers of this master find each other.
        generation: Its number.
        master: Process id of the master.
        channel: The connection to the master.
        listeners: Descriptors of the sockets to accept on.
    """
    log = settings.log
    setup.configure(
        log.level,
        use_colors=log.use_colors,
        access=log.access,
        access_format=log.access_format,
        access_file=log.access_file,
    )
    sockets = [socket.socket(fileno=descriptor) for descriptor in listeners]
    outfit = Outfit(settings, sockets, meeting_place, generation, master)
    return Molding(outfit).live(channel)
