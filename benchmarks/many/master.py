"""What one process has and has used: a master, at a moment. From /proc; Linux only.

Knows nothing of srvctl. Two looks are compared by whoever took them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import usage

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Look:
    """What there was.

    Attributes:
        rss: Bytes in memory.
        pss: The same, with what is shared divided among those that share it.
        fds: Open descriptors.
        memfds: Those of files without a name: the boards of workers.
        threads: Threads.
        children: Processes that it is the parent of.
        zombies: Those of them that have ended and were not waited for.
    """

    rss: int
    pss: int
    fds: int
    memfds: int
    threads: int
    children: int
    zombies: int

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def look(process: psutil.Process) -> Look:
    """Return what a process has now."""
    children = process.children()
    return Look(
        rss=process.memory_info().rss,
        pss=usage.pss_bytes([process]),
        fds=process.num_fds(),
        memfds=sum(target.startswith("/memfd:") for target in _targets(process.pid)),
        threads=process.num_threads(),
        children=len(children),
        zombies=sum(map(_is_zombie, children)),
    )


def cpu_seconds(process: psutil.Process) -> float:
    """Return for how long a process of one thread has run, to the nanosecond."""
    return int(Path(f"/proc/{process.pid}/schedstat").read_text(encoding="utf-8").split()[0]) / 1e9


def _targets(pid: int) -> Iterator[str]:
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            yield str(path.readlink())


def _is_zombie(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return False
