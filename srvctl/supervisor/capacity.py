"""How many workers ``auto`` means: what the machine and the cgroup let this process use.

`count_for` decides; `available` reads /proc and /sys below a root that tests replace. Nothing here fails:
a file that is missing or makes no sense limits nothing. Called once per start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from srvctl.supervisor.cgroups import folders, read

#: What one worker is taken to need: about a FastAPI application with an ORM and its drivers imported.
#: Only `auto` reckons with it, and only where memory is limited; a worker may use more.
MEMORY_PER_WORKER: Final = 128 * 1024 * 1024

#: cgroup v1 says "no limit" with the largest number of pages, which depends on the page size.
_UNLIMITED: Final = 2**60


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound, and the file it was read from."""

    value: float
    file: str


@dataclass(frozen=True, slots=True)
class Available:
    """What this process may use.

    Attributes:
        cpus: CPUs of the machine.
        affinity: CPUs this process may run on.
        cpu_quota: CPUs' worth of time the cgroup gives.
        memory: Bytes the cgroup gives.
    """

    cpus: int
    affinity: int
    cpu_quota: Limit | None = None
    memory: Limit | None = None


def count_for(
    *,
    affinity: int,
    cpu_quota: float | None,
    memory_limit: int | None,
    memory_per_worker: int = MEMORY_PER_WORKER,
) -> int:
    """Return the number of workers that fit, at least 1.

    A quota is rounded down: a second worker on 1.5 CPUs is throttled half of the time, and with it the
    requests it holds.

    Args:
        affinity: CPUs the process may run on.
        cpu_quota: CPUs' worth of time it is given; None for no limit.
        memory_limit: Bytes it is given; None for no limit.
        memory_per_worker: Bytes one worker is taken to need.
    """
    count = affinity
    if cpu_quota is not None:
        count = min(count, int(cpu_quota))
    if memory_limit is not None:
        count = min(count, memory_limit // memory_per_worker)
    return max(1, count)


def auto_count(root: Path = Path("/")) -> tuple[int, str]:
    """Return the number of workers that ``auto`` means here, and why, for the log."""
    return explain(available(root))


def explain(found: Available) -> tuple[int, str]:
    """Return the number of workers, and which bound decided it."""
    quota = found.cpu_quota.value if found.cpu_quota else None
    memory = int(found.memory.value) if found.memory else None
    by_cpu = count_for(affinity=found.affinity, cpu_quota=quota, memory_limit=None)
    count = count_for(affinity=found.affinity, cpu_quota=quota, memory_limit=memory)
    if found.memory and count < by_cpu:
        size = f"{found.memory.value / 2**20:.0f} MiB"
        return count, (
            f"{count} by cgroup {found.memory.file}: {size}, at {MEMORY_PER_WORKER // 2**20} MiB a worker, "
            f"where the CPUs allow {by_cpu}"
        )
    of = f"{count} of {found.cpus} CPUs"
    if found.cpu_quota and found.cpu_quota.value < found.affinity:
        rounded = "" if count == found.cpu_quota.value else f" ({found.cpu_quota.value:g})"
        return count, f"{of} by cgroup {found.cpu_quota.file}{rounded}"
    return count, of if count == found.cpus else f"{of} by CPU affinity"


def available(root: Path = Path("/")) -> Available:
    """Return what this process may use, with /proc and /sys looked for below ``root``."""
    cpus = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cpus
    quotas: list[Limit] = []
    memories: list[Limit] = []
    for folder in folders(root, ""):
        quotas += _limit("cpu.max", _quota(read(folder / "cpu.max").split()))
        memories += _limit("memory.max", _number(read(folder / "memory.max")))
    for folder in folders(root, "cpu"):
        words = [read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        quotas += _limit("cpu.cfs_quota_us", _quota(words))
    for folder in folders(root, "memory"):
        memories += _limit("memory.limit_in_bytes", _number(read(folder / "memory.limit_in_bytes")))
    return Available(cpus, affinity, _smallest(quotas), _smallest(memories))


def _quota(words: list[str]) -> float | None:
    """Return the CPUs that a quota per period is worth; the quota is ``max`` or -1 where there is none."""
    if len(words) != len(("quota", "period")):
        return None
    quota, period = _number(words[0]), _number(words[1])
    return quota / period if quota and period else None


def _number(text: str) -> float | None:
    """Return a limit; None for ``max``, for -1, for v1's huge number and for what is no number."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_UNLIMITED))):
        return None
    value = int(text)
    return value if value < _UNLIMITED else None


def _limit(file: str, value: float | None) -> list[Limit]:
    return [] if value is None else [Limit(value, file)]


def _smallest(limits: list[Limit]) -> Limit | None:
    return min(limits, key=lambda limit: limit.value, default=None)
