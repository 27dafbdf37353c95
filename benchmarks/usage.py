"""What a process tree has used: CPU time and memory, from /proc.

Knows nothing of servers; a process that ends while it is read counts as gone.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil


def tree(root: psutil.Process) -> list[psutil.Process]:
    """Return the process and all its living descendants, the root first; empty when it is gone."""
    with suppress(psutil.NoSuchProcess):
        return [root, *root.children(recursive=True)]
    return []


def cpu_seconds(root: psutil.Process) -> float:
    """Return user and system time of the tree, that of reaped children included (/proc/PID/stat).

    A child's time moves to its parent when it is reaped, so that the figure never goes back. It has the
    resolution of the kernel's clock tick, mostly 10 ms.
    """
    total = 0.0
    for process in tree(root):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def run_seconds(processes: list[psutil.Process]) -> float | None:
    """Return the time living threads have run, to the nanosecond, or None where the kernel keeps none.

    For idle servers, whose CPU time is far below a tick; it forgets threads and processes that have ended.
    """
    nanoseconds = 0
    for process in processes:
        for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):
                nanoseconds += int(path.read_text().split()[0])
    return nanoseconds / 1e9 if nanoseconds else None


def pss_bytes(processes: list[psutil.Process]) -> int:
    """Return the proportional set size of processes: each shared page divided among all that map it."""
    return sum(_rollup(process).get("Pss", 0) for process in processes)


def alone_bytes(processes: list[psutil.Process]) -> int:
    """Return what processes would take if nothing else on the machine mapped their files.

    PSS gets smaller when a stranger maps the same files, as another server on the same Python does. This is
    PSS for the rest, and each file mapping once, by the process that has most of it in memory.
    """
    memory = [_rollup(process) for process in processes]
    files: Counter[tuple[str, int, str]] = Counter()
    for process in processes:
        files |= _file_mappings(process)
    return sum(one.get("Pss_Anon", 0) + one.get("Pss_Shmem", 0) for one in memory) + files.total()


def _rollup(process: psutil.Process) -> dict[str, int]:
    """Return the fields of /proc/PID/smaps_rollup in bytes; empty for a process that is gone."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    return {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}


def _file_mappings(process: psutil.Process) -> Counter[tuple[str, int, str]]:
    """Return bytes in memory of each mapping of a file, without the pages written to since."""
    mappings: Counter[tuple[str, int, str]] = Counter()
    with suppress(psutil.Error):
        for mapping in process.memory_maps(grouped=False):
            if mapping.path.startswith("/") and not mapping.path.startswith(("/dev/", "/memfd:")):
                mappings[mapping.path, mapping.size, mapping.perms] += mapping.rss - mapping.anonymous
    return mappings
