"""A file, or a part of one, that is to be the body of a response: opened, measured, read, closed.

Knows files, and nothing of connections, event loops or HTTP. A `FileBody` has a descriptor of its own, which
stays open until `close` was called and no thread reads from it any more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from types import TracebackType

# Nonblocking, because to open a FIFO would otherwise wait until somebody writes into it. Regular files do
# not mind.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)  #: Linux: read what is in memory, never wait for the disk


#: Bytes up to which a file is cheaper read and written together with its head: half the CPU time at 4 KiB, a
#: sixth less at 64 KiB.
_SMALL: Final = 64 * 1024


class OpenFile(Protocol):
    """What an application gives for an open file."""

    def fileno(self) -> int:
        """Return the descriptor."""


class FileShorterError(OSError):
    """A file ended before the length it had when its response began: what is missing cannot be made up."""


class FileBody:
    """Bytes of a regular file, from `offset` on; use it as a context manager, or `close` it.

    Args:
        fd: A descriptor that belongs to the new object from now on.
        name: What to call the file in messages.
        offset: Where to begin, in bytes.
        count: How many bytes at most; None for all up to the end of the file.

    Attributes:
        name: What to call the file in messages.
        offset: Where the next byte to send is, in bytes; it moves on as the body is sent.
        count: How many bytes the body has, from the beginning. A file that grows later changes nothing.
        left: How many of them are not sent yet.

    Raises:
        IsADirectoryError: It is a directory.
        OSError: It is a pipe, socket or device, which has no size and cannot be sent in this way.
        ValueError: Offset or count is negative.
    """

    __slots__ = ("_fd", "_is_closed", "_knows_memory", "_moves", "_reads", "count", "left", "name", "offset")

    def __init__(self, fd: int, name: str, offset: int = 0, count: int | None = None) -> None:
        self._fd = fd
        self.name = name
        self._is_closed = False
        self._reads = 0  #: threads that read
        self._knows_memory = bool(_NOWAIT)  #: the file system can tell what is in memory
        self._moves: OpenFile | int | None = None  #: whose position is to move on with what is sent
        try:
            self.offset = offset
            self.left = self.count = _size(fd, name, offset, count)
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> FileBody:
        """Open a whole file.

        Raises:
            FileNotFoundError: There is none.
            PermissionError: It must not be read.
            IsADirectoryError: It is a directory.
            OSError: It is a pipe, socket or device, or the system has no descriptor left.
        """
        return cls(os.open(path, _OPEN_FLAGS), os.fspath(path))

    @classmethod
    def from_file(cls, file: OpenFile | int, offset: int | None = None, count: int | None = None) -> FileBody:
        """Take a part of a file that the application has open, and will close.

        Our own descriptor sees to it that an application which closes its own too soon never has another
        file sent, the next to get that number.

        Args:
            file: The file or its descriptor.
            offset: Where to begin, in bytes; None for the current position, which then moves on with what
                is sent, as with sendfile(2).
            count: How many bytes at most; None for all up to the end of the file.

        Raises:
            IsADirectoryError: It is a directory.
            OSError: It is closed, has no descriptor (`io.BytesIO`), or is a pipe, socket or device.
            TypeError: It is no file.
            ValueError: Offset or count is negative, or the file is closed.
        """
        if isinstance(file, int):
            fd, name = file, f"descriptor {file}"
        elif hasattr(file, "fileno"):
            fd, name = file.fileno(), str(getattr(file, "name", f"descriptor {file.fileno()}"))
        else:
            raise TypeError(f"a file is an open file or its descriptor, not {type(file).__name__}")
        own = os.dup(fd)
        try:
            _require_regular(own, name)  # before its position is asked for: a pipe has none
            start = _position(file) if offset is None else offset
        except BaseException:
            os.close(own)
            raise
        body = cls(own, name, start, count)
        if offset is None:
            body._moves = file
        return body

    # -- what is sent ----------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor to send from."""
        return self._fd

    def taken(self, size: int) -> None:
        """Note that this many more bytes were sent; none means that the file has ended.

        Raises:
            FileShorterError: It has ended too soon.
        """
        if not size:
            raise FileShorterError(f"{self.name!r} has become {self.left} bytes shorter while it was sent")
        self.offset += size
        self.left -= size

    def is_in_memory(self, size: int) -> bool:
        """Return whether the next bytes can be had without waiting for a disk, as far as can be known.

        Files are read from their beginning to their end, so the last byte speaks for those before it. Where
        the file system cannot tell, as with NFS, the answer is yes.
        """
        if not self._knows_memory:
            return True
        last = self.offset + min(size, self.left) - 1
        return self._preadv_nowait(1, last) is not None or not self._knows_memory

    def read_nowait(self, size: int) -> bytes | None:
        """Return the next bytes, fewer where the file ends; None if that could mean to wait for a disk."""
        size = min(size, self.left)
        return self._preadv_nowait(size, self.offset) if self._knows_memory else None

    def take_small(self) -> bytes | None:
        """Return the whole body, which then counts as sent, if it is small and in memory; else None."""
        if self.left > _SMALL:
            return None
        data = self.read_nowait(self.left) if self.left else b""
        if data is None or len(data) < self.left:
            return None
        if data:
            self.taken(len(data))
        return data

    def _preadv_nowait(self, size: int, offset: int) -> bytes | None:
        data = bytearray(size)
        try:
            read = os.preadv(self._fd, (data,), offset, _NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
                raise
            self._knows_memory = False
            return None
        return bytes(data) if read == size else bytes(memoryview(data)[:read])

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer where the file ends, however long the disk takes: for a thread."""
        return os.pread(self._fd, min(size, self.left), self.offset)

    # -- the end ---------------------------------------------------------------------------------------

    def read_begins(self) -> None:
        """Keep the descriptor open for a thread, whatever happens, until `read_ended`."""
        self._reads += 1

    def read_ended(self) -> None:
        """Give up what `read_begins` has kept."""
        self._reads -= 1
        if self._is_closed and not self._reads:
            os.close(self._fd)

    def close(self) -> None:
        """Give the descriptor back, and leave the application's own at the position behind what was sent."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._moves is not None:
                self._move(self._moves)
        finally:
            if not self._reads:
                os.close(self._fd)

    def _move(self, file: OpenFile | int) -> None:
        """Move the position of a file; our descriptor shares that of the one it was made from."""
        seek = getattr(file, "seek", None)
        if seek is None:
            os.lseek(self._fd, self.offset, os.SEEK_SET)
        else:
            with contextlib.suppress(OSError, ValueError):  # it is closed, and needs none
                seek(self.offset)

    def __enter__(self) -> FileBody:  # noqa: PYI034 - it is not made to be inherited from
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _require_regular(fd: int, name: str) -> os.stat_result:
    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file, so it cannot be sent as one", name)
    return status


def _size(fd: int, name: str, offset: int, count: int | None) -> int:
    """Return how many bytes there are to send."""
    available = max(0, _require_regular(fd, name).st_size - offset)
    if offset < 0 or (count is not None and count < 0):
        raise ValueError(f"a part of a file cannot begin at {offset} and have {count} bytes")
    return available if count is None else min(available, count)


def _position(file: OpenFile | int) -> int:
    """Return the position of a file: its own, because that of the descriptor runs ahead of a buffer's."""
    if isinstance(file, int):
        return os.lseek(file, 0, os.SEEK_CUR)
    tell = getattr(file, "tell", None)
    return int(tell()) if tell is not None else os.lseek(file.fileno(), 0, os.SEEK_CUR)
