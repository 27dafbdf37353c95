"""Names the directory in which the workers of this master find each other, and removes it.

The master only names it: the first worker that subscribes to anything makes it, so that who broadcasts
nothing has no directory. Each worker in it holds a shared lock on it (flock(2)), which the kernel releases
however the worker ends. Directories that a killed master left behind are therefore those whose lock is free;
the next master removes them.
"""

from __future__ import annotations

import contextlib
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


def name_place(environ: Mapping[str, str]) -> str:
    """Return the path of a directory that does not exist yet, and remove what earlier masters left beside it.

    Args:
        environ: ``RUNTIME_DIRECTORY`` is used where the service manager gives one.
    """
    parent = next(_parents(environ), "/tmp")  # noqa: S108 - the name is random, the directory private
    _remove_left_behind(parent)
    return f"{parent}/{_PREFIX}{secrets.token_hex(8)}"


def remove_place(path: str) -> None:
    """Remove the directory with everything in it; it need not exist."""
    with contextlib.suppress(OSError):
        if _is_ours(path):
            _clear(path)


def _parents(environ: Mapping[str, str]) -> Iterator[str]:
    given = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    for parent in (given, tempfile.gettempdir(), "/tmp", "/dev/shm"):  # noqa: S108 - as above
        fits = parent.startswith("/") and len(os.fsencode(parent)) <= _LONGEST_PARENT
        if fits and os.access(parent, os.W_OK | os.X_OK):
            yield parent


def _is_ours(path: str) -> bool:
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _remove_left_behind(parent: str) -> None:
    with contextlib.suppress(OSError):
        for path in Path(parent).glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError):
                if _is_ours(str(path)):
                    _remove_unless_held(str(path))


def _remove_unless_held(path: str) -> None:
    """Remove a directory that no worker is in.

    Raises:
        OSError: One is.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _clear(path)
    finally:
        os.close(directory)


def _clear(path: str) -> None:
    for file in os.listdir(path):  # noqa: PTH208 - names are what is needed
        Path(path, file).unlink(missing_ok=True)
    Path(path).rmdir()
