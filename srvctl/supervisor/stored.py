"""Listening sockets that the service manager has kept from an earlier master: which of them still fit.

Owns them until they are taken or given up. A socket fits if it listens at the very address that is asked for.
One that does not is shut down, not only closed: the service manager holds it as well, and until it is told
otherwise would go on having clients connected whom nobody serves, and the address taken. Must not know when
it is told (`fd_store`). Called by `sockets`, by `tcp` and `unix`, and by the composition root.
"""

from __future__ import annotations

import contextlib
import select
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srvctl.ipc.handshakes import resume_handshakes
from srvctl.supervisor.listeners import UnixFile
from srvctl.supervisor.stored_names import bind_part, file_of_place, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from srvctl.settings.binds import Bind, TcpBind, UnixBind


@dataclass(frozen=True, slots=True)
class _Kept:
    """One socket.

    Attributes:
        socket: The socket.
        bind: The bind it was opened for, as `bind_part` writes it.
        place: Where it listens.
    """

    socket: socket.socket
    bind: str
    place: str

    @property
    def file(self) -> UnixFile | None:
        """Its file, as it was when the name was given."""
        found = file_of_place(self.place)
        path = self.socket.getsockname()
        if found is None or self.socket.family != socket.AF_UNIX or not isinstance(path, str) or not path:
            return None
        return UnixFile(str(Path(path).absolute()), *found)

    def give_up(self) -> None:
        """Have nobody connected any more, by whichever copy of it."""
        file = self.file
        if file is not None:
            file.remove()
        with contextlib.suppress(OSError):  # it is no listening socket
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Stored:
    """The sockets that were kept.

    Args:
        passed: Their descriptors, by the names they were kept under; those that are not open are passed over.

    Attributes:
        names: All these names.
    """

    def __init__(self, passed: Mapping[str, tuple[int, ...]]) -> None:
        self.names = frozenset(passed)
        self._kept = [
            _Kept(sock, *parts_of(name)) for name, fds in passed.items() for sock in _sockets_of(fds)
        ]

    def take_tcp(
        self, bind: TcpBind, addresses: Iterable[tuple[int, tuple[Any, ...]]]
    ) -> dict[tuple[Any, ...], socket.socket]:
        """Return those that listen at an address of the bind, by that address; give up its others.

        They are the caller's then, non-blocking.
        """
        found: dict[tuple[Any, ...], socket.socket] = {}
        wanted = {(family, address[:2]) for family, address in addresses}
        for kept in self._remove(bind):
            address = kept.socket.getsockname()[:2]
            is_wanted = (kept.socket.family, address) in wanted and address not in found
            if is_wanted and _listens(kept.socket) and _serves_as_opened(kept.socket, address[0]):
                resume_handshakes(kept.socket)
                kept.socket.setblocking(False)
                found[address] = kept.socket
            else:
                kept.give_up()
        return found

    def take_unix(self, bind: UnixBind) -> tuple[socket.socket, UnixFile] | None:
        """Return the one that the path leads to, with its file, and give up others of the bind.

        It is the caller's then, non-blocking. Whether the path leads to it is told by device and inode of the
        file, which its name has. The socket holds on to that inode as long as it is open anywhere, so no
        other file has had the number since, also if ours was removed meanwhile. (A connection would tell
        nothing: a client does not learn whose socket it has reached.)
        """
        found = None
        for kept in self._remove(bind):
            file = kept.file
            if found is None and file is not None and file.is_there and _listens(kept.socket):
                kept.socket.setblocking(False)
                found = kept.socket, file
            else:
                kept.give_up()
        return found

    def give_up_others(self, binds: Iterable[Bind]) -> None:
        """Give up those that none of these binds is for; before anything is opened, which they may cover."""
        wanted = {bind_part(bind) for bind in binds}
        others = [kept for kept in self._kept if kept.bind not in wanted]
        self._kept = [kept for kept in self._kept if kept.bind in wanted]
        for kept in others:
            kept.give_up()

    def __contains__(self, fd: int) -> bool:
        return any(kept.socket.fileno() == fd for kept in self._kept)

    def close(self) -> None:
        """Close those that nobody has taken; the service manager still has them, for another attempt."""
        for kept in self._kept:
            kept.socket.close()
        self._kept.clear()

    def _remove(self, bind: Bind) -> list[_Kept]:
        part = bind_part(bind)
        found = [kept for kept in self._kept if kept.bind == part]
        self._kept = [kept for kept in self._kept if kept.bind != part]
        return found


def _sockets_of(fds: Iterable[int]) -> Iterator[socket.socket]:
    for fd in fds:
        with contextlib.suppress(OSError):  # not open, or no socket: whoever stored it was not srvctl
            sock = socket.socket(fileno=fd)
            sock.set_inheritable(False)
            yield sock


def _listens(sock: socket.socket) -> bool:
    if sock.type != socket.SOCK_STREAM or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    # A Unix socket that was shut down still says that it accepts; poll(2) tells.
    state = select.poll()
    state.register(sock, 0)
    return not state.poll(0)


def _serves_as_opened(sock: socket.socket, host: str) -> bool:
    """Return whether it serves IPv4, too, exactly if `tcp` would have it do so."""
    if sock.family != socket.AF_INET6:
        return True
    return sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == int(host != "::")
