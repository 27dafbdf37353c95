"""How much of the memory is used that there is for the service: its control group's, else the machine's.

Reads the kernel's files below a root that tests replace; they are made up when they are read, so nobody waits
for a disk. Fails never: what cannot be read is not there. Called by the effects at some of the looks;
`watermark` draws the conclusions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.ipc.proc_files import number
from srvctl.supervisor.cgroups import folders, read
from srvctl.supervisor.events import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT: Final = Path("/")
#: Of each version of the interface: what is allowed, what is used, and of memory.stat what is only a copy of
#: files that nobody has used for a while (cgroup-v2.rst "Memory Interface Files"; cgroup-v1/memory.rst 5.2).
_V2: Final = ("memory.max", "memory.current", "inactive_file")
_V1: Final = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_KIBI: Final = 1024


class MemoryUse:
    """Reads it.

    Finds the groups when it is made: no process of srvctl changes its cgroup later. What they allow is read
    each time, because that is changed while services run.

    Args:
        root: Where /proc and /sys are looked for.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._meminfo = root / "proc/meminfo"
        self._groups = [(folder, _V2) for folder in folders(root, "")]
        self._groups += [(folder, _V1) for folder in folders(root, "memory")]

    def read(self) -> Memory | None:
        """Return what is used of the bound that is nearest; None where nothing tells."""
        machine = _machine(read(self._meminfo))
        most = machine.limit if machine is not None else 2**60
        found = [_of_group(folder, files, most) for folder, files in self._groups]
        bounds = [memory for memory in found if memory is not None]
        return max(bounds, key=lambda memory: memory.share, default=machine)


def _of_group(folder: Path, files: tuple[str, str, str], most: int) -> Memory | None:
    """Return what a group uses; None where it is allowed as much as the machine has, or more."""
    allowed, used, cached = files
    limit = number(read(folder / allowed).strip())
    if not limit or limit >= most:
        return None
    size = number(read(folder / used).strip())
    if size is None:
        return None
    return Memory(max(size - _named(read(folder / "memory.stat"), " ").get(cached, 0), 0), limit)


def _machine(text: str) -> Memory | None:
    """Return what the machine uses, from proc_meminfo(5)."""
    found = _named(text, ":")
    total, free = found.get("MemTotal", 0), found.get("MemAvailable")
    return Memory(max(total - free, 0) * _KIBI, total * _KIBI) if total and free is not None else None


def _named(text: str, separator: str) -> Mapping[str, int]:
    """Return the numbers of lines that begin with a name."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(separator)
        value = number(rest.strip().removesuffix(" kB"))
        if value is not None:
            found[name] = value
    return found
