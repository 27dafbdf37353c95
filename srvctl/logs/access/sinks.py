"""Where lines go, written without ever waiting for whoever reads them.

O_NONBLOCK cannot simply be set on stdout: the flag would hold for the shell and everybody else who shares it.
So a pipe or terminal is opened anew through /proc, a socket is asked per call, and where neither works the
descriptor is asked first whether it takes something.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import socket
import stat
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

#: Writes of up to so many bytes are never torn by those of other workers (POSIX: PIPE_BUF; 4096 on Linux).
_WHOLE: Final = select.PIPE_BUF
_WHOLE_TO_FILE: Final = 65536  #: one write to a file is whole, whatever its size
_APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
_MODE: Final = 0o640  #: of a new file: addresses and targets are nothing for everybody
_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.ENXIO, errno.ENOTCONN})


class ReaderGoneError(Exception):
    """Nobody will ever read what is written there."""


class Sink(Protocol):
    """Takes bytes."""

    size: int  #: most bytes to give it at a time

    def write(self, data: bytes) -> int:
        """Return how many of these bytes it took; 0 when it takes none now.

        Raises:
            ReaderGoneError: It will never take any.
        """

    def wait(self, seconds: float) -> bool:
        """Wait until it takes something, at most so long; return whether it does."""


class StreamSink:
    """Writes to a stream without a descriptor, or to nowhere."""

    size = _WHOLE_TO_FILE

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        """Write all of it."""
        try:
            if self._stream is not None:
                self._stream.write(data.decode())
                self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: somebody closed it
            raise ReaderGoneError(str(error)) from None
        return len(data)

    def wait(self, _seconds: float) -> bool:
        """Return at once: it never makes anybody wait."""
        return True


class DescriptorSink:
    """Writes to a descriptor.

    Args:
        fd: The descriptor.
        send: Writes without waiting, or raises BlockingIOError.
        size: Most bytes that stay together.
        stream: What others print to the same place; it goes first.
        close: Closes what was opened for the sink.
    """

    def __init__(
        self,
        fd: int,
        send: Callable[[bytes], int],
        size: int,
        stream: TextIO | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.fd = fd
        self.size = size
        self._send = send
        self._stream = stream
        self._close = close

    def write(self, data: bytes) -> int:
        """Write what is taken without waiting; a full disk is a reason to try again later."""
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):  # ValueError: the application closed it
                self._stream.flush()
        try:
            return self._send(data)
        except OSError as error:
            if error.errno in _GONE:
                raise ReaderGoneError(str(error)) from None
            return 0

    def wait(self, seconds: float) -> bool:
        """Wait for room; a file always says it has some."""
        return _takes(self.fd, seconds)

    def close(self) -> None:
        """Close what was opened for it, once; the descriptor it was made from stays."""
        close, self._close = self._close, None
        if close is not None:
            close()


def stream_sink(stream: TextIO | None) -> Sink:
    """Return the sink for what a stream such as stdout leads to; None was closed before we started."""
    try:
        fd = stream.fileno() if stream is not None else -1
    except (io.UnsupportedOperation, ValueError):  # an object of Python alone, or closed
        fd = -1
    if fd < 0:
        return StreamSink(stream)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        own = os.dup(fd)  # what the stream leads to now, whatever is put in its place later
        return DescriptorSink(
            own, lambda data: os.write(own, data), _WHOLE_TO_FILE, stream, lambda: os.close(own)
        )
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=os.dup(fd))
        return DescriptorSink(
            sock.fileno(), lambda data: sock.send(data, socket.MSG_DONTWAIT), _WHOLE, stream, sock.close
        )
    try:
        again = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # no /proc, or the pipe belongs to another user
        own = os.dup(fd)
        return DescriptorSink(
            own, lambda data: _write_if_taken(own, data), _WHOLE, stream, lambda: os.close(own)
        )
    return DescriptorSink(again, lambda data: os.write(again, data), _WHOLE, stream, lambda: os.close(again))


class FileSink(DescriptorSink):
    """Appends to a file; several processes may do so.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        # A FIFO without a reader must not make us wait, now or later.
        fd = os.open(path, _APPEND | os.O_NONBLOCK, _MODE)
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        size = _WHOLE_TO_FILE if is_file else _WHOLE
        super().__init__(fd, lambda data: os.write(fd, data), size, close=lambda: os.close(fd))

    def is_moved(self) -> bool:
        """Return whether another file, or none, has the name by now."""
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self.fd))  # noqa: PTH116 - a text will do
        except OSError:
            return True

    def reopen(self) -> None:
        """Go on with the file that has the name now, in this process: the old one was moved away.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """
        new = os.open(self._path, _APPEND | os.O_NONBLOCK, _MODE)
        os.dup2(new, self.fd, inheritable=False)
        os.close(new)


def _takes(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def _write_if_taken(fd: int, data: bytes) -> int:
    """Write after asking; another worker may be faster, and this one then waits for the reader."""
    return os.write(fd, data) if _takes(fd, 0.0) else 0
