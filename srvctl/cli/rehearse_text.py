"""What ``srvctl rehearse`` prints: a table for people, an object for programs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import printable
from srvctl.rehearse.judging import as_json, failed, remark

if TYPE_CHECKING:
    from srvctl.rehearse.judging import Result
    from srvctl.rehearse.rehearsal import Report
    from srvctl.rehearse.wishes import Wishes

_HEAD: Final = ("ACT", "SECONDS", "REQUESTS", "LOST", "LATE", "FAILED", "p50", "p99", "MAX", "BACK", "NOTE")
_WORDS: Final = frozenset({_HEAD.index("ACT"), _HEAD.index("NOTE")})
_BAR: Final = 20
_NOTHING: Final = "-"


def as_table(report: Report) -> str:
    """Return the table, the remarks and the verdict."""
    baseline = report.verdict.baseline
    rows = [_HEAD, *(_row(result, baseline) for result in report.results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in _WORDS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    many = "1 worker" if report.workers == 1 else f"{report.workers} workers"
    title = f"{many}; {report.asked}"
    doubts = [f"Doubtful: {doubt}." for doubt in report.verdict.doubts]
    return "\n".join(
        ["", title, "", *lines, "", *_remarks(report), _lag(report), *doubts, report.verdict.sentence]
    )


def as_object(report: Report, wishes: Wishes) -> dict[str, Any]:
    """Return all numbers; times in seconds."""
    limits = wishes.limits
    return {
        "ok": not report.verdict.broken,
        "verdict": report.verdict.sentence,
        "broken": list(report.verdict.broken),
        "doubts": list(report.verdict.doubts),
        "workers": report.workers,
        "notes": list(report.notes),
        "load": {"rate": wishes.rate, "connections": wishes.connections, "paths": list(wishes.paths)},
        "limits": {
            "lost": limits.lost,
            "failed": limits.failed,
            "late": limits.late,
            "late_after": wishes.late_after,
            "p99": limits.p99,
        },
        "failing_anyway": sorted(report.verdict.baseline),
        "acts": [as_json(result, report.verdict.baseline) for result in report.results],
        "log": report.log.splitlines() if report.verdict.broken else [],
    }


def in_one_line(result: Result) -> str:
    """Return the line that tells how an act has ended."""
    if result.obstacle:
        return f"{result.act:10}  not tried: {result.obstacle}"
    tally = result.tally
    counts = f"{tally.due} requests, {tally.lost} lost, {tally.late} late" if tally is not None else ""
    problem = f"; {printable(result.problem)}" if result.problem else ""
    return f"{result.act:10}  {result.seconds:5.1f} s  {counts}{problem}"


def bar(what: str, seconds: float) -> str:
    """Return a line that shows that something goes on."""
    place = int(seconds * 10) % (2 * _BAR)
    place = place if place < _BAR else 2 * _BAR - 1 - place
    return f"{what:10}  {seconds:5.1f} s  [{'.' * place}#{'.' * (_BAR - 1 - place)}]"


def harmless(text: str) -> str:
    """Return a text of several lines as a terminal may show it."""
    return "\n".join(printable(line) for line in text.expandtabs().splitlines())


def _row(result: Result, baseline: frozenset[str]) -> tuple[str, ...]:
    tally = result.tally
    if tally is None:
        nothing = [_NOTHING] * (len(_HEAD) - 2)
        return (result.act.value, *nothing, f"not tried: {result.obstacle}")
    notes = [*([result.problem] if result.problem else []), *result.notes]
    if tally.lost > result.excused:
        notes.append(_reasons(tally.reasons))
    return (
        result.act.value,
        f"{result.seconds:.1f}",
        str(tally.due),
        str(tally.lost),
        str(tally.late),
        str(failed(tally, baseline)),
        _time(tally.latency.percentile(50)),
        _time(tally.latency.percentile(99)),
        _time(tally.latency.most if tally.answered else None),
        _time(result.back),
        printable("; ".join(notes)),
    )


def _reasons(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in reasons.items())


def _time(seconds: float | None) -> str:
    """Return a time with its unit: ``3 ms``, ``1.24 s``."""
    if seconds is None:
        return _NOTHING
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _remarks(report: Report) -> list[str]:
    baseline = report.verdict.baseline
    for result in report.results:
        said = remark(result.tally, baseline) if result.tally is not None else ""
        if said:
            return [f"{said[0].upper()}{said[1:]}"]
    return []


def _lag(report: Report) -> str:
    tallies = [result.tally for result in report.results if result.tally is not None and result.tally.due]
    if not tallies:
        return "There was no load."
    p99 = max(tally.lag.percentile(99) or 0.0 for tally in tallies)
    most = max(tally.lag.most for tally in tallies)
    return f"The load's own delay was {_time(p99)} (p99 of the worst act) and {_time(most)} at most."
