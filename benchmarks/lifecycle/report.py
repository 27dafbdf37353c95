"""From outcomes to a table or JSON. Pure."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.lifecycle.outcome import Verdict, shown, shown_mark, verdict
from benchmarks.lifecycle.servers import OURS
from benchmarks.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.lifecycle.outcome import Figure, Outcome
    from benchmarks.lifecycle.scenario import Pace, Scenario


@dataclass(frozen=True, slots=True)
class Results:
    """All that was measured.

    Attributes:
        pace: How much of everything.
        machine: Facts about it.
        versions: Of each server that takes part.
        scenarios: Those that were run.
        outcomes: By names of scenario and server; an entry is missing where a server cannot take part.
        failures: Why there is no outcome, by the same names.
        left_out: Servers that are not there, and why.
    """

    pace: Pace
    machine: dict[str, str]
    versions: dict[str, str]
    scenarios: tuple[Scenario, ...]
    outcomes: Mapping[tuple[str, str], Outcome]
    failures: Mapping[tuple[str, str], str]
    left_out: dict[str, str]

    def verdict(self, scenario: Scenario, figure: Figure) -> Verdict:
        """Return what is to be said of srvctl."""
        at = (scenario.name, OURS)
        if at in self.outcomes:
            return verdict(figure, self.outcomes[at])
        return Verdict.FAIL if at in self.failures and figure.mark is not None else Verdict.NONE

    @property
    def has_failed(self) -> bool:
        """Whether srvctl misses a mark."""
        return any(
            self.verdict(scenario, figure) is Verdict.FAIL
            for scenario in self.scenarios
            for figure in scenario.figures
        )


def text(results: Results) -> str:
    """Return heading, table and notes, as Markdown that reads well in a terminal too."""
    pace = results.pace
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    versions = ", ".join(f"{name} {found}" for name, found in results.versions.items())
    servers = list(results.versions)
    peers = [name for name in servers if name != OURS]
    ours = [OURS] if OURS in servers else []
    header = ["scenario", "figure", "mark", *ours, *(["verdict"] if ours else []), *peers]
    rows = []
    for scenario in results.scenarios:
        for number, figure in enumerate(scenario.figures):
            row = ["" if number else scenario.name, figure.text, shown_mark(figure)]
            row += [_cell(results, scenario, figure, name) for name in ours]
            row += [str(results.verdict(scenario, figure))] if ours else []
            row += [_cell(results, scenario, figure, name) for name in peers]
            rows.append(row)
    heading = (
        f"lifecycle: {pace.rate:g} requests/s from {pace.kept} kept connections and {pace.fresh} clients that"
        f" open one for each\n{machine}\n{versions}"
    )
    return "\n\n".join(block for block in (heading, aligned(header, rows, left=2), _notes(results)) if block)


def _cell(results: Results, scenario: Scenario, figure: Figure, server: str) -> str:
    at = (scenario.name, server)
    if at in results.failures:
        return "failed"
    outcome = results.outcomes.get(at)
    cell = shown(None if outcome is None else outcome.values.get(figure.key), figure.unit)
    return f"({cell})" if outcome is not None and not outcome.is_valid else cell


def _notes(results: Results) -> str:
    lines = [f"{scenario}, {server}: failed: {why}" for (scenario, server), why in results.failures.items()]
    for (scenario, server), outcome in results.outcomes.items():
        if not outcome.is_valid:
            lines.append(f"{scenario}, {server}: INVALID: the load did not keep its times")
        lines += [f"{scenario}, {server}: {remark}" for remark in outcome.remarks]
    lines += [f"left out: {name}: {reason}" for name, reason in results.left_out.items()]
    return "\n".join(f"- {line}" for line in lines)


def as_json(results: Results) -> dict[str, Any]:
    """Return all of it for a JSON file; what never happened is null there."""
    return {
        "pace": asdict(results.pace),
        "machine": results.machine,
        "versions": results.versions,
        "left_out": results.left_out,
        "scenarios": [_scenario_json(results, scenario) for scenario in results.scenarios],
    }


def _scenario_json(results: Results, scenario: Scenario) -> dict[str, Any]:
    servers: dict[str, Any] = {}
    for name in results.versions:
        at = (scenario.name, name)
        if at in results.failures:
            servers[name] = {"failed": results.failures[at]}
        elif at in results.outcomes:
            outcome = results.outcomes[at]
            values = {
                key: {"amount": None if math.isinf(value.amount) else value.amount, "of": value.of}
                for key, value in outcome.values.items()
            }
            servers[name] = {"values": values, "valid": outcome.is_valid, "remarks": outcome.remarks}
    figures = [
        {**asdict(figure), "verdict": str(results.verdict(scenario, figure))} for figure in scenario.figures
    ]
    return {"name": scenario.name, "figures": figures, "servers": servers}
