"""How a process beside the workers tells the master that it runs, or why not, and that it is ready.

Each way is a descriptor that the poller watches; nothing here waits. Owned by `handle`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.programs.given import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.poller import Poller

_CHUNK: Final = 4096
#: Datagrams, or pieces, that are read in one turn of the master's loop; there are more turns.
_MOST_AT_ONCE: Final = 16
#: struct ucred of unix(7): pid, uid, gid.
_UCRED: Final = struct.Struct("iII")
#: unix(7), SCM_CREDENTIALS; Python names it on some systems only.
_SCM_CREDENTIALS: Final = getattr(socket, "SCM_CREDENTIALS", 2)
_PASSED_FDS: Final = 64  #: more than a sensible notification brings; they are closed


class Ear(ABC):
    """One way; closed as soon as nothing more can come.

    Args:
        fd: The master's end, which is this object's then; None where it is closed already.
        poller: Watches it.
    """

    def __init__(self, fd: int | None, poller: Poller) -> None:
        self.fd = fd
        self._poller = poller
        self._is_watched = False
        if fd is not None:
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)

    def watch(self, handler: Callable[[], Iterable[Event]]) -> None:
        """Have the handler called when there is something to `hear`."""
        if self.fd is not None:
            self._poller.watch(self.fd, lambda _mask: handler())
            self._is_watched = True

    @abstractmethod
    def hear(self) -> bool:
        """Read what came; return whether it says what this way is there for."""

    def close(self) -> None:
        """Hear no more."""
        if self.fd is not None:
            if self._is_watched:
                self._poller.unwatch(self.fd)
            os.close(self.fd)
            self.fd = None

    def abandon(self) -> None:
        """Close a forked child's copy, without telling the poller, which it shares with the master."""
        if self.fd is not None:
            os.close(self.fd)

    def _read(self) -> bytes | None:
        """Return what came: nothing at the end, and None where there is no more for now."""
        if self.fd is None:
            return None
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return None
        if not data:
            self.close()
        return data


class Outcome(Ear):
    """Whether the program could be run: execve(2) closes the pipe, and a failure is told through it.

    Attributes:
        reason: Why it could not be run; empty as long as nothing is known against it.
    """

    def __init__(self, fd: int | None, poller: Poller, reason: str = "") -> None:
        super().__init__(fd, poller)
        self.reason = reason

    def hear(self) -> bool:
        """Read what came; return whether the program runs since."""
        while (data := self._read()) is not None:
            if not data:
                return not self.reason
            self.reason += data.decode(errors="replace")
        return False


class ReadyPipe(Ear):
    """A pipe that the program writes a line to when it is ready, as for s6.

    It is read on afterwards: who writes more must not be killed by SIGPIPE.
    """

    def hear(self) -> bool:
        """Read what came; return whether there was the end of a line."""
        is_ready = False
        for _ in range(_MOST_AT_ONCE):
            data = self._read()
            if not data:
                break
            is_ready = is_ready or b"\n" in data
        return is_ready


class NotifySocket(Ear):
    """A socket that the program sends READY=1 to, as to systemd (sd_notify(3)).

    Its name is an abstract one (unix(7)), so that it needs no directory that every user can reach. Everybody
    can send to it; the kernel tells who has, and only processes of the program's session count, which it
    began as `child` does. It is read as long as the program lives: whoever notifies waits while it is full.

    Attributes:
        owner: The program's process; 0 as long as there is none.
    """

    owner = 0

    @classmethod
    def fresh(cls, poller: Poller) -> NotifySocket:
        """Return a new one.

        Raises:
            CannotRunError: The system has no such sockets.
            OSError: The kernel refuses.
        """
        if not sys.platform.startswith("linux"):
            raise CannotRunError('ready = "notify" is for Linux; write fd:N instead')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            sock.bind("")  # the kernel chooses a name (unix(7), autobind)
            return cls(sock.detach(), poller)

    @property
    def address(self) -> str:
        """What NOTIFY_SOCKET says."""
        with self._socket() as sock:
            name = sock.getsockname()
        return "@" + os.fsdecode(name[1:])

    def hear(self) -> bool:
        """Read what came; return whether the program says that it is ready."""
        is_ready = False
        for _ in range(_MOST_AT_ONCE):
            if self.fd is None:
                break
            try:
                words, sender = self._receive()
            except OSError:  # there is no more
                break
            is_ready = is_ready or (self._is_own(sender) and b"READY=1" in words.split(b"\n"))
        return is_ready

    def _receive(self) -> tuple[bytes, int]:
        """Return one notification and the process that sent it; 0 if that is unknown.

        Raises:
            OSError: There is none.
        """
        room = socket.CMSG_SPACE(_UCRED.size) + socket.CMSG_SPACE(4 * _PASSED_FDS)
        with self._socket() as sock:
            words, extras, _, _ = sock.recvmsg(_CHUNK, room, socket.MSG_CMSG_CLOEXEC)
        sender = 0
        for level, kind, data in extras:
            if level != socket.SOL_SOCKET:
                continue
            if kind == _SCM_CREDENTIALS:
                sender = _UCRED.unpack(data[: _UCRED.size])[0]
            elif kind == socket.SCM_RIGHTS:  # such as the pipe whose end systemd-notify(1) waits for
                for (fd,) in struct.iter_unpack("i", data[: len(data) // 4 * 4]):
                    os.close(fd)
        return words, sender

    def _is_own(self, sender: int) -> bool:
        if not sender or not self.owner:
            return False
        with contextlib.suppress(OSError):  # it is gone
            return sender == self.owner or os.getsid(sender) == self.owner
        return False

    @contextlib.contextmanager
    def _socket(self) -> Iterator[socket.socket]:
        """Give the socket as an object that does not close it."""
        sock = socket.socket(fileno=self.fd)
        try:
            yield sock
        finally:
            sock.detach()
