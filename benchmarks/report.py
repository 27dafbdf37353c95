"""From what was measured to a table or JSON. Pure: prints nothing, reads no clock, asks no system.

Every figure of a round is summed up by its median; ratios are taken within a round, where both servers had
the same machine, and only then summed up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.results import Comparison, Round, ServerResult

_MIB = 1024 * 1024
_NONE = "-"
#: A load is disturbed when others took this share of the servers' CPU; a reader is warned beyond this share
#: of disturbed loads, and when a server's own figures are this much apart in relation to their median.
_BUSY_SHARE = 0.03
_BUSY_LOADS = 0.2
_UNSTEADY = 0.25


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of one figure over the rounds, and its extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Iterable[float | None]) -> Spread | None:
        """Sum up the figures that exist; None when none does."""
        known = [figure for figure in figures if figure is not None]
        return cls(median(known), min(known), max(known)) if known else None


@dataclass(frozen=True, slots=True)
class Summary:
    """One server's rounds in a few figures."""

    requests_per_second: Spread | None
    cpu_us_per_request: Spread | None
    cpu_ratio: Spread | None
    p50_ms: Spread | None
    p90_ms: Spread | None
    p99_ms: Spread | None
    p999_ms: Spread | None
    p99_ratio: Spread | None
    megabytes_per_second: Spread | None


def summarise(comparison: Comparison) -> dict[str, Summary]:
    """Return each server's figures, by its name."""
    baseline = comparison.plan.baseline
    base = next((result for result in comparison.results if result.name == baseline), None)
    return {
        result.name: Summary(
            requests_per_second=Spread.of(each.requests_per_second for each in result.rounds),
            cpu_us_per_request=Spread.of(each.cpu_us_per_request for each in result.rounds),
            cpu_ratio=Spread.of(ratios(base, result)),
            p50_ms=Spread.of(each.load.p50_ms for each in result.rounds),
            p90_ms=Spread.of(each.load.p90_ms for each in result.rounds),
            p99_ms=Spread.of(each.load.p99_ms for each in result.rounds),
            p999_ms=Spread.of(each.load.p999_ms for each in result.rounds),
            p99_ratio=Spread.of(ratios(base, result, _p99)),
            megabytes_per_second=Spread.of(each.megabytes_per_second for each in result.rounds),
        )
        for result in comparison.results
    }


def _cpu(each: Round) -> float | None:
    return each.cpu_us_per_request


def _p99(each: Round) -> float | None:
    return each.load.p99_ms


def ratios(
    base: ServerResult | None, result: ServerResult, figure: Callable[[Round], float | None] = _cpu
) -> list[float]:
    """Return base ÷ result of a figure, for each round both of them took part in."""
    if base is None:
        return []
    of_base = {each.number: figure(each) for each in base.rounds}
    pairs = [(of_base.get(each.number), figure(each)) for each in result.rounds]
    return [ours / theirs for ours, theirs in pairs if ours is not None and theirs]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return everything measured and its summary, for a JSON file."""
    whole = asdict(comparison)
    summaries = summarise(comparison)
    for result in whole["results"]:
        result["summary"] = asdict(summaries[result["name"]])
    whole["baseline"] = comparison.plan.baseline
    return whole


def text(comparison: Comparison) -> str:
    """Return the heading, the table and its footnotes, as Markdown that reads well in a terminal too."""
    blocks = [heading(comparison)]
    if comparison.results:
        blocks.append(_table(comparison))
    blocks.append(notes(comparison))
    return "\n\n".join(block for block in blocks if block)


def heading(comparison: Comparison) -> str:
    """Return what was done, and on what machine."""
    plan = comparison.plan
    machine = ", ".join(f"{name} {value}" for name, value in comparison.machine.items())
    apart = "on a CPU each" if plan.pinned else "share the CPUs"
    return (
        f"{plan.workload}: {plan.rounds} interleaved rounds of {plan.seconds:g} s,"
        f" {plan.connections} connections, one worker, server and {plan.client} {apart}\n{machine}"
    )


def _table(comparison: Comparison) -> str:
    summaries = summarise(comparison)
    baseline = comparison.plan.baseline
    columns: dict[str, Callable[[ServerResult, Summary], str]] = {
        "server": lambda result, _: result.name,
        "version": lambda result, _: result.version,
        "req/s": lambda _, summary: number(summary.requests_per_second, ",.0f"),
        "CPU µs/req": lambda _, summary: number(summary.cpu_us_per_request, ".1f"),
        f"{baseline} ÷ this": lambda _, summary: number(summary.cpu_ratio, ".2f"),
        "min to max": lambda _, summary: span(summary.cpu_ratio),
        "p99 ms": lambda _, summary: number(summary.p99_ms, ".1f"),
        "p99 ÷": lambda _, summary: number(summary.p99_ratio, ".2f"),
        "MB/s": lambda _, summary: number(summary.megabytes_per_second, ",.0f"),
        "PSS MiB": lambda result, _: f"{result.footprint.pss_bytes / _MIB:.1f}",
        "root PSS": lambda result, _: f"{result.footprint.root_pss_bytes / _MIB:.1f}",
        "alone MiB": lambda result, _: f"{result.footprint.alone_bytes / _MIB:.1f}",
        "idle ms/s": lambda result, _: _idle(result.footprint.idle_ms_per_second),
        "root idle": lambda result, _: _idle(result.footprint.root_idle_ms_per_second),
        "errors": lambda result, _: str(result.errors.total),
    }
    rows = [
        [cell(result, summaries[result.name]) for cell in columns.values()] for result in comparison.results
    ]
    return aligned(list(columns), rows, left=2)


def notes(comparison: Comparison) -> str:
    """Return what a reader has to know before believing the table."""
    lines = [
        f"ERRORS under load, its figures do not count: {result.name}: {result.errors}"
        for result in comparison.results
        if result.errors.total
    ]
    lines += _besides(comparison)
    lines += _disturbance(comparison)
    lines += [f"left out: {name}: {reason}" for name, reason in comparison.left_out.items()]
    lines += [f"{result.name}: {_companions(result)}" for result in comparison.results if result.companions]
    return "\n".join(f"- {line}" for line in lines)


def _besides(comparison: Comparison) -> list[str]:
    """Return notes on the pairs that the comparison is about, and on how far away nginx is."""
    results = {result.name: result for result in comparison.results}
    pairs = [(result, result.beside) for result in comparison.results if result.beside is not None]
    if "nginx" in results and "srvctl" in results:
        pairs.append((results["srvctl"], "nginx"))
    notes = []
    for result, name in pairs:
        ratio = Spread.of(ratios(results.get(name), result))
        if ratio is not None:
            more = 1 / ratio.median
            notes.append(
                f"{result.name} takes {more:.2f} times the CPU of {name} ({more - 1:+.1%});"
                f" {1 / ratio.high:.2f} to {1 / ratio.low:.2f} in single rounds"
            )
    return notes


def _disturbance(comparison: Comparison) -> list[str]:
    """Return notes on how far the machine can be trusted, as far as that can be seen from inside."""
    notes = []
    shares = [each.others_share for result in comparison.results for each in result.rounds]
    known = [share for share in shares if share is not None]
    if known:
        disturbed = sum(share > _BUSY_SHARE for share in known)
        mark = "BUSY MACHINE, repeat on a quiet one: " if disturbed > _BUSY_LOADS * len(known) else ""
        notes.append(
            f"{mark}other processes took over {_BUSY_SHARE:.0%} of the servers' CPU"
            f" in {disturbed} of {len(known)} loads, {max(known):.0%} at most"
        )
    for name, summary in summarise(comparison).items():
        cpu = summary.cpu_us_per_request
        if cpu is not None and cpu.high - cpu.low > _UNSTEADY * cpu.median:
            notes.append(
                f"UNSTEADY: {name} took {cpu.low:.1f} to {cpu.high:.1f} µs/{comparison.plan.unit};"
                " mind the range"
            )
    return notes


def _companions(result: ServerResult) -> str:
    return ", ".join(f"{name} {found or 'not installed'}" for name, found in result.companions.items())


def number(spread: Spread | None, form: str) -> str:
    """Return the median in some form, or a dash."""
    return _NONE if spread is None else format(spread.median, form)


def span(spread: Spread | None) -> str:
    """Return the least and the greatest figure, or a dash."""
    return _NONE if spread is None else f"{spread.low:.2f} to {spread.high:.2f}"


def _idle(milliseconds: float | None) -> str:
    return _NONE if milliseconds is None else f"{milliseconds:.2f}"
