"""Which unit of systemd a process belongs to, told by its control group (cgroups(7), systemd.slice(5)).

Reads one file below a directory that tests replace; fails never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.errors import printable

if TYPE_CHECKING:
    from pathlib import Path

_SERVICE: Final = ".service"
#: The service manager of a user, below which that user's own services are.
_OF_USERS: Final = "user@"


def unit_of(pid: int, proc: Path) -> str:
    """Return the command that restarts the service a process belongs to; nothing where it is none's.

    Args:
        pid: The process.
        proc: Where processes are looked for: /proc.
    """
    try:
        lines = (proc / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        parts = line.split(":", 2)[-1].split("/")
        services = [part for part in parts if part.endswith(_SERVICE)]
        if services and not services[-1].startswith(_OF_USERS):
            is_users = any(part.startswith(_OF_USERS) for part in services[:-1])
            return f"systemctl {'--user ' if is_users else ''}restart {printable(services[-1])}"
    return ""
