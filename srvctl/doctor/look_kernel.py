"""Reads what the kernel and the cgroup allow, from /proc and /sys below a root that tests replace."""

from __future__ import annotations

import os
import re
import resource
import sys
from typing import TYPE_CHECKING, Final

from srvctl.doctor.facts import Capacity, Kernel, Limits
from srvctl.ipc.topology import read_topology
from srvctl.supervisor.capacity import available
from srvctl.supervisor.cgroups import folders, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_NUMBER: Final = 19
_FIRST_FREE_PORT: Final = 1024
_HUGE_PAGES: Final = "sys/kernel/mm/transparent_hugepage/enabled"


def limits(root: Path) -> Limits:
    """Return what this process may use."""
    soft, hard = (
        None if value == resource.RLIM_INFINITY else value
        for value in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    most, now = min(_tasks(root), default=(None, 0))
    return Limits(files=soft, files_hard=hard, tasks=most, tasks_now=now)


def _tasks(root: Path) -> Iterator[tuple[int, int]]:
    """Yield how many tasks each cgroup above us allows, and has; those without a limit are left out."""
    for folder in (*folders(root, ""), *folders(root, "pids")):
        most = _number(read(folder / "pids.max"))
        if most is not None:
            yield most, _number(read(folder / "pids.current")) or 0


def capacity(root: Path) -> Capacity:
    """Return what there is to be used."""
    found = available(root)
    usable = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()
    return Capacity(
        affinity=found.affinity,
        quota=found.cpu_quota.value if found.cpu_quota else None,
        memory=int(found.memory.value) if found.memory else None,
        cpus=usable,
        topology=read_topology(usable, root),
    )


def kernel(root: Path) -> Kernel:
    """Return how the kernel is set."""
    sysctl = root / "proc/sys"
    own = root / "proc/self"
    first = _number(read(sysctl / "net/ipv4/ip_unprivileged_port_start"))
    chosen = re.search(r"\[(\w+)\]", read(root / _HUGE_PAGES))
    return Kernel(
        somaxconn=_number(read(sysctl / "net/core/somaxconn")),
        syn_backlog=_number(read(sysctl / "net/ipv4/tcp_max_syn_backlog")),
        first_free_port=_FIRST_FREE_PORT if first is None else first,
        overcommit=_number(read(sysctl / "vm/overcommit_memory")),
        huge_pages=chosen[1] if chosen else "",
        ptrace_scope=_number(read(sysctl / "kernel/yama/ptrace_scope")),
        tells_waiting=bool(read(own / "schedstat").strip()),
        tells_memory="Pss:" in read(own / "smaps_rollup"),
        tells_pressure=bool(read(root / "proc/pressure/cpu").strip()),
        is_linux=sys.platform.startswith("linux"),
    )


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None
