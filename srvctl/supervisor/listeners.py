"""What the instance listens on, as values: a listening socket, all of them together, and how they close.

Owns the sockets from the moment they are open, and with them the socket files that srvctl made. Must not
know how any kind of socket is opened, nor who serves it: no worker, no event loop. Filled by `sockets`, held
by the composition root, inherited by every worker.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from srvctl.ipc.handshakes import stop_handshakes
from srvctl.settings.binds import TcpBind, parse_bind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from srvctl.settings.binds import Bind

_Socket = socket.socket  # inside Listener the name `socket` is its field


@dataclass(frozen=True, slots=True)
class UnixFile:
    """A socket file that is ours as long as the path leads to this inode."""

    path: str
    device: int
    inode: int

    @property
    def is_there(self) -> bool:
        """Whether the path leads to it."""
        with contextlib.suppress(OSError):
            found = os.lstat(self.path)
            return (found.st_dev, found.st_ino) == (self.device, self.inode)
        return False

    def remove(self) -> None:
        """Remove the file unless the path leads elsewhere by now."""
        # A file that cannot be removed is found stale, or in the way, by the next bind: it can say so.
        if self.is_there:
            with contextlib.suppress(OSError):
                Path(self.path).unlink()


@dataclass(slots=True, eq=False)
class Listener:
    """One listening socket, non-blocking and close-on-exec.

    Attributes:
        socket: The socket.
        bind: The address as it was asked for; a host name may have become several listeners.
        url: Where it can be reached, for humans.
        file: The socket file that srvctl made, if it did.
        is_kept: The service manager certainly keeps it as well, for the next master (`fd_store`).
    """

    socket: _Socket
    bind: Bind
    url: str
    file: UnixFile | None = None
    is_kept: bool = False

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        file = [self.file.path, self.file.device, self.file.inode] if self.file is not None else None
        return {
            "fd": self.socket.fileno(),
            "bind": str(self.bind),
            "url": self.url,
            "file": file,
            "is_kept": self.is_kept,
        }

    @classmethod
    def inherit(cls, values: Mapping[str, Any]) -> Self:
        """Go on with a socket of the program that this process ran before.

        Raises:
            OSError: It did not come along.
            ValueError: Its address is none that this version knows.
        """
        sock = socket.socket(fileno=values["fd"])
        sock.setblocking(False)
        sock.set_inheritable(False)
        file = UnixFile(*values["file"]) if values["file"] is not None else None
        # An earlier srvctl had none kept.
        return cls(sock, parse_bind(values["bind"]), values["url"], file, values.get("is_kept", False))

    def close(self, *, unlink: bool = True) -> None:
        """Close the socket and remove our socket file; one that is kept goes on for the next master.

        Args:
            unlink: False in a forked child, whose parent still listens.
        """
        if unlink and not self.is_kept:
            self._end()
        self.socket.close()

    def give_up(self) -> None:
        """Close the socket and remove our socket file, because nobody is to listen there any more."""
        self.is_kept = False
        self.close()

    def _end(self) -> None:
        if isinstance(self.bind, TcpBind):  # an inherited socket lives on after us
            stop_handshakes(self.socket)
        # Unlinked first: while the socket is open nobody else can be given its inode.
        if self.file is not None:
            self.file.remove()


class Listeners:
    """Every listening socket of the instance, in the order of its addresses.

    Attributes:
        warnings: Sentences about what is odd but did not keep anything from opening.
    """

    __slots__ = ("_is_closed", "_listeners", "warnings")

    def __init__(self, listeners: Sequence[Listener], warnings: Sequence[str] = ()) -> None:
        self._listeners = tuple(listeners)
        self._is_closed = False
        self.warnings = tuple(warnings)

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners)

    def __len__(self) -> int:
        return len(self._listeners)

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"Listeners({', '.join(listener.url for listener in self)}; {state})"

    def speak_tls(self) -> None:
        """Say of every address that it is for TLS."""
        self._listeners = tuple(
            replace(listener, url=listener.url.replace("http://", "https://", 1)) for listener in self
        )

    def close(self, *, unlink: bool = True) -> None:
        """Close every socket and remove our socket files; the second call does nothing.

        Args:
            unlink: False in a forked child, whose parent still listens.
        """
        if self._is_closed:  # a path that was given up may by now be another server's
            return
        self._is_closed = True
        for listener in self:
            listener.close(unlink=unlink)


def url_of(sock: socket.socket) -> str:
    """Say where a socket can be reached."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix socket {name if isinstance(name, str) else '@' + os.fsdecode(name[1:])}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"
