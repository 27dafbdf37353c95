"""Who is at the other side of a Unix socket, as the kernel says: process, user and groups at connect(2).

Only Linux tells; elsewhere the mode of the socket's file must do.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Final

#: struct ucred of unix(7): pid, uid, gid.
_UCRED: Final = struct.Struct("iII")
#: unix(7); the socket module has no name for it. The most that getsockopt() of Python can take.
_SO_PEERGROUPS: Final = 59
_MOST_BYTES_OF_GROUPS: Final = 1024
#: User of somebody the kernel does not tell of.
UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Peer:
    """The other side of a connection.

    Attributes:
        pid: Its process; 0 if not told.
        uid: Its effective user; `UNKNOWN` if not told.
        groups: Its effective group, and of the others as many as are told: none of more than 256.
    """

    pid: int
    uid: int
    groups: frozenset[int] = frozenset()


def who_is(sock: socket.socket) -> Peer:
    """Return who connected, or who called listen(2).

    Raises:
        OSError: The kernel does not say.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return Peer(0, UNKNOWN)
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    return Peer(pid, uid, frozenset({gid, *_groups(sock)}))


def _groups(sock: socket.socket) -> tuple[int, ...]:
    try:
        data = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES_OF_GROUPS)
    except OSError:  # ERANGE: more than fit
        return ()
    return struct.unpack(f"{len(data) // 4}I", data[: len(data) // 4 * 4])


def peer_of(sock: socket.socket) -> tuple[int, int]:
    """Return pid and user of the other side; 0 and -1 if not told.

    Raises:
        OSError: The kernel does not say.
    """
    peer = who_is(sock)
    return peer.pid, peer.uid
