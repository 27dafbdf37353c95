"""``python -m benchmarks ws``: its arguments, and what they have done."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.arguments import add_servers, at_least_one, listing, progress
from benchmarks.compare import compare
from benchmarks.report import as_json
from benchmarks.results import Plan
from benchmarks.ws import idle, report
from benchmarks.ws.driver import WsDriver
from benchmarks.ws.servers import OURS, WS_SERVERS, contestants
from benchmarks.ws.workloads import WS_WORKLOADS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.results import Comparison
    from benchmarks.servers import Server
    from benchmarks.ws.workloads import WsWorkload

_IDLE: Final = "idle"
_ABOUT_IDLE: Final = "10,000 WebSockets on which nothing is said: memory"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "ws", help="compare servers under WebSocket load", description="Compare servers."
    )
    parser.add_argument("--app", choices=[*WS_WORKLOADS, _IDLE], default="echo", help="(default echo)")
    parser.add_argument("--rounds", type=at_least_one, default=10, help="rounds for each server (default 10)")
    parser.add_argument("--seconds", type=at_least_one, default=2, help="length of a round (default 2)")
    parser.add_argument("--connections", type=at_least_one, help="open at once (default: the workload's)")
    parser.add_argument(
        "--in-flight", type=at_least_one, default=1, help="messages of a connection under way (default 1)"
    )
    add_servers(parser, WS_SERVERS, list(WS_SERVERS.values()))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all samples to a file")
    parser.add_argument("--list", action="store_true", help="list workloads and servers, and run nothing")
    parser.set_defaults(run=_run, list_all=_listing)


def measure(
    name: str, servers: Sequence[Server], *, rounds: int, seconds: int, connections: int | None = None
) -> Comparison:
    """Compare servers under one workload."""
    workload = WS_WORKLOADS[name]
    plan = _plan(workload, rounds, seconds, connections)
    return _compare(plan, WsDriver(workload, plan.connections), servers)


def of_distributions(servers: Sequence[Server]) -> list[Server]:
    """Return the servers of this table that come with the same distributions as those of another."""
    distributions = {server.distribution for server in servers}
    return [server for server in WS_SERVERS.values() if server.distribution in distributions]


def serving_applications(servers: Sequence[Server]) -> list[Server]:
    """Return those that run an application."""
    return [server for server in servers if not server.is_fixed]


def _run(options: argparse.Namespace) -> int:
    if options.app == _IDLE:
        servers = serving_applications(options.servers)
        measured = idle.measure(servers, options.connections or idle.CONNECTIONS, progress)
        print(idle.text(measured))
        return 0 if measured.results else 1
    workload = WS_WORKLOADS[options.app]
    plan = _plan(workload, options.rounds, options.seconds, options.connections)
    driver = WsDriver(workload, plan.connections, options.in_flight)
    comparison = _compare(plan, driver, options.servers)
    print(report.text(comparison, workload.mark))
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(comparison), indent=2) + "\n", encoding="utf-8")
    return 0 if comparison.results else 1


def _plan(workload: WsWorkload, rounds: int, seconds: int, connections: int | None) -> Plan:
    return Plan(
        workload=f"ws {workload.name}",
        rounds=rounds,
        seconds=seconds,
        connections=connections or workload.connections,
        pinned=len(os.sched_getaffinity(0)) > 1,
        baseline=OURS,
        client="client",
        unit="msg",
    )


def _compare(plan: Plan, driver: WsDriver, servers: Sequence[Server]) -> Comparison:
    return compare(plan, driver, contestants(driver.workload, servers), progress)


def _listing(_options: argparse.Namespace) -> str:
    about = {workload.name: workload.about for workload in WS_WORKLOADS.values()} | {_IDLE: _ABOUT_IDLE}
    return listing(about, WS_SERVERS)
