"""How much memory a process has, with what it shares divided among those that share it.

Knows /proc and nothing of workers. Called by the master for `workers.max_memory`, and by commands and the
console, which have the time that the kernel takes to walk through the pages of many workers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from srvctl.ipc.proc_files import fields, number, read_text

_ROOT: Final = Path("/")
_PAGE_SIZE: Final = os.sysconf("SC_PAGESIZE")


def pss(pid: int, root: Path = _ROOT) -> int | None:
    """Return the memory of a process in bytes, what it shares divided among those that share it.

    Where the kernel does not tell that, all that is resident; None where it tells nothing.

    Args:
        pid: The process.
        root: Where /proc is looked for.
    """
    folder = root / "proc" / str(pid)
    amount, _, unit = fields(read_text(folder / "smaps_rollup")).get("Pss", "").partition(" ")
    kibibytes = number(amount)
    if kibibytes and unit == "kB":
        return kibibytes * 1024
    sizes = read_text(folder / "statm").split()  # proc_pid_statm(5): all, resident, …
    pages = number(sizes[1]) if len(sizes) > 1 else None
    return pages * _PAGE_SIZE if pages else None
