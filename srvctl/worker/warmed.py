"""What a warm process becomes: the mold of the first generation or, in development, the next worker.

It was forked before there were settings, so it is told what others inherit. The composition root names its
life, and `srvctl.ipc.warm` calls that.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.logs.streams import put_in_place
from srvctl.settings.log_setup import captures, configure_logs
from srvctl.worker.main import Outfit, serve, stand_in
from srvctl.worker.molding import Molding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from srvctl.ipc.channel import Apology
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
        descriptors: The lifeline, the table of connections, what is to be stdout and stderr where the master
            reads what is printed, and the sockets to accept on.
    """
    lifeline, shares, *listeners = descriptors
    prints = []
    if captures(settings):
        prints, listeners = listeners[:2], listeners[2:]
    outfit = _outfit(settings, meeting_place, generation, master, environ, lifeline, shares, listeners)
    if prints:
        put_in_place(*prints)
    return Molding(outfit).live(channel)


def work(
    settings: Settings,
    meeting_place: str,
    generation: int,
    master: int,
    environ: Mapping[str, str],
    slot: int,
    apology: Apology | None,
    channel: socket.socket,
    descriptors: list[int],
) -> int:
    """Be a worker; return its exit code.

    Args:
        settings: See `live`, as for the arguments that follow.
        meeting_place: See there.
        generation: See there.
        master: See there.
        environ: See there.
        slot: The worker's place.
        apology: What it shows, as a stand-in for the application.
        channel: The connection to the master that brought the news; workers have another one.
        descriptors: The lifeline, the table of connections, the worker's connection to the master, its board,
            and the sockets to accept on.
    """
    channel.close()
    lifeline, shares, own, board, *listeners = descriptors
    outfit = _outfit(settings, meeting_place, generation, master, environ, lifeline, shares, listeners)
    if apology is not None:
        return stand_in(outfit, apology, slot, socket.socket(fileno=own), board)
    return serve(outfit, slot, socket.socket(fileno=own), board)


def _outfit(
    settings: Settings,
    meeting_place: str,
    generation: int,
    master: int,
    environ: Mapping[str, str],
    lifeline: int,
    shares: int,
    listeners: list[int],
) -> Outfit:
    os.environ.clear()
    os.environ.update(environ)
    _close_others(listeners)
    configure_logs(settings.log)
    sockets = [socket.socket(fileno=descriptor) for descriptor in listeners]
    return Outfit(settings, sockets, meeting_place, generation, master, lifeline, shares)


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
