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


def _run(options: argparse.Namespace) -> int:
    if options.app == _IDLE:
        servers = [server for server in options.servers if not server.is_fixed]
        measured = idle.measure(servers, options.connections or idle.CONNECTIONS, progress)
        print(idle.text(measured))
        return 0 if measured.results else 1
    comparison = _compare(options.app, options)
    print(report.text(comparison, WS_WORKLOADS[options.app].mark))
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(comparison), indent=2) + "\n", encoding="utf-8")
    return 0 if comparison.results else 1


def _compare(name: str, options: argparse.Namespace) -> Comparison:
    workload = WS_WORKLOADS[name]
    return _compared(
        Plan(
            workload=f"ws {name}",
            rounds=options.rounds,
            seconds=options.seconds,
            connections=options.connections or workload.connections,
            pinned=len(os.sched_getaffinity(0)) > 1,
            baseline=OURS,
            client="client",
            unit="msg",
        ),
        name,
        options.in_flight,
        options.servers,
    )


def _compared(plan: Plan, name: str, in_flight: int, servers: Sequence[Server]) -> Comparison:
    driver = WsDriver(WS_WORKLOADS[name], plan.connections, in_flight)
    return compare(plan, driver, contestants(WS_WORKLOADS[name], servers), progress)


def _listing() -> str:
    about = {workload.name: workload.about for workload in WS_WORKLOADS.values()} | {_IDLE: _ABOUT_IDLE}
    return listing(about, WS_SERVERS)
