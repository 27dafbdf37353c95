"""The file that the log is appended to: rotated by the master itself, or by others who then send SIGUSR1."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
from typing import TYPE_CHECKING, Final

from srvctl.logs.access.sinks import ReaderGoneError
from srvctl.supervisor.output.entry import clock
from srvctl.supervisor.output.rotation import is_due, moves
from srvctl.supervisor.output.sinks import reason

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_MODE: Final = 0o640  #: of a new file: what is logged is nothing for everybody
_PAUSE: Final = 60.0  #: seconds until a rotation that failed is tried again


class LogFile:
    """The file, or FIFO.

    Args:
        path: Its name.
        max_size: Bytes of one file; 0 for any number.
        max_age: Seconds of a period; see `rotation.is_due`.
        backups: Files kept beside it.
        clock: Seconds since the epoch.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(
        self,
        path: str,
        max_size: int = 0,
        max_age: float = 0.0,
        backups: int = 7,
        clock: Callable[[], float] = clock,
    ) -> None:
        self._path = os.path.abspath(path)  # noqa: PTH100 - without following links
        self._max_size = max_size
        self._max_age = max_age
        self._backups = backups
        self._clock = clock
        self._not_before = 0.0
        self._fd = -1
        self.trouble = ""
        self._open()
        self.size = 65536 if self._is_file else select.PIPE_BUF

    def write(self, data: bytes) -> int:
        """Append it; a full disk is a reason to try again later.

        Raises:
            ReaderGoneError: It is a FIFO that nobody reads any more.
        """
        self._rotate(len(data))
        try:
            taken = os.write(self._fd, data)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise ReaderGoneError(str(error)) from None
            is_busy = error.errno in {errno.EAGAIN, errno.EINTR}
            self.trouble = "" if is_busy else f"{self._path}: {reason(error)}"
            return 0
        self.trouble = ""
        self._bytes += taken
        self._written = self._clock()
        return taken

    def watched(self) -> int | None:
        """Return the descriptor of a FIFO; a file always says it has room."""
        return None if self._is_file else self._fd

    def wait(self, seconds: float) -> bool:
        """Wait for room in a FIFO."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    def reopen(self) -> None:
        """Go on with the file that has the name now.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """
        self._open()

    def close(self) -> None:
        """Close it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        new = os.open(self._path, _FLAGS, _MODE)
        status = os.fstat(new)
        if self._fd >= 0:  # under the same number, which somebody may watch
            os.dup2(new, self._fd, inheritable=False)
            os.close(new)
        else:
            self._fd = new
        self._is_file = stat.S_ISREG(status.st_mode)
        self._bytes = status.st_size
        self._written = status.st_mtime

    def _rotate(self, more: int) -> None:
        """Begin a new file if it is time; without permission for that, go on with the old one."""
        now = self._clock()
        if not self._is_file or now < self._not_before:
            return
        if not is_due(self._bytes, more, self._max_size, self._written, now, self._max_age):
            return
        try:
            self._move_away()
            self._open()
        except OSError:
            self._not_before = now + _PAUSE

    def _move_away(self) -> None:
        """Give the file its new name.

        Raises:
            OSError: That is not allowed.
        """
        if not self._backups:
            os.unlink(self._path)  # noqa: PTH108 - a text is all that is needed
            return
        for old, new in moves(self._path, self._backups):
            with contextlib.suppress(FileNotFoundError):  # there are not so many yet
                os.replace(old, new)  # noqa: PTH105 - as above
