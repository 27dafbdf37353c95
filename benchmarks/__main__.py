"""``python -m benchmarks``: the command line, and the only module here that prints."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from benchmarks import memory, report, wrk
from benchmarks.arguments import add_servers, at_least_one, listing, progress
from benchmarks.compare import compare
from benchmarks.control import command as control
from benchmarks.errors import BenchmarkError, WrkMissingError
from benchmarks.http_driver import HttpDriver
from benchmarks.lifecycle import command as lifecycle
from benchmarks.processes import ROOT, raise_file_limit
from benchmarks.results import Plan
from benchmarks.servers import SERVERS, contestants
from benchmarks.workloads import WORKLOADS
from benchmarks.ws import command as ws

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.results import Comparison
    from benchmarks.servers import Server

_INTERRUPTED = 130
_IDLE = 10_000  #: connections
_MANY = 1_000_000  #: requests
_MICRO = ("codec", "scope", "cycle", "connection", "access_log", "frames")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 for wrong usage, 1 when no server could be measured."""
    options = _parser().parse_args(arguments)
    if options.list:
        print(options.list_all())
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    raise_file_limit()
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; all servers are stopped", file=sys.stderr)
        return _INTERRUPTED


def _http(options: argparse.Namespace) -> int:
    wrk.find()
    comparison = _compare(options.app, options)
    print(report.text(comparison))
    if options.json is not None:
        options.json.write_text(json.dumps(report.as_json(comparison), indent=2) + "\n", encoding="utf-8")
    return 0 if comparison.results else 1


def _compare(name: str, options: argparse.Namespace) -> Comparison:
    """Run one workload as the options say."""
    workload = WORKLOADS[name]
    plan = Plan(
        workload=name,
        rounds=options.rounds,
        seconds=options.seconds,
        connections=options.connections or workload.connections,
        pinned=len(os.sched_getaffinity(0)) > 1,
        baseline=workload.baseline,
    )
    driver = HttpDriver(workload, plan.connections)
    return compare(plan, driver, contestants(workload, options.servers), progress)


def _memory(options: argparse.Namespace) -> int:
    wrk.find()
    measured = memory.measure(options.servers, options.connections, options.requests, progress)
    print(memory.text(measured))
    return 0 if measured.results else 1


def _memory_text(servers: Sequence[Server], connections: int, requests: int) -> str:
    return memory.text(memory.measure(servers, connections, requests, progress))


def _all(options: argparse.Namespace) -> int:
    """Run everything; a part that fails is told in its place, and the others go on."""
    wrk.find()
    blocks: list[str] = []
    failed = False
    for name in WORKLOADS:
        progress(f"== {name}")
        try:
            blocks.append(report.text(_compare(name, options)))
        except WrkMissingError:
            raise
        except (BenchmarkError, OSError) as error:
            blocks.append(f"{name}: failed: {error}")
            failed = True
    parts: list[Callable[[], str]] = [
        lambda: _memory_text(options.servers, _IDLE, options.requests),
        *ws.blocks(options),
        _micro,
    ]
    for number, part in enumerate(parts, 1):
        progress(f"== part {number} of {len(parts)} after HTTP: memory, WebSockets, micro")
        try:
            blocks.append(part())
        except (BenchmarkError, OSError) as error:
            blocks.append(f"failed: {error}")
            failed = True
    whole = "\n\n".join(f"```text\n{block}\n```" for block in blocks) + "\n"
    if options.output is None:
        print(whole, end="")
    else:
        options.output.write_text(whole, encoding="utf-8")
    return 1 if failed else 0


def _micro() -> str:
    """Return the output of the micro-benchmarks, each run in a process of its own."""
    shown = []
    for name in _MICRO:
        progress(f"== micro {name}")
        command = [sys.executable, "-m", f"benchmarks.micro.{name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        shown.append(f"{name}, µs for each operation\n{done.stdout}{done.stderr if done.returncode else ''}")
    return "\n".join(shown).rstrip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure srvctl and its peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    http = commands.add_parser("http", help="compare servers under HTTP load", description="Compare servers.")
    http.add_argument("--app", choices=list(WORKLOADS), default="hello", help="the workload (default hello)")
    _add_load(http, rounds=10)
    http.add_argument("--json", type=Path, metavar="FILE", help="also write all samples to a file")
    http.add_argument("--list", action="store_true", help="list workloads and servers, and run nothing")
    http.set_defaults(run=_http, list_all=_listing)
    holding = commands.add_parser(
        "memory", help="measure memory: at rest, with idle connections, after requests"
    )
    add_servers(holding, SERVERS, [server for server in SERVERS.values() if server.patience])
    holding.add_argument("--connections", type=at_least_one, default=_IDLE, help="idle ones (default 10,000)")
    holding.add_argument("--requests", type=at_least_one, default=_MANY, help="(default 1,000,000)")
    holding.set_defaults(run=_memory, list=False)
    ws.add(commands)
    lifecycle.add(commands)
    control.add(commands)
    everything = commands.add_parser("all", help="run everything, and write Markdown")
    _add_load(everything, rounds=10)
    everything.add_argument(
        "--requests", type=at_least_one, default=_MANY, help="of the memory part (default 1,000,000)"
    )
    everything.add_argument("--output", type=Path, metavar="FILE", help="write to a file (default: print)")
    everything.set_defaults(run=_all, list=False)
    return parser


def _add_load(parser: argparse.ArgumentParser, rounds: int) -> None:
    parser.add_argument(
        "--rounds", type=at_least_one, default=rounds, help=f"rounds for each server (default {rounds})"
    )
    parser.add_argument("--seconds", type=at_least_one, default=2, help="length of a round (default 2)")
    parser.add_argument("--connections", type=at_least_one, help="open at once (default: the workload's)")
    add_servers(parser, SERVERS, list(SERVERS.values()))


def _listing() -> str:
    return listing({workload.name: workload.about for workload in WORKLOADS.values()}, SERVERS)


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
