"""The ledger: deaths of workers, and stacks of their threads, in files that outlive the master.

Owns the files, how they grow and that they stay small. Knows nothing of why workers die, and never raises: a
full disk must not stop a server. Used by the master, which writes, and by ``srvctl why``, which reads.

Nothing is synced to the disk. The file has to outlive the master, and for that the kernel's cache does: what
it holds is lost only with the whole machine, which ends all workers of one known cause. A sync, on the other
hand, can take seconds on a busy disk, and the master would look after nobody meanwhile.

The file is opened for each death and not kept open: deaths are rare, workers inherit no descriptor of it, and
whoever moves the file away gets a new one. It belongs to one instance. Two masters that share it do not tear
each other's lines, for each is one write(2) at the end; but when one drops the older half, what the other
adds at that moment may be lost.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from srvctl.errors import printable
from srvctl.ipc.deaths import MAX_LINE, Death, from_lines, to_line
from srvctl.supervisor.files import (
    APPEND,
    OVERWRITE,
    READ,
    opened,
    opened_directory,
    replace_content,
    write_all,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Deaths that are remembered whatever becomes of the file.
RECENT: Final = 100
#: Files with stacks that are kept.
MOST_STACKS: Final = 20
MAX_STACK: Final = 256 * 1024  #: bytes of each
#: Bytes that are read at most, by whoever wants to know: of a file that something else has let grow.
_MOST_READ: Final = 64 * 1024 * 1024

#: ValueError: a path with a null byte; OverflowError: a time beyond the calendar. No reason to end, either.
_ERRORS: Final = (OSError, ValueError, OverflowError)
_STACK_NAME: Final = re.compile(r"\d+-(\d{8}T\d{6}\.\d{3}Z)\.txt", re.ASCII)


class Ledger:
    """Keeps deaths: the last ones in memory, and more of them in a file if there is one."""

    __slots__ = ("_clock", "_errors", "_max_size", "_path", "_recent", "_reported")

    def __init__(
        self, path: Path | None, max_size: int = 2**20, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Begin with what is there: deaths of earlier masters stay in the file. Touches no disk yet.

        Args:
            path: The file, in a directory that exists; None for memory only.
            max_size: Bytes the file may have, `MAX_LINE` at least.
            clock: Returns seconds since 1970, for the names of files.
        """
        self._path = path
        self._max_size = max(max_size, MAX_LINE)
        self._clock = clock
        self._recent: deque[Death] = deque(maxlen=RECENT)
        self._errors: list[str] = []
        self._reported: set[str] = set()

    @property
    def path(self) -> Path | None:
        """The file, if there is one."""
        return self._path

    @property
    def recent(self) -> tuple[Death, ...]:
        """The last `RECENT` deaths that this master added, oldest first."""
        return tuple(self._recent)

    def prepare(self) -> None:
        """Make the file unless it is there: so ``srvctl why`` finds it before anybody died.

        What is wrong with the place is so known at the start; see `take_error`.
        """
        if self._path is None:
            return
        try:
            with opened(self._path, APPEND):
                pass
        except _ERRORS as error:
            self._note(self._path, error)

    def add(self, death: Death) -> None:
        """Keep a death; see `take_error`."""
        self._recent.append(death)
        if self._path is None:
            return
        try:
            self._append(self._path, to_line(death))
        except _ERRORS as error:
            self._note(self._path, error)

    def save_stack(self, pid: int, text: str) -> str:
        """Write the stacks of a worker's threads into a file of their own, and remove the oldest such file.

        Args:
            pid: The worker's process.
            text: The stacks; of a very long text the end is left out.

        Returns:
            The absolute path of the file; "" where there is none: see `take_error`.
        """
        if self._path is None:
            return ""
        folder = self._path.absolute().with_name(self._path.name + ".stacks")
        try:
            name = _stack_name(pid, self._clock())
            _save(folder, name, text.encode(errors="backslashreplace")[:MAX_STACK])
        except _ERRORS as error:
            self._note(folder, error)
            return ""
        return str(folder / name)

    def take_error(self) -> str:
        """Return a sentence about what could not be written; "" if nothing, or it was taken before.

        The same sentence is never returned twice: a disk that stays full is news once.
        """
        return self._errors.pop(0) if self._errors else ""

    def __repr__(self) -> str:
        return f"Ledger({str(self._path)!r}, recent={len(self._recent)}, errors={self._errors})"

    def _note(self, path: Path, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or error
        sentence = f"Deaths of workers are not recorded in {printable(str(path))}: {reason}."
        if sentence not in self._reported:
            self._reported.add(sentence)
            self._errors.append(sentence)

    def _append(self, path: Path, line: bytes) -> None:
        """Append a line, dropping the older half of the file first where it would become too large."""
        with opened(path, APPEND) as file:
            size = os.fstat(file).st_size
            # After a full disk, or another master's violent end, the last line may lack its end; what is
            # written behind it would be lost with it.
            is_torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            if size + is_torn + len(line) <= self._max_size:
                write_all(file, b"\n" * is_torn + line)
                return
            kept = max(min(self._max_size // 2, self._max_size - len(line) - 1, size), 0)
            tail = os.pread(file, kept, size - kept)
        if kept < size:
            tail = tail.partition(b"\n")[2]  # begins in the middle of a line, or with the end of one
        replace_content(path, tail + b"\n" * (bool(tail) and is_torn) + line)


def read_deaths(path: Path) -> list[Death]:
    """Return the deaths in a ledger's file, oldest first; what is no death is passed over.

    Raises:
        OSError: The file cannot be read.
    """
    with opened(path, READ) as file:
        size = os.fstat(file).st_size
        start = max(size - _MOST_READ, 0)
        pieces = []
        while piece := os.pread(file, _MOST_READ, start):
            pieces.append(piece)
            start += len(piece)
        return from_lines(b"".join(pieces))


def _save(folder: Path, name: str, text: bytes) -> None:
    """Write a file with stacks, after those that are too many were removed.

    Raises:
        OSError: It could not be written, and is not there.
    """
    with opened_directory(folder) as directory:
        entries = os.listdir(directory)  # noqa: PTH208 - pathlib takes no descriptor
        names = [entry for entry in entries if _STACK_NAME.fullmatch(entry)]
        for old in sorted(names, key=_time_of)[: max(len(names) - MOST_STACKS + 1, 0)]:
            with suppress(FileNotFoundError):
                os.unlink(old, dir_fd=directory)
        try:
            with opened(name, OVERWRITE, directory) as file:
                write_all(file, text)
        except OSError:
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)
            raise


def _stack_name(pid: int, now: float) -> str:
    second = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return f"{pid}-{second}.{int(now * 1000) % 1000:03}Z.txt"


def _time_of(name: str) -> str:
    match = _STACK_NAME.fullmatch(name)
    return match[1] if match else ""
