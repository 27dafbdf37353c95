"""What a warm process becomes: the mold of the first generation.

It was forked before there were settings, so it is told what other molds inherit. The composition root names
`live`, and `srvctl.ipc.warm` calls it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.settings.log_setup import configure_logs
from srvctl.worker.main import Outfit
from srvctl.worker.molding import Molding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from srvctl.settings.groups import Settings


def live(
    settings: Settings,
    meeting_place: str,
    generation: int,
    master: int,
    environ: Mapping[str, str],
    channel: socket.socket,
    descriptors: list[int],
) -> int:
    """Be a mold; return its exit code, or that of a worker that it has forked.

    Args:
        settings: What to serve and how.
        meeting_place: The directory in which the workers of this master find each other.
        generation: Its number.
        master: Process id of the master.
        environ: The environment, from which the master has taken what was meant for it alone.
        channel: The connection to the master.
        descriptors: The lifeline, and the sockets to accept on.
    """
    os.environ.clear()
    os.environ.update(environ)
    lifeline, *listeners = descriptors
    _close_others(listeners)
    configure_logs(settings.log)
    sockets = [socket.socket(fileno=descriptor) for descriptor in listeners]
    return Molding(Outfit(settings, sockets, meeting_place, generation, master, lifeline)).live(channel)


def _close_others(listeners: Collection[int]) -> None:
    """Close every other descriptor of these sockets.

    Those that a service manager passed were inherited as well, and would keep a socket listening after the
    worker has closed it.
    """
    with contextlib.suppress(OSError):  # without /proc, workers drain less well
        own = {str(Path(f"/proc/self/fd/{descriptor}").readlink()) for descriptor in listeners}
        for entry in list(Path("/proc/self/fd").iterdir()):
            with contextlib.suppress(FileNotFoundError):  # the one that the directory was read with
                if int(entry.name) not in listeners and str(entry.readlink()) in own:
                    os.close(int(entry.name))
