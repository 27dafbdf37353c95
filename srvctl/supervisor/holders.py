"""Who holds an address that is taken, so that the message can say what to stop.

Owns the look-up and the sentence. Must not know how a socket is opened. Best effort: where the kernel does
not tell, or not this user, the answer is None. psutil is imported here only, and only once an address turned
out to be taken, so that no healthy start pays for it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psutil

_ANY: Final = frozenset({"0.0.0.0", "::"})
_UCRED: Final = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


@dataclass(frozen=True, slots=True)
class Holder:
    """The process to stop."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.name})" if self.name else f"pid {self.pid}"


def in_use(what: str, holder: Holder | None) -> str:
    """Return the sentence about an address that is taken.

    Args:
        what: The address.
        holder: Who has it, where that is known.
    """
    return f"{what} is already in use by {holder or 'another process'}; stop it or choose another --bind"


def holder_of_port(hosts: frozenset[str], port: int) -> Holder | None:
    """Return the process that listens on this port of one of these addresses, or of all."""

    def holds(connection: Any) -> bool:
        return (
            connection.status == "LISTEN"
            and connection.laddr.port == port
            and any(overlaps(host, connection.laddr.ip) for host in hosts)
        )

    return _holder("tcp", holds)


def holder_of_path(path: str, probe: socket.socket | None) -> Holder | None:
    """Return the process that listens on this Unix socket.

    Args:
        path: Where the socket is.
        probe: A socket connected to it, or None when its queue was full.
    """
    here = {path, str(Path(path).absolute())}
    holder = _holder("unix", lambda connection: connection.laddr in here)
    if holder is not None or probe is None:
        return holder
    # What /proc hides, the connection may tell: who called listen() last, a worker as likely as its master.
    pid = _peer(probe)
    name = _name(pid)
    return Holder(pid, name) if name else None


def overlaps(host: str, other: str) -> bool:
    """Return whether two addresses cannot both listen on one port."""
    return host == other or host in _ANY or other in _ANY


def _peer(probe: socket.socket) -> int:
    """Return who called listen() on the other side; 0 where the kernel does not say."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0
    pid: int = _UCRED.unpack(probe.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))[0]
    return pid


def _name(pid: int) -> str:
    """Return what the process is called; "" when it is gone."""
    import psutil  # noqa: PLC0415 - see the module's docstring

    try:
        return psutil.Process(pid).name() if pid else ""
    except psutil.Error:
        return ""


def _holder(kind: str, holds: Callable[[Any], bool]) -> Holder | None:
    import psutil  # noqa: PLC0415 - see the module's docstring

    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind):
            if connection.pid and holds(connection):
                top = connection.pid
                for ancestor in _holding_ancestors(psutil.Process(top), kind, holds):
                    top = ancestor.pid
                return Holder(top, _name(top))
    return None


def _holding_ancestors(
    process: psutil.Process, kind: str, holds: Callable[[Any], bool]
) -> Iterator[psutil.Process]:
    """Yield the parents that hold the address too: to stop a server, stop it and not one of its workers."""
    import psutil  # noqa: PLC0415 - see the module's docstring

    with contextlib.suppress(psutil.Error):  # a parent of another user's: what was found so far is the answer
        for parent in process.parents():
            if not any(holds(connection) for connection in parent.net_connections(kind)):
                return
            yield parent
