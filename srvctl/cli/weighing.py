"""Adds to what a master says of its workers what it does not say itself: how much memory they have.

The kernel has to walk through all the pages of a process for it, which would hold the master up. So whoever
wants to know asks the kernel, in a process that has the time, and for no longer than it wants to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from srvctl.ipc.memory import pss

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from srvctl.cli.instances import Master


def is_near(master: Master) -> bool:
    """Return whether the pids that a master speaks of are those of the same processes here.

    It has another pid in its own container: the kernel translates the one and not the other
    (pid_namespaces(7), unix(7) on SO_PEERCRED).
    """
    return 0 < master.connection.peer == master.about.get("pid")


class Scales:
    """Weighs processes again and again, those first whose weight is the oldest."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, int | None]] = {}

    def weigh(self, pids: Collection[int], seconds: float) -> Mapping[int, int | None]:
        """Return the memory of processes, in bytes; None or nothing for those of which it is not known.

        Args:
            pids: The processes.
            seconds: How long it may take: what cannot be weighed in that time keeps the weight it had.
        """
        until = time.monotonic() + seconds
        self._known = {pid: known for pid, known in self._known.items() if pid in pids}
        for pid in sorted(pids, key=lambda pid: self._known.get(pid, (0.0, None))[0]):
            now = time.monotonic()
            if now >= until:
                break
            self._known[pid] = (now, pss(pid))
        return {pid: size for pid, (_, size) in self._known.items()}


def weighed(values: Mapping[str, Any], master: Master, scales: Scales, seconds: float) -> dict[str, Any]:
    """Return a status, or metrics, with ``pss`` of each worker: None where it cannot be known.

    Args:
        values: What the master says.
        master: Who says it.
        scales: With them.
        seconds: For no longer than this.
    """
    workers = values.get("workers")
    if not isinstance(workers, list):
        return dict(values)
    pids = {pid for worker in workers if isinstance(pid := _pid(worker), int)}
    sizes = scales.weigh(pids, seconds) if is_near(master) else {}
    found = [
        {**worker, "pss": sizes.get(_pid(worker) or 0)} if isinstance(worker, dict) else worker
        for worker in workers
    ]
    return {**values, "workers": found}


def _pid(worker: object) -> int | None:
    pid = worker.get("pid") if isinstance(worker, dict) else None
    return pid if type(pid) is int and pid > 0 else None
