"""``python -m benchmarks``: the command line, and the only module here that prints."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from benchmarks import report, wrk
from benchmarks.compare import compare
from benchmarks.errors import WrkMissingError
from benchmarks.results import Plan
from benchmarks.servers import SERVERS, Server
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 for wrong usage, 1 when no server could be measured."""
    options = _parser().parse_args(arguments)
    if options.list:
        print(_listing())
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _http(options)
    except WrkMissingError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; all servers are stopped", file=sys.stderr)
        return _INTERRUPTED


def _http(options: argparse.Namespace) -> int:
    wrk.find()
    plan = Plan(
        workload=options.app,
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections,
        pinned=len(os.sched_getaffinity(0)) > 1,
    )
    comparison = compare(plan, options.servers, _progress)
    print(report.text(comparison))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(comparison), indent=2) + "\n", encoding="utf-8")
    return 0 if comparison.results else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure srvctl and its peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    http = commands.add_parser("http", help="compare servers under HTTP load", description="Compare servers.")
    http.add_argument("--app", choices=list(WORKLOADS), default="hello", help="the workload (default hello)")
    http.add_argument("--rounds", type=_at_least_one, default=10, help="rounds for each server (default 10)")
    http.add_argument("--seconds", type=_at_least_one, default=2, help="length of a round (default 2)")
    http.add_argument("--connections", type=_at_least_one, default=64, help="open at once (default 64)")
    http.add_argument(
        "--servers", type=_servers, default=list(SERVERS.values()), help="names, with commas (default all)"
    )
    http.add_argument("--json", type=Path, metavar="FILE", help="also write all samples to a file")
    http.add_argument("--list", action="store_true", help="list workloads and servers, and run nothing")
    return parser


def _at_least_one(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _servers(value: str) -> list[Server]:
    names = list(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    unknown = [name for name in names if name not in SERVERS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is none of {', '.join(SERVERS)}")
    return [SERVERS[name] for name in names]


def _listing() -> str:
    workloads = [f"  {workload.name:<11} {workload.about}" for workload in WORKLOADS.values()]
    servers = [
        f"  {server.name:<11} {server.installed_version() or 'not installed'}" for server in SERVERS.values()
    ]
    return "\n".join(["workloads", *workloads, "servers", *servers])


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
