"""Files that the master keeps where others may write too: opened without following, waiting or trusting.

Owns how such a file is opened, written to its end, and replaced at once. Used by `srvctl.supervisor.ledger`.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MODE: Final = 0o600
_PRIVATE: Final = 0o700
#: O_NONBLOCK: to open a pipe would wait for its other end, and the master must not wait.
READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
#: O_NOFOLLOW: a link that somebody else put there would have root write into what it points to.
_OWN: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | _OWN
OVERWRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OWN
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OWN


@contextmanager
def opened(path: Path | str, flags: int, directory: int | None = None) -> Iterator[int]:
    """Open a file for a while, and give its descriptor; one that is made is for its owner only.

    Args:
        path: The file.
        flags: `READ`, `APPEND` or `OVERWRITE`.
        directory: Descriptor of the directory that the path is relative to.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    file = os.open(path, flags, _MODE, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(0, "not a regular file")
        yield file
    finally:
        os.close(file)


@contextmanager
def opened_directory(path: Path) -> Iterator[int]:
    """Open a directory for a while, made before if need be, for its owner only.

    What is done by way of its descriptor is done in it, whatever is put into its place meanwhile.

    Raises:
        OSError: It cannot be made or opened, or is none, or is a link to one.
    """
    path.mkdir(mode=_PRIVATE, exist_ok=True)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield directory
    finally:
        os.close(directory)


def write_all(file: int, data: bytes) -> None:
    """Write all of it.

    Raises:
        OSError: A part of it, or nothing, was written.
    """
    while data:
        data = data[os.write(file, data) :]


def replace_content(path: Path, content: bytes) -> None:
    """Have a new file take the place of a file, at once: who opens it sees the old content or the new.

    Raises:
        OSError: The old file is as it was.
    """
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)  # of a master that was killed while it did this
    try:
        with opened(beside, _NEW) as file:
            write_all(file, content)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
