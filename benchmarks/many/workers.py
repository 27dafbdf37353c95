"""What each further worker costs the master: time, CPU, memory, descriptors. Flat where it is linear."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from benchmarks import usage
from benchmarks.many.instance import Instance
from benchmarks.many.master import cpu_seconds, look
from benchmarks.tables import aligned
from srvctl.ipc.control import Command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.many.master import Look

_SETTLE_SECONDS: Final = 2.0
_ASKS: Final = 40
_RUNS: Final = 5
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Cost:
    """What a master with so many workers costs; seconds, and CPU seconds of the master where it says so.

    Attributes:
        workers: How many.
        start: From the command until all serve.
        start_cpu: Of the master, for that.
        idle_cpu: In a second in which nothing is asked: the looks at the boards.
        status_cpu: For one answer to ``status``.
        metrics_cpu: For one answer to ``metrics``, which a scrape asks for.
        identify_cpu: For the shortest answer there is: what the connection itself costs.
        status_command: All of ``srvctl status``: median of some.
        reload: From asking until all serve new code.
        reload_cpu: Of the master, for that.
        whole_pss: Memory of all processes.
        master: What the master has.
    """

    workers: int
    start: float
    start_cpu: float
    idle_cpu: float
    status_cpu: float
    metrics_cpu: float
    identify_cpu: float
    status_command: float
    reload: float
    reload_cpu: float
    whole_pss: int
    master: Look

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def measure(counts: Sequence[int], idle_seconds: float, progress: Callable[[str], None]) -> list[Cost]:
    """Measure one instance after the other."""
    costs = []
    for count in counts:
        costs.append(_measure(count, idle_seconds))
        progress(f"{count} workers: {_row(costs[-1])}")
    return costs


def _measure(count: int, idle_seconds: float) -> Cost:
    with Instance(count) as instance:
        start_cpu = cpu_seconds(instance.root)
        time.sleep(_SETTLE_SECONDS)
        before, since = cpu_seconds(instance.root), time.monotonic()
        time.sleep(idle_seconds)
        idle = (cpu_seconds(instance.root) - before) / (time.monotonic() - since)
        master, whole = look(instance.root), usage.pss_bytes(usage.tree(instance.root))
        status, metrics, identify = (
            _cpu_of(instance, command) for command in (Command.STATUS, Command.METRICS, Command.IDENTIFY)
        )
        command = median(instance.command_seconds("status") for _ in range(_RUNS))
        before = cpu_seconds(instance.root)
        reload = instance.reload()
        reload_cpu = cpu_seconds(instance.root) - before
    return Cost(
        workers=count,
        start=instance.start_seconds,
        start_cpu=start_cpu,
        idle_cpu=idle,
        status_cpu=status,
        metrics_cpu=metrics,
        identify_cpu=identify,
        status_command=command,
        reload=reload,
        reload_cpu=reload_cpu,
        whole_pss=whole,
        master=master,
    )


def _cpu_of(instance: Instance, command: Command) -> float:
    before = cpu_seconds(instance.root)
    for _ in range(_ASKS):
        instance.ask(command)
    return (cpu_seconds(instance.root) - before) / _ASKS


_HEADER: Final = [
    "workers",
    "start s",
    "CPU ms",
    "idle ms/s",
    "status ms",
    "metrics ms",
    "identify ms",
    "srvctl status ms",
    "reload s",
    "CPU ms",
    "RSS MiB",
    "PSS MiB",
    "files",
    "threads",
    "all PSS MiB",
]


def _row(cost: Cost) -> list[str]:
    master = cost.master
    return [
        str(cost.workers),
        f"{cost.start:.2f}",
        f"{cost.start_cpu * 1e3:.0f}",
        f"{cost.idle_cpu * 1e3:.2f}",
        f"{cost.status_cpu * 1e3:.2f}",
        f"{cost.metrics_cpu * 1e3:.2f}",
        f"{cost.identify_cpu * 1e3:.2f}",
        f"{cost.status_command * 1e3:.0f}",
        f"{cost.reload:.2f}",
        f"{cost.reload_cpu * 1e3:.0f}",
        f"{master.rss / _MIB:.1f}",
        f"{master.pss / _MIB:.1f}",
        str(master.fds),
        str(master.threads),
        f"{cost.whole_pss / _MIB:.0f}",
    ]


def text(costs: Sequence[Cost]) -> str:
    """Return the table, and what each further worker costs from each row to the next."""
    table = aligned(_HEADER, [_row(cost) for cost in costs], left=0)
    slopes = (_slope(less, more) for less, more in pairwise(costs))
    return "\n".join(["the master by the number of its workers", "", table, "", *slopes])


def _slope(less: Cost, more: Cost) -> str:
    number = more.workers - less.workers
    return (
        f"each worker from {less.workers} to {more.workers}: "
        f"start {(more.start - less.start) / number * 1e3:.0f} ms, "
        f"idle {(more.idle_cpu - less.idle_cpu) / number * 1e6:.0f} µs/s, "
        f"status {(more.status_cpu - less.status_cpu) / number * 1e6:.0f} µs, "
        f"metrics {(more.metrics_cpu - less.metrics_cpu) / number * 1e6:.0f} µs, "
        f"reload {(more.reload - less.reload) / number * 1e3:.0f} ms "
        f"({(more.reload_cpu - less.reload_cpu) / number * 1e3:.2f} ms CPU), "
        f"RSS {(more.master.rss - less.master.rss) / number / 1024:.0f} KiB, "
        f"files {(more.master.fds - less.master.fds) / number:.1f}"
    )
