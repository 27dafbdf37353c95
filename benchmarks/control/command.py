"""``python -m benchmarks control``: how long an owner waits, alone and among many hostile clients."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.arguments import at_least_one, progress
from benchmarks.errors import BenchmarkError
from benchmarks.processes import ROOT, ServerProcess, free_port
from srvctl.ipc.control import Command, Request
from srvctl.ipc.control_client import Connection, NotReachableError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import psutil

_APP: Final = "tests.support.apps.basic:app"
_PATIENCE: Final = 60.0
_START_SECONDS: Final = 20.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "control",
        help="status and reload among hostile clients of the control socket",
        description="Compare how long the owner of an instance waits.",
    )
    parser.add_argument("--clients", type=at_least_one, default=1000, help="hostile ones (default 1,000)")
    parser.add_argument("--asks", type=at_least_one, default=200, help="for the status (default 200)")
    parser.add_argument("--reloads", type=at_least_one, default=10, help="(default 10)")
    parser.add_argument("--workers", type=at_least_one, default=2, help="(default 2)")
    parser.set_defaults(run=_run, list=False)


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # paths of sockets must be short
        path = Path(directory, "web.sock")
        with _serving(path, options.workers) as master:
            progress("alone")
            alone = _waits(path, options)
            before = master.num_fds()
            progress(f"among {options.clients} hostile clients")
            with crowd(path, options.clients):
                among = _waits(path, options)
            progress("alone again")
            again = _waits(path, options)
            after = master.num_fds()
    print(text(alone, among, again))
    print(f"descriptors of the master: {before} before, {after} after")
    return 0


@contextmanager
def crowd(path: Path, number: int) -> Iterator[None]:
    """Have so many hostile clients at a control socket."""
    command = [sys.executable, "-m", "benchmarks.control.crowd", str(path), str(number)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        if process.stdout.readline() != "ready\n":
            raise BenchmarkError("the hostile clients did not come")
        try:
            yield
        finally:
            process.stdin.close()


@contextmanager
def _serving(path: Path, workers: int) -> Iterator[psutil.Process]:
    port = free_port()
    flags = [f"--bind=127.0.0.1:{port}", f"--workers={workers}", f"--control-socket={path}"]
    variables = {"SRVCTL_RELOAD__BAKE": "0", "SRVCTL_LEDGER__FILE": "none"}
    server = ServerProcess([sys.executable, "-m", "srvctl", "run", _APP, *flags], port, variables)
    try:
        server.wait_until_listening()
        _wait_ready(path, workers)
        yield server.root
    finally:
        server.stop()


def _wait_ready(path: Path, workers: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            with Connection(path, _PATIENCE) as connection:
                found = connection.ask(Request(Command.STATUS)).data.get("workers", [])
        except NotReachableError:
            found = []
        if sum(worker["state"] == "ready" for worker in found) == workers:
            return
        time.sleep(0.05)
    raise BenchmarkError("srvctl did not come up")


def _waits(path: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Return how many seconds each command took, connecting included."""
    return {
        "status": [_wait(path, Command.STATUS) for _ in range(options.asks)],
        "reload": [_wait(path, Command.RELOAD) for _ in range(options.reloads)],
    }


def _wait(path: Path, command: Command) -> float:
    began = time.monotonic()
    while True:
        try:
            with Connection(path, _PATIENCE) as connection:
                done = connection.ask(Request(command))
            break
        except NotReachableError as error:
            # connect(2) of a Unix socket whose queue is full blocks no longer than the socket's timeout.
            if time.monotonic() > began + _PATIENCE:
                raise BenchmarkError(str(error)) from error
    if not done.ok:
        raise BenchmarkError(f"{command}: {done.message}")
    return time.monotonic() - began


def text(alone: dict[str, list[float]], among: dict[str, list[float]], again: dict[str, list[float]]) -> str:
    """Return the table: medians and worst, in milliseconds, and the ratio of the medians."""
    lines = [f"{'':8}{'alone':>20}{'among':>20}{'alone again':>20}{'ratio':>8}   (ms: median, worst)"]
    for name, before in alone.items():
        columns = "".join(f"{_figures(found):>20}" for found in (before, among[name], again[name]))
        ratio = median(among[name]) / median([*before, *again[name]])
        lines.append(f"{name:8}{columns}{ratio:8.2f}")
    return "\n".join(lines)


def _figures(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1000:.2f}, {max(seconds) * 1000:.2f}"
