"""From what was measured to a table with its mark. Pure: prints nothing, reads no clock, asks no system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report import Spread, heading, notes, number, ratios, span, summarise
from benchmarks.tables import aligned
from benchmarks.ws.servers import OURS, is_peer

if TYPE_CHECKING:
    from benchmarks.results import Comparison, ServerResult

_MIB = 1024 * 1024
_HEADER = [
    "server",
    "version",
    "msg/s",
    "CPU µs/msg",
    f"this ÷ {OURS}",
    "min to max",
    "bytes/msg",
    "PSS MiB",
    "errors",
]


def text(comparison: Comparison, mark: float | None) -> str:
    """Return the heading, the table, whether the mark is reached, and notes."""
    blocks = [heading(comparison)]
    if comparison.results:
        blocks.append(_table(comparison))
    blocks += [verdict(comparison, mark), notes(comparison)]
    return "\n\n".join(block for block in blocks if block)


def verdict(comparison: Comparison, mark: float | None) -> str:
    """Return srvctl beside the peer that takes the least CPU, and what that is to the mark."""
    results = {result.name: result for result in comparison.results}
    peers = [result for name, result in results.items() if is_peer(name)]
    if OURS not in results or not peers:
        return f"no mark: there is no {OURS}, or no peer, to compare"
    best = min(peers, key=_cpu)
    ratio = Spread.of(ratios(best, results[OURS]))
    if ratio is None:
        return "no mark: they have no round in common"
    found = f"best peer: {best.name}, {ratio.median:.2f} times the CPU of {OURS} ({span(ratio)})"
    if mark is None:
        return found
    return f"{found}; mark {mark:g}: {'reached' if ratio.median >= mark else 'missed'}"


def _cpu(result: ServerResult) -> float:
    spread = Spread.of(each.cpu_us_per_request for each in result.rounds)
    return float("inf") if spread is None else spread.median


def _table(comparison: Comparison) -> str:
    summaries = summarise(comparison)
    ours = next((result for result in comparison.results if result.name == OURS), None)
    rows = []
    for result in comparison.results:
        summary = summaries[result.name]
        ratio = None if ours is None else Spread.of(ratios(result, ours))
        size = Spread.of(each.load.received_bytes / each.load.requests for each in result.rounds)
        rows.append(
            [
                result.name,
                result.version,
                number(summary.requests_per_second, ",.0f"),
                number(summary.cpu_us_per_request, ".1f"),
                number(ratio, ".2f"),
                span(ratio),
                number(size, ",.0f"),
                f"{result.footprint.pss_bytes / _MIB:.1f}",
                str(result.errors.total),
            ]
        )
    return aligned(_HEADER, rows, left=2)
