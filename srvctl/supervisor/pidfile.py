"""Holds the pid file: one line with the master's pid, in a file that is locked as long as the master lives.

Owns who may have the file. The lock of flock(2) decides, never the number in the file: the kernel releases
it however the master ends, so neither a file that was left behind nor a pid that another process got since
can keep a master from starting. Must not know what the master does. Called at start, upgrade and end.

The file holds no second number, because ``kill $(cat FILE)`` would send a signal to that as well. Only on
file systems without flock(2), such as some NFS mounts, a second line tells when the process began; there two
masters that start in the same instant can both succeed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from srvctl.errors import AlreadyRunning, ConfigError
from srvctl.supervisor.processes import is_running, start_of

if TYPE_CHECKING:
    from collections.abc import Mapping

#: More is in no pid file, whoever wrote it; a larger file is somebody's data.
_LARGEST: Final = 256
_MODE: Final = 0o644
_TRIES: Final = 10
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_REASONS: Final[Mapping[int, str]] = {
    errno.ENOENT: "its directory does not exist; create it or choose another path",
    errno.ENOTDIR: "its directory is a file; choose another path",
    errno.EISDIR: "it is a directory; name a file in it",
    errno.ELOOP: "it is a symbolic link, which could lead anywhere; name the file itself",
    errno.ENXIO: "it is a socket; choose another path",
    errno.EROFS: "its file system is read-only; choose another path",
    errno.ENOSPC: "there is no space left on its file system; make room or choose another path",
    errno.EDQUOT: "the quota of its file system is used up; make room or choose another path",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
}


class PidFile:
    """A pid file that is ours.

    Attributes:
        path: Where it is; absolute, for a master that changes its directory.
        warning: One sentence about what could not be done, though the file is ours; mostly empty.
    """

    __slots__ = ("_fd", "path", "warning")

    def __init__(self, path: Path, fd: int, warning: str = "") -> None:
        self.path = path
        self.warning = warning
        self._fd = fd

    @classmethod
    def take(cls, path: str | Path) -> Self:
        """Make the file ours and write the pid of this process into it.

        Raises:
            AlreadyRunning: A live process has it.
            ConfigError: It cannot be had at this path.
        """
        path = Path(path).absolute()
        for _ in range(_TRIES):
            fd = _open(path)
            try:
                has_locks = _lock(fd, path)
                # Between open() and flock(), its owner may have ended and removed it.
                if _is_at(fd, path):
                    return cls(path, fd, _write(fd, path, has_locks=has_locks))
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
        raise ConfigError(f"pid file {path} cannot be used: somebody keeps replacing it; choose another path")

    @classmethod
    def inherit(cls, path: str | Path, fd: int) -> Self:
        """Take over the file from the program that this process ran before (execve(2)): the lock came along.

        Args:
            path: Where the file is.
            fd: What `fd` was before.

        Raises:
            AlreadyRunning: As `take`, where the descriptor is not that file.
            ConfigError: As `take`.
        """
        path = Path(path).absolute()
        with contextlib.suppress(OSError):
            if _is_at(fd, path):
                os.set_inheritable(fd, False)
                return cls(path, fd)
        return cls.take(path)

    @property
    def fd(self) -> int:
        """The descriptor that holds the lock; -1 once it is closed. Make it inheritable before execve(2)."""
        return self._fd

    def renew(self) -> None:
        """Write the file again if somebody removed or replaced it.

        Raises:
            AlreadyRunning: The one that is there now has a live owner.
            ConfigError: It cannot be written again.
        """
        if not _is_at(self._fd, self.path):
            other = type(self).take(self.path)
            os.close(self._fd)
            self._fd, self.warning = other.fd, other.warning

    def release(self) -> None:
        """Remove the file, unless it is another one by now, and unlock it; harmless when done before."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # a directory that became read-only keeps it; it is unlocked
                if _is_at(self._fd, self.path):
                    self.path.unlink()
            self.close()

    def close(self) -> None:
        """Close this process's copy and leave the file alone: what a forked child does.

        A child that keeps it open would keep it locked beyond the master's end.
        """
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __repr__(self) -> str:
        return f"PidFile({str(self.path)!r}, fd={self._fd})"


def _open(path: Path) -> int:
    """Open or create the file; never wait for the other end of a pipe.

    Raises:
        ConfigError: It cannot be opened, or is something else.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, _MODE)
    except OSError as error:
        raise _unusable(path, error) from error
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST:
        return fd
    os.close(fd)
    raise ConfigError(
        f"pid file {path} cannot be used: something else is there, which would be overwritten; move it away "
        "or choose another path"
    )


def _lock(fd: int, path: Path) -> bool:
    """Lock the file; return False where there are no locks, and nobody else has it as far as it tells.

    Raises:
        AlreadyRunning: A live process has it.
        ConfigError: The kernel refuses for another reason.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid, start = _read(fd)
        raise _already_running(path, pid if is_running(pid, start) else 0) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise _unusable(path, error) from error
        pid, start = _read(fd)
        # In a container every start can have the same pid: it is not ourselves that we would meet.
        if pid != os.getpid() and is_running(pid, start):
            raise _already_running(path, pid) from None
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False


def _read(fd: int) -> tuple[int, str]:
    """Return the pid in the file and when that process began; 0 and "" where it does not say."""
    try:
        lines = os.pread(fd, _LARGEST, 0).decode(errors="replace").split("\n")
    except OSError:
        return 0, ""
    first = lines[0].strip()
    pid = int(first) if first.isascii() and first.isdecimal() else 0
    return pid, lines[1].strip() if len(lines) > 1 else ""


def _write(fd: int, path: Path, *, has_locks: bool) -> str:
    """Write our pid; return a sentence where that fails: the lock alone keeps others away."""
    pid = os.getpid()
    content = f"{pid}\n" if has_locks else f"{pid}\n{start_of(pid)}\n"
    try:
        # In this order: what fits into the file's old block needs no space.
        os.pwrite(fd, content.encode(), 0)
        os.ftruncate(fd, len(content))
    except OSError as error:
        with contextlib.suppress(OSError):  # a wrong number would be worse than none
            os.ftruncate(fd, 0)
        return f"The pid file {path} is ours, but the pid cannot be written into it: {error.strerror}."
    return ""


def _already_running(path: Path, pid: int) -> AlreadyRunning:
    who = (
        f"srvctl already runs as pid {pid}, which has" if pid else "srvctl already runs: another process has"
    )
    return AlreadyRunning(f"{who} the pid file {path}; stop it first, or name another pid file", pid)


def _unusable(path: Path, error: OSError) -> ConfigError:
    reason = _REASONS.get(error.errno or 0)
    if error.errno in {errno.EACCES, errno.EPERM}:
        reason = f"user {os.geteuid()} may not write it; choose another path"
    return ConfigError(f"pid file {path} cannot be used: {reason or error.strerror}")
