"""How the master looks at a worker from outside: its board, and what the kernel tells about it.

Decides nothing. Nothing here fails because a worker is gone or a file makes no sense: then there is nothing
to tell. /proc is looked for below a root that tests replace. Called by the effects.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from srvctl.ipc.scoreboard import DUMP_OFFSET, DUMP_SIZE, SIZE, harmless_lines

_ROOT: Final = Path("/")
_PAGE_SIZE: Final = os.sysconf("SC_PAGESIZE")
_NANO: Final = 1_000_000_000
_LONGEST_NUMBER: Final = 20  #: digits of 64 bits


@dataclass(frozen=True, slots=True)
class Condition:
    """What the kernel says about a worker's main thread.

    The kernel adds a time of waiting to `waited` when it is over. One that lasts can be told from two looks:
    `is_runnable` both times, and `on_cpu` the same.

    Attributes:
        waited: Seconds it has waited for a CPU, those that a cgroup's quota made it wait among them; None
            where it is not told.
        on_cpu: Seconds it had one; None where it is not told.
        is_runnable: It runs or waits for a CPU.
        is_stopped: By a signal, or by a debugger.
        is_traced: A debugger is attached.
    """

    waited: float | None
    on_cpu: float | None
    is_runnable: bool
    is_stopped: bool
    is_traced: bool


def new_board() -> tuple[int, mmap.mmap]:
    """Return a board as a descriptor, for the worker, and mapped, for the master; both are the caller's.

    The worker inherits or is sent the descriptor. Nobody may seek in it: the offset, which all who have it
    share, is where stacks are written to.

    Raises:
        OSError: The kernel has no descriptor or memory left.
    """
    fd = _nameless_file()
    try:
        os.ftruncate(fd, SIZE)
        _seal(fd)
        os.lseek(fd, DUMP_OFFSET, os.SEEK_SET)
        return fd, mmap.mmap(fd, SIZE)
    except BaseException:
        os.close(fd)
        raise


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):  # vm.memfd_noexec may forbid it
            return os.memfd_create("srvctl-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fd, path = tempfile.mkstemp(prefix="srvctl-board-")
    os.unlink(path)  # noqa: PTH108 - it is the path of a descriptor
    return fd


def _seal(fd: int) -> None:
    """Fix the size: a shorter file would kill the master with SIGBUS, a longer one could fill the memory."""
    if hasattr(fcntl, "F_ADD_SEALS"):
        with contextlib.suppress(OSError):  # it is on a disk
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)


def read_dump(fd: int) -> str:
    """Return the stacks that were written on a board, harmless to print; empty if none were.

    Args:
        fd: The board.
    """
    try:
        data = os.pread(fd, DUMP_SIZE, DUMP_OFFSET)
    except OSError:
        return ""
    written, _, _ = data.partition(b"\0")
    return "\n".join(harmless_lines(written))


def examine(pid: int, root: Path = _ROOT) -> Condition:
    """Return how a process is.

    Args:
        pid: The process.
        root: Where /proc is looked for.
    """
    folder = root / "proc" / str(pid)
    on_cpu, waited = _schedstat(_read(folder / "schedstat"))
    status = _fields(_read(folder / "status"))  # proc_pid_status(5)
    state = status.get("State", "")[:1]
    return Condition(
        waited=waited,
        on_cpu=on_cpu,
        is_runnable=state == "R",
        is_stopped=state in {"T", "t"},
        is_traced=(_number(status.get("TracerPid", "")) or 0) > 0,
    )


def pss(pid: int, root: Path = _ROOT) -> int | None:
    """Return the memory of a process in bytes, what it shares divided among those that share it.

    Where the kernel does not tell that, all that is resident; None where it tells nothing.

    Args:
        pid: The process.
        root: Where /proc is looked for.
    """
    folder = root / "proc" / str(pid)
    amount, _, unit = _fields(_read(folder / "smaps_rollup")).get("Pss", "").partition(" ")
    kibibytes = _number(amount)
    if kibibytes and unit == "kB":
        return kibibytes * 1024
    sizes = _read(folder / "statm").split()  # proc_pid_statm(5): all, resident, …
    pages = _number(sizes[1]) if len(sizes) > 1 else None
    return pages * _PAGE_SIZE if pages else None


def _schedstat(text: str) -> tuple[float | None, float | None]:
    """Return the seconds on a CPU and those of waiting for one.

    A kernel that does not count says that a process which surely ran has not.
    """
    numbers = [_number(word) for word in text.split()[:2]]
    match numbers:
        case [int(on_cpu), int(waited)] if on_cpu:
            return on_cpu / _NANO, waited / _NANO
        case _:
            return None, None


def _fields(text: str) -> dict[str, str]:
    """Return the values of lines such as ``Pss:   123 kB``."""
    lines = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
