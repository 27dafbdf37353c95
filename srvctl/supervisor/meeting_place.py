"""Names the directory in which the workers of this master find each other, and removes it.

The master only names it: the first worker that subscribes to anything makes it, so that who broadcasts
nothing has no directory. Each worker in it holds a shared lock on it (flock(2)), which the kernel releases
however the worker ends. Directories that a killed master left behind are therefore those whose lock is free;
the next master removes them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX: Final = "srvctl-broadcast-"
#: A Unix socket's path has 103 bytes on every system; so much is left of it for the parent directory.
_LONGEST_PARENT: Final = 48


def name_place(environ: Mapping[str, str], *, for_others: bool = False) -> str:
    """Return the path of a directory that does not exist yet, and remove what earlier masters left beside it.

    Args:
        environ: ``RUNTIME_DIRECTORY`` is used where the service manager gives one.
        for_others: The workers run as another user than the master, and must be able to make it.
    """
    parents = _parents(environ, for_others=for_others)
    parent = next(parents, "/tmp")  # noqa: S108 - the name is random, the directory private
    _remove_left_behind(parent)
    return f"{parent}/{_PREFIX}{secrets.token_hex(8)}"


def remove_place(path: str) -> None:
    """Remove the directory with everything in it; it need not exist."""
    with contextlib.suppress(OSError), _opened(path) as directory:
        _clear(path, directory)


def _parents(environ: Mapping[str, str], *, for_others: bool) -> Iterator[str]:
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    for parent in (given, _temporary(), "/tmp", "/dev/shm"):  # noqa: S108 - as above
        fits = parent.startswith("/") and len(os.fsencode(parent)) <= _LONGEST_PARENT
        if fits and os.access(parent, os.W_OK | os.X_OK) and (not for_others or _is_for_all(parent)):
            yield parent


def _is_for_all(directory: str) -> bool:
    return Path(directory).stat().st_mode & stat.S_IWOTH != 0


def _temporary() -> str:
    """Return the system's directory for temporary files; none where every disk is full, for it is tried."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return ""


def _remove_left_behind(parent: str) -> None:
    with contextlib.suppress(OSError):
        for path in Path(parent).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError), _opened(str(path)) as directory:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where a worker is in it
                _clear(str(path), directory)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a directory that is ours, or as root that of any user: its workers may be somebody else.

    Raises:
        OSError: It is not.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.geteuid() not in {0, os.fstat(directory).st_uid}:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)
        yield directory
    finally:
        os.close(directory)


def _clear(path: str, directory: int) -> None:
    """Remove a directory and the files in it.

    By descriptor: whoever owns it might put a link to somebody else's directory in its place.
    """
    for file in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file, dir_fd=directory)
    Path(path).rmdir()
