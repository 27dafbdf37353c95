"""What a pid file says of an instance that cannot be asked: whether it runs, was killed, or never was.

Only looks: a lock taken here, however shortly, could keep a master from starting. Called by `instances`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from srvctl.supervisor.processes import is_running

_LARGEST: Final = 256


@dataclass(frozen=True, slots=True)
class Written:
    """What a pid file tells.

    Attributes:
        pid: The number in it.
        lives: That process has it; False for one that is gone, or is another process by now.
    """

    pid: int
    lives: bool


def read_pid_file(path: Path) -> Written | None:
    """Return what a pid file tells; None where there is none, or nothing in it."""
    try:
        with path.open("rb") as file:
            lines = file.read(_LARGEST).decode(errors="replace").split("\n")
    except OSError:
        return None
    first = lines[0].strip()
    if not (first.isascii() and first.isdecimal()):
        return None
    pid = int(first)
    start = lines[1].strip() if len(lines) > 1 else ""
    return Written(pid, is_running(pid, start) and _may_hold(pid, path))


def _may_hold(pid: int, path: Path) -> bool:
    """Return whether a process has the file open, as a master does for its lock; True if that is not told."""
    try:
        wanted = path.stat()
        for opened in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if os.path.samestat(opened.stat(), wanted):
                    return True
    except OSError:  # another user's, or not Linux
        return True
    return False
