"""``python -m benchmarks lifecycle``: its arguments, and what they have done."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import machine
from benchmarks.arguments import add_servers, at_least_one, listing, progress
from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle import report
from benchmarks.lifecycle.catalog import SCENARIOS
from benchmarks.lifecycle.outcome import shown
from benchmarks.lifecycle.scenario import Pace, perform
from benchmarks.lifecycle.servers import CONTESTANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.lifecycle.outcome import Outcome
    from benchmarks.lifecycle.scenario import Scenario
    from benchmarks.lifecycle.servers import Contestant

ORDINARY: Final = Pace()
QUICK: Final = Pace(rate=500, requests=2000, busy_seconds=10, idle_seconds=10, idle_workers=8, soak=3)
_LONG_SECONDS: Final = 600
_SERVERS: Final = {name: contestant.server for name, contestant in CONTESTANTS.items()}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "lifecycle", help="reloads, kills, hangs and stops under load", description="Count what is lost."
    )
    parser.add_argument("--only", type=_names, metavar="NAME", default=list(SCENARIOS), help="with commas")
    add_servers(parser, _SERVERS, list(_SERVERS.values()))
    parser.add_argument("--rate", type=at_least_one, help="requests a second (default 1,500)")
    parser.add_argument("--kept", type=at_least_one, help="clients that keep their connection (default 48)")
    parser.add_argument("--fresh", type=at_least_one, help="clients that open one each time (default 16)")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    parser.add_argument("--long", action="store_true", help="ten minutes at 100 %% CPU instead of 30 s")
    parser.add_argument("--soak", type=at_least_one, help="reloads, and kills (default 50; mark 2,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to a file")
    parser.add_argument("--list", action="store_true", help="list scenarios and servers, and run nothing")
    parser.set_defaults(run=_run, list_all=_listing)


def _names(value: str) -> list[str]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown) or 'nothing'} is none of {', '.join(SCENARIOS)}"
        )
    return [name for name in SCENARIOS if name in names]


def _run(options: argparse.Namespace) -> int:
    contestants = [CONTESTANTS[server.name] for server in options.servers]
    results = measure([SCENARIOS[name] for name in options.only], contestants, _pace(options))
    print(report.text(results))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(results), indent=2) + "\n", encoding="utf-8")
    return 1 if results.has_failed or not results.outcomes else 0


def _pace(options: argparse.Namespace) -> Pace:
    pace = QUICK if options.quick else ORDINARY
    told = {name: getattr(options, name) for name in ("rate", "kept", "fresh", "soak")}
    pace = replace(pace, **{name: value for name, value in told.items() if value is not None})
    return replace(pace, busy_seconds=_LONG_SECONDS) if options.long else pace


def measure(scenarios: Sequence[Scenario], contestants: Sequence[Contestant], pace: Pace) -> report.Results:
    """Run every scenario on every server that can take part, one after the other."""
    versions = {one.name: one.server.installed_version() for one in contestants}
    there = [one for one in contestants if versions[one.name] is not None]
    outcomes: dict[tuple[str, str], Outcome] = {}
    failures: dict[tuple[str, str], str] = {}
    for scenario in scenarios:
        for contestant in there:
            if not scenario.concerns(contestant):
                continue
            at = (scenario.name, contestant.name)
            since = time.monotonic()
            try:
                outcomes[at] = perform(scenario, contestant, pace)
                told = _line(scenario, outcomes[at])
            except (BenchmarkError, OSError) as error:
                failures[at] = str(error)
                told = f"failed: {error}"
            progress(f"{scenario.name:<15} {contestant.name:<17} {time.monotonic() - since:>4.0f} s  {told}")
    return report.Results(
        pace=pace,
        machine=machine.facts(),
        versions={name: found for name, found in versions.items() if found is not None},
        scenarios=tuple(scenarios),
        outcomes=outcomes,
        failures=failures,
        left_out={name: "not installed" for name, found in versions.items() if found is None},
    )


def _line(scenario: Scenario, outcome: Outcome) -> str:
    values = ", ".join(
        f"{figure.key} {shown(outcome.values.get(figure.key), figure.unit)}" for figure in scenario.figures
    )
    return values if outcome.is_valid else f"{values} (INVALID: the load did not keep its times)"


def _listing(_options: argparse.Namespace) -> str:
    about = {name: scenario.figures[0].text for name, scenario in SCENARIOS.items()}
    return listing(about, _SERVERS).replace("workloads", "scenarios", 1)
