"""From what each kind of part measured to charts. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from benchmarks.lifecycle.outcome import NEVER, shown
from benchmarks.report import Spread, summarise
from benchmarks.servers import SERVERS
from benchmarks.whole.values import Chart, Point, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.lifecycle.outcome import Figure, Outcome
    from benchmarks.lifecycle.report import Results as Books
    from benchmarks.lifecycle.scenario import Scenario
    from benchmarks.memory import Measured as Memories
    from benchmarks.report import Summary
    from benchmarks.results import Comparison
    from benchmarks.whole.values import Entry
    from benchmarks.ws.idle import Measured as Idles

_MIB: Final = 1024 * 1024
_KIB: Final = 1024
_RANGE: Final = "Bars are medians of the rounds, lines reach from the least to the greatest."
_COUNTED: Final = {"msg": "messages", "req": "requests"}
_DRAWN_UNITS: Final = ("s", "ms")
_LOST: Final = "lost"
#: What a server may lose at a fault, by key of its figure; of several in one scenario the first is its mark.
_LOSSES: Final = ("beyond", "harmed", _LOST)


def of_comparison(comparison: Comparison) -> tuple[Chart, ...]:
    """Return rate, CPU, latencies and memory of servers under one load, the best of each first."""
    summaries = summarise(comparison)
    unit = comparison.plan.unit
    what = _COUNTED[unit]
    fixed = [name for name in summaries if name in SERVERS and SERVERS[name].is_fixed]
    about = f"{_RANGE} No application: {', '.join(fixed)}." if fixed else _RANGE
    rate = {name: one.requests_per_second for name, one in summaries.items()}
    cpu = {name: one.cpu_us_per_request for name, one in summaries.items()}
    drawn = [
        _bars("cpu", f"CPU for each {what[:-1]}", f"µs/{unit}", f"Less is better. {about}", cpu),
        _bars("rate", f"{what.capitalize()} a second", f"{unit}/s", f"More is better. {about}", rate, -1),
        _latencies(summaries),
        Chart(
            key="pss",
            title="Memory of all processes after the load",
            unit="MiB PSS",
            about="Less is better. Files are divided among all servers that stand beside each other here.",
            rows=_sorted(
                Row(each.name, (Point("", each.footprint.pss_bytes / _MIB),)) for each in comparison.results
            ),
        ),
    ]
    return tuple(chart for chart in drawn if chart.rows)


def of_memory(measured: Memories) -> tuple[Chart, ...]:
    """Return memory at rest, and with idle connections."""
    about = "Less is better. Each server had the machine to itself."
    rest = _sorted(Row(each.name, (Point("", each.at_rest / _MIB),)) for each in measured.results)
    idle = _sorted(Row(each.name, (Point("", each.idle / _MIB),)) for each in measured.results)
    more = f"More memory with {measured.connections:,} idle connections"
    drawn = (
        Chart("rest", "Memory of all processes at rest", "MiB PSS", about, rest),
        Chart("idle", more, "MiB PSS", about, idle),
    )
    return tuple(chart for chart in drawn if chart.rows)


def of_idle(measured: Idles) -> tuple[Chart, ...]:
    """Return memory of an idle WebSocket."""
    rows = _sorted(Row(each.name, (Point("", each.each / _KIB),)) for each in measured.results)
    about = "Less is better. Each server had the machine to itself."
    return (Chart("idle", "Memory of an idle WebSocket", "KiB PSS", about, rows),) if rows else ()


def of_books(books: Books) -> tuple[Chart, ...]:
    """Return what was lost by each server, and how long each took, in scenarios with faults."""
    drawn = []
    for scenario in books.scenarios:
        for figure in scenario.figures:
            if figure.key not in _LOSSES and figure.unit not in _DRAWN_UNITS:
                continue
            rows = _of_scenario(books, scenario, figure)
            if rows:
                about = "Less is better; 0 is what one wants." if figure.key in _LOSSES else "Less is better."
                title = f"{scenario.name}: {figure.text}"
                unit = figure.unit or "requests"
                drawn.append(Chart(figure.key, title, unit, about, rows))
    return tuple(drawn)


def faults(entries: Iterable[Entry]) -> Chart | None:
    """Return one chart of the lost requests of all faults; None if there are none of either."""
    rows: list[Row] = []
    for entry in entries:
        chart = next(filter(None, map(entry.chart, _LOSSES)), None)
        if chart is not None:
            group = chart.title.removesuffix(": requests lost")
            rows += [Row(row.name, row.points, group) for row in chart.rows]
    if not rows:
        return None
    about = "Requests without a right answer, of all that were due. Less is better; 0 is what one wants."
    return Chart("faults", "Requests lost by fault", "requests", about, tuple(rows))


def _bars(
    key: str, title: str, unit: str, about: str, spreads: Mapping[str, Spread | None], sign: int = 1
) -> Chart:
    rows = (
        Row(name, (Point("", spread.median, spread.low, spread.high),))
        for name, spread in spreads.items()
        if spread is not None
    )
    return Chart(key, title, unit, about, _sorted(rows, sign))


def _latencies(summaries: Mapping[str, Summary]) -> Chart:
    rows = []
    for name, one in summaries.items():
        spreads = {"p50": one.p50_ms, "p90": one.p90_ms, "p99": one.p99_ms, "p99.9": one.p999_ms}
        points = tuple(
            Point(label, spread.median, spread.low, spread.high)
            for label, spread in spreads.items()
            if spread is not None
        )
        if len(points) > 1:
            rows.append(Row(name, points))
    about = (
        "Less is better. Marks are p50 (disc), p90 (diamond), p99 (triangle) and p99.9 (square), medians of"
        " the rounds at full load; bands reach from the least to the greatest; the axis is logarithmic."
    )
    return Chart("latency", "Latency", "ms", about, _sorted(rows), is_logarithmic=True)


def _of_scenario(books: Books, scenario: Scenario, figure: Figure) -> tuple[Row, ...]:
    rows = []
    for name in books.versions:
        outcome = books.outcomes.get((scenario.name, name))
        if outcome is not None and figure.key in outcome.values:
            rows.append((name, outcome))
    amounts = [outcome.values[figure.key].amount for _, outcome in rows]
    top = max((amount for amount in amounts if amount < NEVER), default=1.0) or 1.0
    return tuple(Row(name, (_of_outcome(outcome, figure, top),)) for name, outcome in rows)


def _of_outcome(outcome: Outcome, figure: Figure, top: float) -> Point:
    """Return one point; what never happened is drawn as long as the longest that did."""
    value = outcome.values[figure.key]
    text = shown(value, figure.unit)
    if not outcome.is_valid:
        text += " (invalid: the load was late)"
    return Point("", top if math.isinf(value.amount) else value.amount, text=text)


def _sorted(rows: Iterable[Row], sign: int = 1) -> tuple[Row, ...]:
    def first(row: Row) -> float:
        points: Sequence[Point] = row.points
        return sign * points[0].value

    return tuple(sorted(rows, key=first))
