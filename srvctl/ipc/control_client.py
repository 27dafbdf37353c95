"""The asking side of the control socket: one connection, with a deadline for everything.

Owns the sentences about why nobody can be asked. Blocks, so no master uses it once its loop runs. Called by
the commands, and by a master at its start that finds its name taken.
"""

from __future__ import annotations

import errno
import socket
import struct
import time
from typing import TYPE_CHECKING, Final, Self

from srvctl.errors import ExitCode, SrvctlError
from srvctl.ipc.control import (
    MAX_REPLY,
    ControlError,
    Done,
    Lines,
    Reason,
    decode_reply,
    encode_request,
)
from srvctl.ipc.control_refusals import explained
from srvctl.ipc.peers import peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from srvctl.ipc.control import Reply, Request

_CHUNK: Final = 65536
_TIMEVAL: Final = struct.Struct("@ll")


class ControlFailedError(SrvctlError):
    """An instance was not asked, or does not do as it is asked.

    Attributes:
        reason: Why, for programs.
    """

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason or self._usual

    _usual: Reason = Reason.FAILED


class NotReachableError(ControlFailedError):
    """There is no instance behind a socket, or it does not answer."""

    exit_code = ExitCode.NO_INSTANCE
    _usual = Reason.NOT_RUNNING


class NotServedError(ControlFailedError):
    """There is an instance, and it does not take what this user or this version of srvctl asks."""

    exit_code = ExitCode.REFUSED


class NotInTimeError(ControlFailedError):
    """An instance was asked, and its answer takes longer than the caller wants to wait."""

    exit_code = ExitCode.REFUSED
    _usual = Reason.TIMEOUT


class Connection:
    """One connection to a master; close it, or use it as a context.

    Args:
        path: Where the socket is.
        patience: Seconds for each wait, unless a call says otherwise.

    Raises:
        NotReachableError: Nobody answers there, and why.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self.path = path
        self._patience = patience
        self._lines = Lines(MAX_REPLY)
        self._pending: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _connect(self._socket, path, patience)
            self._socket.settimeout(patience)
        except OSError as error:
            self._socket.close()
            raise NotReachableError(*_why_unreachable(path, error)) from error
        self.peer = peer_of(self._socket)[0]

    def ask(self, request: Request) -> Done:
        """Send a request and return its end, whatever comes before.

        Raises:
            NotReachableError: There is none in time.
        """
        try:
            for reply in self.replies(request, self._patience):
                if isinstance(reply, Done):
                    return reply
        except NotInTimeError:
            raise self._silent() from None
        raise NotReachableError(f"pid {self.peer} behind {self.path} ended before it answered", Reason.ENDED)

    def tell(self, request: Request) -> None:
        """Send a request and no more; nobody waits for the answer.

        Raises:
            NotReachableError: The master does not take it.
        """
        try:
            self._socket.sendall(encode_request(request))
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise NotReachableError(
                f"pid {self.peer} behind {self.path} does not listen: {error}", Reason.UNRESPONSIVE
            ) from error

    def replies(self, request: Request, patience: float | None) -> Iterator[Reply]:
        """Send a request and yield what is said about it; ends after `Done`, or when the master is gone.

        Args:
            request: The command.
            patience: Seconds for all of it; None waits as long as it takes.

        Raises:
            NotInTimeError: Time is up.
            NotReachableError: The other side is no master.
        """
        deadline = None if patience is None else time.monotonic() + patience
        try:
            self._socket.settimeout(patience)
            self._socket.sendall(encode_request(request))
        except OSError:
            pass  # why it was closed may be there to read
        while (line := self._next_line(deadline)) is not None:
            try:
                reply = decode_reply(line)
            except ControlError as error:
                raise self._stranger() from error
            if isinstance(reply, Done):
                yield explained(reply, request.command)
                return
            yield reply

    def wait_end(self, patience: float | None) -> None:
        """Wait until the master closes the connection, or dies.

        Raises:
            NotInTimeError: It did not in time (seconds).
            NotReachableError: The other side is no master.
        """
        deadline = None if patience is None else time.monotonic() + patience
        while self._next_line(deadline) is not None:
            pass

    def _next_line(self, deadline: float | None) -> bytes | None:
        """Return the next line, or None at the end."""
        while not self._pending:
            try:
                self._socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise NotInTimeError(
                    f"pid {self.peer} has not finished in time; it goes on, and `srvctl status` tells how far"
                ) from None
            except ConnectionError:
                return None
            if not data:
                return None
            try:
                self._pending += self._lines.feed(data)
            except ControlError as error:
                raise self._stranger() from error
        return self._pending.pop(0)

    def _silent(self) -> NotReachableError:
        why = "it is stopped or blocked"
        if is_stopped(self.peer):
            why = f"it is stopped, and `kill -CONT {self.peer}` lets it go on"
        return NotReachableError(
            f"pid {self.peer} behind {self.path} does not answer: {why}", Reason.UNRESPONSIVE
        )

    def _stranger(self) -> NotReachableError:
        return NotReachableError(
            f"pid {self.peer} behind {self.path} does not speak the control protocol of srvctl; is it the "
            "socket of another program?",
            Reason.STRANGER,
        )

    def close(self) -> None:
        """Close the connection; what was asked goes on."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, by a signal or a debugger; False if that is not told."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib is slow to load
            return file.read().rpartition(")")[2].split()[0] in {"T", "t"}
    except (OSError, IndexError):
        return False


def _connect(sock: socket.socket, path: Path, patience: float) -> None:
    """Connect, waiting for room in the queue behind others.

    Not with a timeout of Python's: it makes the socket one that does not block, and connect(2) refuses these
    at once when the queue of a Unix socket is full.
    """
    microseconds = max(int(patience * 1e6), 1)  # 0 would be for ever
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*divmod(microseconds, 10**6)))
    sock.connect(str(path))


def _why_unreachable(path: Path, error: OSError) -> tuple[str, Reason]:
    text, reason = f"the control socket {path} cannot be used: {error.strerror or error}", Reason.FAILED
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            text = f"there is no control socket {path}: the instance does not run, or has another socket"
            reason = Reason.NOT_RUNNING
        case errno.ECONNREFUSED if path.is_socket():  # connect(2) says so of any file
            text = f"nobody listens on the control socket {path}: its instance is gone and left it behind"
            reason = Reason.STALE_SOCKET
        case errno.ECONNREFUSED | errno.ENOTSOCK | errno.EPROTOTYPE:
            text, reason = f"{path} is not a control socket", Reason.STRANGER
        case errno.EACCES | errno.EPERM:
            text = (
                f"permission denied for the control socket {path}: be root or the user that runs the "
                "instance, or, to look, a member of its control.group"
            )
            reason = Reason.NO_PERMISSION
        case errno.EAGAIN:
            text = f"the instance behind {path} does not take connections: it is stopped or blocked"
            reason = Reason.UNRESPONSIVE
    return text, reason
