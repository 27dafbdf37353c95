"""How many workers ``auto`` means: what the machine and the cgroup let this process use.

`count_for` decides; `available` reads /proc and /sys below a root that tests replace. Nothing here fails:
a file that is missing or makes no sense limits nothing. Called once per start.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What one worker is taken to need: about a FastAPI application with an ORM and its drivers imported.
#: Only `auto` reckons with it, and only where memory is limited; a worker may use more.
MEMORY_PER_WORKER: Final = 128 * 1024 * 1024

#: cgroup v1 says "no limit" with the largest number of pages, which depends on the page size.
_UNLIMITED: Final = 2**60
_CGROUP: Final = Path("/sys/fs/cgroup")


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
    for folder in _folders(root, ""):
        quotas += _limit("cpu.max", _quota(_read(folder / "cpu.max").split()))
        memories += _limit("memory.max", _number(_read(folder / "memory.max")))
    for folder in _folders(root, "cpu"):
        words = [_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
        quotas += _limit("cpu.cfs_quota_us", _quota(words))
    for folder in _folders(root, "memory"):
        memories += _limit("memory.limit_in_bytes", _number(_read(folder / "memory.limit_in_bytes")))
    return Available(cpus, affinity, _smallest(quotas), _smallest(memories))


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield this process's cgroup and its parents up to the mount, each of which limits it.

    Args:
        root: Where /proc and /sys are looked for.
        controller: The one whose v1 hierarchy is meant; "" means the v2 hierarchy.
    """
    path = _own_path(root, controller)
    if path is None:
        return
    mount, top = _mount(root, controller)
    # In a container without a cgroup namespace the path is the host's, and the mount shows the end of it.
    # A path that lies elsewhere (/.. in a namespace we were moved out of) is out of sight.
    own, shown = PurePosixPath(path), PurePosixPath(top)
    inside = own.relative_to(shown).parts if own.is_relative_to(shown) and ".." not in own.parts else ()
    base = root / str(mount).lstrip("/")
    for depth in range(len(inside), -1, -1):
        yield base.joinpath(*inside[:depth])


def _own_path(root: Path, controller: str) -> str | None:
    """Return the cgroup of this process, from lines such as ``4:cpu,cpuacct:/a`` (v1) and ``0::/a`` (v2)."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon and controller in controllers.split(","):
            return path
    return None


def _mount(root: Path, controller: str) -> tuple[Path, str]:
    """Return where the hierarchy is mounted, and which cgroup is its top (proc_pid_mountinfo(5))."""
    kind = "cgroup" if controller else "cgroup2"
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, described = before.split(), after.split()
        if len(fields) < 5 or len(described) < 3 or described[0] != kind:  # noqa: PLR2004 - fields of the format
            continue
        if not controller or controller in described[2].split(","):
            return Path(_unescape(fields[4])), _unescape(fields[3])
    return _CGROUP / controller, "/"


def _unescape(field: str) -> str:
    r"""Return a field of mountinfo with its ``\040`` and the like replaced."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


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


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
