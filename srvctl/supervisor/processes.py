"""Tells whether a process is the one that a pid meant once: pids come again, their beginnings do not.

Owns the reading of /proc/PID/stat (proc(5)). Called where a pid comes from a file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
#: Fields of /proc/PID/stat behind the name, which is in parentheses and may hold any character.
_STATE, _START = 0, 19
_GONE: Final = frozenset({"Z", "X"})


def start_of(pid: int) -> str:
    """Return a word for when a process began, unique over boots; empty if it is gone or cannot be seen."""
    fields = _stat(pid)
    if not fields or fields[_STATE] in _GONE:
        return ""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    # Not a number by itself: scripts pass whole files of pids to kill(1).
    return f"start={fields[_START]},boot={boot}"


def is_running(pid: int, start: str = "") -> bool:
    """Return whether the process that began then runs; with no ``start``, whether there is one at all.

    What cannot be known counts as running.
    """
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user's
        pass
    fields = _stat(pid)
    if fields and fields[_STATE] in _GONE:
        return False
    return not fields or start in {"", start_of(pid)}


def _stat(pid: int) -> list[str]:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:  # gone, or a system without /proc
        return []
