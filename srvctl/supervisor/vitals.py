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

from srvctl.ipc import shares
from srvctl.ipc.proc_files import fields, number, read_text
from srvctl.ipc.scoreboard import DUMP_OFFSET, DUMP_SIZE, SIZE, harmless_lines

_ROOT: Final = Path("/")
_NANO: Final = 1_000_000_000


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
    fd = _nameless_file("srvctl-board", SIZE)
    try:
        os.lseek(fd, DUMP_OFFSET, os.SEEK_SET)
        return fd, mmap.mmap(fd, SIZE)
    except BaseException:
        os.close(fd)
        raise


def new_shares() -> int:
    """Return the descriptor of a table in which workers see each other's connections (`ipc.shares`).

    Raises:
        OSError: The kernel has no descriptor or memory left.
    """
    return _nameless_file("srvctl-shares", shares.SIZE)


def _nameless_file(name: str, size: int) -> int:
    """Return a new file of this size for good.

    Raises:
        OSError: The kernel has no descriptor or memory left.
    """
    fd = _open_nameless(name)
    try:
        os.ftruncate(fd, size)
    except BaseException:
        os.close(fd)
        raise
    _seal(fd)
    return fd


def _open_nameless(name: str) -> int:
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):  # vm.memfd_noexec may forbid it
            return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fd, path = tempfile.mkstemp(prefix=f"{name}-")
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


def clear_dump(fd: int) -> None:
    """Forget what stacks were written on a board, so that the next are written from the beginning.

    Args:
        fd: The board; the worker's own descriptor shares its offset.
    """
    with contextlib.suppress(OSError):
        os.pwrite(fd, bytes(DUMP_SIZE), DUMP_OFFSET)
        os.lseek(fd, DUMP_OFFSET, os.SEEK_SET)


def examine(pid: int, root: Path = _ROOT) -> Condition:
    """Return how a process is.

    Args:
        pid: The process.
        root: Where /proc is looked for.
    """
    folder = root / "proc" / str(pid)
    on_cpu, waited = _schedstat(read_text(folder / "schedstat"))
    status = fields(read_text(folder / "status"))  # proc_pid_status(5)
    state = status.get("State", "")[:1]
    return Condition(
        waited=waited,
        on_cpu=on_cpu,
        is_runnable=state == "R",
        is_stopped=state in {"T", "t"},
        is_traced=(number(status.get("TracerPid", "")) or 0) > 0,
    )


def _schedstat(text: str) -> tuple[float | None, float | None]:
    """Return the seconds on a CPU and those of waiting for one.

    A kernel that does not count says that a process which surely ran has not.
    """
    numbers = [number(word) for word in text.split()[:2]]
    match numbers:
        case [int(on_cpu), int(waited)] if on_cpu:
            return on_cpu / _NANO, waited / _NANO
        case _:
            return None, None
