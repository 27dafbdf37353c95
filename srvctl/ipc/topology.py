"""How the CPUs of this machine belong together: which share a memory node, and which are threads of one core.

Knows /sys and nothing of workers; what is missing or makes no sense is taken for a machine in which all CPUs
are alike. Called by whoever places workers, and by the doctor. The files below /sys/devices/system that it
reads are described in the kernel's ABI/stable/sysfs-devices-node and ABI/stable/sysfs-devices-system-cpu.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.ipc.proc_files import number, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT: Final = Path("/")
_NODE: Final = re.compile(r"node(\d{1,5})", re.ASCII)
_MOST: Final = 8192  #: CONFIG_NR_CPUS of Linux allows no more


@dataclass(frozen=True, slots=True)
class Topology:
    """What belongs together; empty where that is not known.

    Attributes:
        nodes: The CPUs of each memory node, by number of the node; none for one that is memory only.
        cores: The CPUs, as threads, of each core of which one was asked for.
    """

    nodes: tuple[frozenset[int], ...] = ()
    cores: frozenset[frozenset[int]] = frozenset()


def read_topology(cpus: Iterable[int], root: Path = _ROOT) -> Topology:
    """Return how CPUs belong together.

    Args:
        cpus: Whose cores are looked for.
        root: Where /sys is looked for.
    """
    system = root / "sys/devices/system"
    threads = (listed(read_text(system / f"cpu/cpu{cpu}/topology/thread_siblings_list")) for cpu in cpus)
    return Topology(_nodes(system / "node"), frozenset(core for core in threads if core))


def _nodes(folder: Path) -> tuple[frozenset[int], ...]:
    try:
        names = [match for path in folder.iterdir() if (match := _NODE.fullmatch(path.name))]
    except OSError:  # a kernel without NUMA, or a container that hides /sys
        return ()
    names.sort(key=lambda match: int(match[1]))
    return tuple(listed(read_text(folder / match[0] / "cpulist")) for match in names)


def listed(text: str) -> frozenset[int]:
    """Return the numbers of a list as the kernel writes it, such as ``0-3,8``; none if it is no such list."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        low, high = number(first), number(last or first)
        if low is None or high is None or not low <= high < _MOST:
            return frozenset()
        found.update(range(low, high + 1))
    return frozenset(found)
