"""Where the output of an instance goes that has no terminal: to a file, and what was written there since.

What goes to stdout and stderr is kept in any case: a mistake that comes before the log is open is told there.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from srvctl.settings.instance import state_directories
from srvctl.supervisor.directories import first_usable

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG_SUFFIX: Final = ".log"
#: `log.file` of a log that goes to stdout and stderr.
STREAMS: Final = "-"
_NOT_A_FILE: Final = ("syslog", "journald")
#: Readable for the group, as in /var/log.
_MODE: Final = 0o640
#: The end names the error; what is longer is in the file.
_MOST_SHOWN: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Mark:
    """How long a file was at a moment."""

    path: Path
    size: int

    @classmethod
    def now(cls, path: Path) -> Self:
        try:
            return cls(path, path.stat().st_size)
        except OSError:
            return cls(path, 0)

    def since(self) -> str:
        """Return what was added; all of it if the file was replaced by a shorter one."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = self.size if self.size <= size else 0
                file.seek(max(begin, size - _MOST_SHOWN))
                return file.read().decode("utf-8", "replace")
        except OSError:
            return ""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where it goes; the descriptor is the caller's to close.

    Attributes:
        fd: For stdout and stderr of the instance.
        path: Of that file; None where it has none and is gone with the instance.
        reason: Why it has none.
        log: What ``srvctl start`` shows as the place of the log.
    """

    fd: int
    path: Path | None
    reason: str
    log: str
    _marks: tuple[_Mark, ...] = field(default=())

    @classmethod
    def open(cls, name: str, log_file: str, environ: Mapping[str, str], uid: int) -> Self:
        """Open the file for the output of an instance.

        Args:
            name: The instance's.
            log_file: The setting ``log.file``.
            environ: The environment, for the directories.
            uid: The effective user.

        Raises:
            OSError: There is no room for any file.
        """
        fd, path, reason = _open_output(name, environ, uid)
        is_elsewhere = log_file != STREAMS
        own = _Mark.now(Path(log_file)) if is_elsewhere and _is_file(log_file) else None
        output = _Mark.now(path or Path("/dev/fd", str(fd)))
        log = log_file if is_elsewhere else str(path or "")
        return cls(fd, path, reason, log, (output, *([own] if own else [])))

    def said(self) -> str:
        """Return what was written since."""
        return "".join(mark.since() for mark in self._marks)


def _open_output(name: str, environ: Mapping[str, str], uid: int) -> tuple[int, Path | None, str]:
    candidates = [directory / (name + LOG_SUFFIX) for directory in state_directories(environ, uid)]
    path, reason = first_usable(candidates, uid, is_chosen=False)
    if path is not None:
        try:
            # O_NOFOLLOW: who may write into the directory by mistake shall not choose what we append to.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(path, flags, _MODE), path, ""
        except OSError as error:
            reason = f"{path}: {error.strerror}"
    return _nameless(), None, reason or "there is no home directory"


def _nameless() -> int:
    fd, path = tempfile.mkstemp(prefix="srvctl-start-")
    Path(path).unlink()
    return fd


def _is_file(log_file: str) -> bool:
    return log_file.partition(":")[0] not in _NOT_A_FILE
