"""The workers as lines of ``srvctl top``: which columns fit, in which order, and in what colours. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.cli.quantities import count, latency, rate, share, short_duration, short_size
from srvctl.cli.screen.lines import Column, column_widths, fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srvctl.cli.screen.figures import Traffic, WorkerFigures
    from srvctl.cli.screen.lines import Line, Piece

_COLUMNS: Final = (
    Column("SLOT", 100),
    Column("PID", 80),
    Column("STATE", 90, is_words=True),
    Column("GEN", 10),
    Column("UPTIME", 30),
    Column("CPU", 75),
    Column("PSS", 65),
    Column("REQ/S", 85),
    Column("P50", 40),
    Column("P99", 70),
    Column("IN FLIGHT", 60),
    Column("CONN", 20),
    Column("LAG", 50),
)
#: What workers can be sorted by, in the order of the key: the column, and what is largest comes first.
SORTS: Final[Mapping[str, Callable[[WorkerFigures], float]]] = {
    "SLOT": lambda worker: -worker.slot,
    "CPU": lambda worker: worker.cpu,
    "PSS": lambda worker: worker.pss or 0,
    "REQ/S": lambda worker: worker.traffic.requests if worker.traffic else 0,
    "P99": lambda worker: (worker.traffic.p99 or 0) if worker.traffic else 0,
    "LAG": lambda worker: worker.lag,
}
#: Of the states of instances and workers.
COLORS: Final[Mapping[str, str]] = {
    "running": "green",
    "ready": "green",
    "forking": "cyan",
    "booting": "cyan",
    "leaving": "yellow",
    "stopping": "yellow",
    "draining": "yellow",
    "hung": "bold red",
    "dying": "red",
}


def table(workers: Sequence[WorkerFigures], sort: str, width: int) -> list[Line]:
    """Return the lines: a head, and one for each worker.

    Args:
        workers: All of them.
        sort: One of `SORTS`.
        width: What there is room for; less important columns are left out.
    """
    found = sorted(workers, key=lambda worker: (-SORTS[sort](worker), worker.slot))
    rows = [_cells(worker) for worker in found]
    kept, gap = fitted(_COLUMNS, rows, width)
    widths = column_widths(_COLUMNS, rows)
    names = [column.name for column in _COLUMNS]

    def line(cells: Sequence[str], style: Mapping[str, str], usual: str = "") -> Line:
        pieces: list[Piece] = []
        for place in kept:
            column, cell = _COLUMNS[place], cells[place]
            aligned = cell.ljust(widths[place]) if column.is_words else cell.rjust(widths[place])
            pieces += [(aligned, style.get(column.name, usual)), (" " * gap, "")]
        return tuple(pieces[:-1])

    lines = [line(names, {sort: "bold underline"}, "bold")]
    for worker, cells in zip(found, rows, strict=True):
        styled = line(cells, {"STATE": COLORS.get(worker.state, "")})
        lines.append((*styled, (f"  {worker.leaves_because}", "yellow")) if worker.leaves_because else styled)
    return lines if rows else [(("no workers", "yellow"),)]


def _cells(worker: WorkerFigures) -> tuple[str, ...]:
    return (
        str(worker.slot),
        str(worker.pid or "-"),
        worker.state,
        str(worker.generation),
        short_duration(worker.uptime),
        share(worker.cpu),
        short_size(worker.pss) if worker.pss else "-",
        rate_of(worker.traffic, "requests"),
        time_of(worker.traffic, "p50"),
        time_of(worker.traffic, "p99"),
        count(worker.in_flight),
        count(worker.connections),
        latency(worker.lag),
    )


def rate_of(traffic: Traffic | None, what: str) -> str:
    """Return how often in a second, or a dash where it is not known yet."""
    return "-" if traffic is None else rate(getattr(traffic, what))


def time_of(traffic: Traffic | None, what: str) -> str:
    """Return how long, or a dash where nothing was answered."""
    seconds = None if traffic is None else getattr(traffic, what)
    return "-" if seconds is None else latency(seconds)


def shortened(lines: list[Line], room: int) -> list[Line]:
    """Return a table with no more lines than that; says how many are not shown."""
    if len(lines) <= room:
        return lines
    if room <= 1:
        return lines[: max(room, 0)]
    return [*lines[: room - 1], ((f"... and {len(lines) - room + 1} more; s sorts them otherwise", "dim"),)]
