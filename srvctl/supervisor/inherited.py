"""Takes over sockets that were open before: descriptors by number, and what systemd passed by name.

Owns which descriptor was taken over for which address, and the sentences that say why one cannot be. Must
not know how a socket is opened, and closes none: whoever passed one may hold on to it. Called by `sockets`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import TYPE_CHECKING, Final, Self

from srvctl.errors import BindError
from srvctl.listen_fds import passed_sockets
from srvctl.settings.binds import FdBind, SystemdBind
from srvctl.supervisor.listeners import Listener, url_of
from srvctl.supervisor.stored import Stored
from srvctl.supervisor.stored_names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6, socket.AF_UNIX})


class Inherited:
    """The sockets that were open before srvctl started, and which of them it has taken over.

    Attributes:
        stored: Those that srvctl opened itself, in an earlier master, and systemd has kept.
    """

    __slots__ = ("_binds", "_listen_pid", "_passed", "_sockets", "stored")

    def __init__(self, passed: Mapping[str, tuple[int, ...]], listen_pid: str) -> None:
        """Keep what systemd passed from programs that are started from here.

        Args:
            passed: The descriptors that systemd passed, by name.
            listen_pid: The process they were meant for, as LISTEN_PID said.
        """
        self.stored = Stored({name: fds for name, fds in passed.items() if is_name(name)})
        self._passed = {name: fds for name, fds in passed.items() if not is_name(name)}
        self._listen_pid = listen_pid
        self._binds: dict[int, FdBind | SystemdBind] = {}
        self._sockets: list[socket.socket] = []
        for fds in self._passed.values():
            for fd in fds:
                with contextlib.suppress(OSError):  # not open: an error when a bind names it
                    os.set_inheritable(fd, False)

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> Self:
        """Return what systemd passed, and remove its variables."""
        listen_pid = environ.get("LISTEN_PID", "")  # read first: the next line removes it
        return cls(passed_sockets(environ, os.getpid()), listen_pid)

    @classmethod
    def nothing(cls) -> Self:
        """Return what is passed to nobody; descriptors can still be named by number."""
        return cls({}, "")

    def take_over(self, bind: FdBind | SystemdBind, backlog: int) -> list[Listener]:
        """Take over the sockets that an address means; a failure leaves them to `give_back`.

        Args:
            bind: The descriptor's number, or the name systemd gave it.
            backlog: Connections the kernel queues, where the socket does not listen yet.

        Raises:
            BindError: There is no such socket, or it cannot be listened on.
        """
        fds = (bind.fd,) if isinstance(bind, FdBind) else self._passed_as(bind)
        return [self._adopt(fd, bind, backlog) for fd in fds]

    def give_back(self) -> None:
        """Let go of every socket and leave it open, since others may hold on to it."""
        for sock in self._sockets:
            sock.detach()
        self.stored.close()

    def unused(self) -> Iterator[str]:
        """Yield a sentence about each passed socket that no bind names."""
        for name, fds in self._passed.items():
            for fd in fds:
                if fd not in self._binds:
                    yield (
                        f"systemd passed the socket {name!r} (file descriptor {fd}), which no bind names: "
                        f"nobody serves its clients; bind systemd:{name} or remove it from the .socket unit."
                    )

    def _passed_as(self, bind: SystemdBind) -> tuple[int, ...]:
        """Return the descriptors that systemd passed under the name."""
        if bind.name in self._passed:
            return self._passed[bind.name]
        if self._passed:
            names = ", ".join(sorted(map(repr, self._passed)))
            raise BindError(
                f"{bind}: systemd passed no socket of that name, only {names}; use one of these, or set "
                f"FileDescriptorName={bind.name} in the .socket unit"
            )
        if self._listen_pid.isdecimal() and int(self._listen_pid) != os.getpid():
            raise BindError(
                f"{bind}: the sockets were passed to process {self._listen_pid}, but this is process "
                f"{os.getpid()}; let the script that systemd starts end with `exec srvctl ...`"
            )
        raise BindError(
            f"{bind}: systemd passed no socket to srvctl; start the .socket unit that has "
            f"FileDescriptorName={bind.name}, or name an address to open instead"
        )

    def _adopt(self, fd: int, bind: FdBind | SystemdBind, backlog: int) -> Listener:
        label = str(bind) if isinstance(bind, FdBind) else f"{bind} (file descriptor {fd})"
        if fd in self._binds:
            raise BindError(f"{label} is the same socket as {self._binds[fd]}; name it once")
        if fd in self.stored:
            raise BindError(f"{label} is a socket that systemd kept for srvctl; bind its address instead")
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                raise BindError(f"{label} is not a socket; pass a listening socket under that number")
        except OSError:
            raise BindError(
                f"{label} is not open in this process; whoever starts srvctl must pass it on as that number"
            ) from None
        sock = socket.socket(fileno=fd)
        self._sockets.append(sock)  # before anything can fail: a socket object that is dropped closes its fd
        _check_kind(sock, label)
        try:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.listen(backlog)
        except OSError as error:
            raise BindError(f"{label} cannot listen: {error.strerror}") from error
        sock.setblocking(False)
        sock.set_inheritable(False)
        self._binds[fd] = bind
        return Listener(sock, bind, url_of(sock))


def _check_kind(sock: socket.socket, label: str) -> None:
    """Refuse what cannot be listened on, before listen() makes something unexpected of it."""
    if sock.type != socket.SOCK_STREAM or sock.family not in _FAMILIES:
        raise BindError(f"{label} is not a TCP or Unix stream socket")
    name = sock.getsockname()
    if not (name if sock.family == socket.AF_UNIX else name[1]):
        raise BindError(f"{label} is not bound to an address; whoever passes it must bind it")
    with contextlib.suppress(OSError):
        sock.getpeername()
        raise BindError(f"{label} is a connection, not a listening socket")
