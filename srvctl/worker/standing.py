"""What the kernel lets this process do to itself: its ids, capabilities, limits and CPUs.

Read once, then judged purely by `srvctl.worker.privileges`.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.settings.process_values import RLIMIT_NAMES, UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Number of each limit that this system has, by its name.
LIMITS: Final[Mapping[str, int]] = {
    name: getattr(resource, f"RLIMIT_{name.upper()}")
    for name in RLIMIT_NAMES
    if hasattr(resource, f"RLIMIT_{name.upper()}")
}
_EVERY_CAPABILITY: Final = -1  #: has every bit


class Capability(IntEnum):
    """Numbers of capabilities(7)."""

    KILL = 5
    SETGID = 6
    SETUID = 7
    SYS_NICE = 23
    SYS_RESOURCE = 24


@dataclass(frozen=True, slots=True)
class Standing:
    """What one process is and may do.

    Attributes:
        uid: Its effective user.
        gid: Its effective group.
        groups: Its supplementary groups.
        capabilities: A bit for each capability in effect. Root need not have any, as in a container.
        cpus: Where it may run; None where the system has no such thing.
        niceness: From -20 to 19.
        limits: Soft and hard limit by name; `UNLIMITED` for none.
        most_files: What no process' nofile may exceed, ``fs.nr_open``.
        is_linux: The system has prctl(2).
    """

    uid: int
    gid: int
    groups: frozenset[int]
    capabilities: int
    cpus: frozenset[int] | None
    niceness: int
    limits: Mapping[str, tuple[int, int]]
    most_files: int = UNLIMITED
    is_linux: bool = True

    def has(self, capability: Capability) -> bool:
        """Whether a capability is in effect."""
        return bool(self.capabilities >> capability & 1)


def standing() -> Standing:
    """Return the standing of this process."""
    uid = os.geteuid()
    return Standing(
        uid=uid,
        gid=os.getegid(),
        groups=frozenset(os.getgroups()),
        capabilities=_capabilities(uid),
        cpus=frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        niceness=os.getpriority(os.PRIO_PROCESS, 0),
        limits={name: _limits(number) for name, number in LIMITS.items()},
        most_files=_most_files(),
        is_linux=os.uname().sysname == "Linux",
    )


def _capabilities(uid: int) -> int:
    """Read the effective capabilities; without /proc, root has all of them and others none."""
    with contextlib.suppress(OSError):
        found = re.search(
            r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text("utf-8"), re.MULTILINE
        )
        if found is not None:
            return int(found[1], 16)
    return 0 if uid else _EVERY_CAPABILITY


def _limits(number: int) -> tuple[int, int]:
    soft, hard = (
        UNLIMITED if value == resource.RLIM_INFINITY else value for value in resource.getrlimit(number)
    )
    return soft, hard


def _most_files() -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys/fs/nr_open").read_text("utf-8"))
    return UNLIMITED
