"""The table of comparison for the README, from the results of a run. Pure, but for the command at its end.

Between two markers the README has exactly what `block` returns for the results that are stored with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.errors import BenchmarkError
from benchmarks.tables import aligned
from benchmarks.whole.scales import figure

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.whole.values import Chart, Point, Results

BEGIN: Final = "<!-- benchmarks: made by `python -m benchmarks readme`, not by hand -->"
END: Final = "<!-- benchmarks: end -->"
REPORT: Final = "docs/benchmarks/report.md"
SERVERS: Final = ("srvctl", "uvicorn", "granian", "gunicorn", "hypercorn", "fastpysgi")
_NONE: Final = "-"


class _Line(NamedTuple):
    """A row of the table: which chart of which part it is from."""

    text: str
    part: str
    chart: str
    #: Which of the servers of that part stands for a server here, where they have more than one.
    stand_ins: tuple[tuple[str, str], ...] = ()


_UVICORN_SOCKETS: Final = (("uvicorn", "uvicorn-websockets-sansio"),)
_LINES: Final = (
    _Line("HTTP/1.1 hello, CPU µs/request", "http-hello", "cpu"),
    _Line("HTTP/1.1 hello, requests/s", "http-hello", "rate"),
    _Line("HTTP/1.1 hello, p99 ms at full load", "http-hello", "latency"),
    _Line("FastAPI JSON, CPU µs/request", "http-json", "cpu"),
    _Line("HTTP/2 hello, CPU µs/request", "http-http2", "cpu"),
    _Line("WebSocket echo, CPU µs/message", "ws-echo", "cpu", _UVICORN_SOCKETS),
    _Line("memory at rest, MiB", "memory", "rest"),
    _Line("reload under load, requests lost", "lifecycle-reload", "lost"),
    _Line("worker killed, lost beyond those in flight in it", "lifecycle-kill", "beyond"),
    _Line("stop under load, requests lost", "lifecycle-stop", "lost"),
)


def table(results: Results) -> str:
    """Return the table, with those servers and lines of which there are figures; empty if there are none."""
    found: dict[str, dict[str, str]] = {}
    for line in _LINES:
        entry = results.entries.get(line.part)
        chart = None if entry is None else entry.chart(line.chart)
        if chart is not None:
            found[line.text] = _cells(line, chart)
    servers = [name for name in SERVERS if any(name in cells for cells in found.values())]
    if not servers:
        return ""
    header = ["", *(f"{name} {_version(results, name)}".strip() for name in servers)]
    rows = [[text, *(cells.get(name, _NONE) for name in servers)] for text, cells in found.items()]
    return aligned(header, rows, left=1)


def block(results: Results) -> str:
    """Return what stands in the README, markers included."""
    machine = ", ".join(results.machine[name] for name in ("processor", "Python") if name in results.machine)
    cpus = results.machine.get("CPUs", "?")
    quick = " in a quick run" if results.settings.get("quick") else ""
    about = (
        f"One worker each, four where requests may be lost; medians{quick} on {cpus} CPUs ({machine}),"
        f" {results.began.partition(' ')[0]}. [The whole report]({REPORT}) has ranges, plots and every peer."
    )
    return f"{BEGIN}\n{table(results)}\n\n{about}\n{END}"


def inserted(text: str, made: str) -> str:
    """Return a text in which what is between the markers has been replaced.

    Raises:
        ValueError: The markers are not there, once and in this order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in behind:
        raise ValueError("The two markers are not there, once and in their order.")
    return f"{before}{made}{behind}"


def insert(path: Path, results: Results) -> None:
    """Put the table of some results into a file.

    Raises:
        BenchmarkError: It cannot be read or written, or has no markers.
    """
    try:
        text = path.read_text(encoding="utf-8")
        path.write_text(inserted(text, block(results)), encoding="utf-8")
    except OSError as error:
        raise BenchmarkError(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise BenchmarkError(
            f"{path} has no place for the table; write these lines there:\n{BEGIN}\n{END}"
        ) from error


def _cells(line: _Line, chart: Chart) -> dict[str, str]:
    rows = {row.name: row for row in chart.rows}
    cells = {}
    for server in SERVERS:
        row = rows.get(dict(line.stand_ins).get(server, server))
        if row is not None:
            cells[server] = _shown(_chosen(row.points))
    return cells


def _chosen(points: tuple[Point, ...]) -> Point:
    """Return the only point, or p99 of several."""
    return next((point for point in points if point.label == "p99"), points[0])


def _shown(point: Point) -> str:
    return point.text or figure(point.value)


def _version(results: Results, name: str) -> str:
    return results.versions.get(name, "").partition(" ")[0]
