"""``python -m benchmarks http``: its arguments, and what they have done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import h2load, report, wrk
from benchmarks.arguments import add_servers, at_least_one, listing, progress
from benchmarks.compare import compare
from benchmarks.h2load import Http2Driver
from benchmarks.http_driver import HttpDriver
from benchmarks.results import Plan
from benchmarks.servers import SERVERS, contestants
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.results import Comparison
    from benchmarks.servers import Server


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "http", help="compare servers under HTTP load", description="Compare servers."
    )
    parser.add_argument(
        "--app", choices=list(WORKLOADS), default="hello", help="the workload (default hello)"
    )
    parser.add_argument("--rounds", type=at_least_one, default=10, help="rounds for each server (default 10)")
    parser.add_argument("--seconds", type=at_least_one, default=2, help="length of a round (default 2)")
    parser.add_argument("--connections", type=at_least_one, help="open at once (default: the workload's)")
    add_servers(parser, SERVERS, list(SERVERS.values()))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all samples to a file")
    parser.add_argument("--list", action="store_true", help="list workloads and servers, and run nothing")
    parser.set_defaults(run=_run, list_all=_listing)


def measure(
    name: str, servers: Sequence[Server], *, rounds: int, seconds: float, connections: int | None = None
) -> Comparison:
    """Compare servers under one workload.

    Raises:
        ToolMissingError: There is no program to make the load.
    """
    workload = WORKLOADS[name]
    (h2load if workload.is_http2 else wrk).find()
    plan = Plan(
        workload=name,
        rounds=rounds,
        seconds=seconds,
        connections=connections or workload.connections,
        pinned=len(os.sched_getaffinity(0)) > 1,
        baseline=workload.baseline,
        client="h2load" if workload.is_http2 else "wrk",
    )
    driver = (Http2Driver if workload.is_http2 else HttpDriver)(workload, plan.connections)
    return compare(plan, driver, contestants(workload, servers), progress)


def _run(options: argparse.Namespace) -> int:
    comparison = measure(
        options.app,
        options.servers,
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
    )
    print(report.text(comparison))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(comparison), indent=2) + "\n", encoding="utf-8")
    return 0 if comparison.results else 1


def _listing(_options: argparse.Namespace) -> str:
    return listing({workload.name: workload.about for workload in WORKLOADS.values()}, SERVERS)
