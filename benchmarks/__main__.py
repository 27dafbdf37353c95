"""``python -m benchmarks``: the command line, and the only module here that prints."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from benchmarks import http_command, memory, profiling, wrk
from benchmarks.arguments import add_servers, at_least_one, progress
from benchmarks.balance import command as balance
from benchmarks.control import command as control
from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle import command as lifecycle
from benchmarks.many import command as many
from benchmarks.processes import raise_file_limit
from benchmarks.servers import SERVERS
from benchmarks.whole import command as whole
from benchmarks.ws import command as ws

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INTERRUPTED = 130
_IDLE = 10_000  #: connections
_MANY = 1_000_000  #: requests


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 2 for wrong usage, 1 when no server could be measured."""
    options = _parser().parse_args(arguments)
    if options.list:
        print(options.list_all(options))
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


def _memory(options: argparse.Namespace) -> int:
    wrk.find()
    measured = memory.measure(options.servers, options.connections, options.requests, progress)
    print(memory.text(measured))
    return 0 if measured.results else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure srvctl and its peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    http_command.add(commands)
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
    balance.add(commands)
    many.add(commands)
    profiling.add(commands)
    whole.add(commands)
    return parser


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
