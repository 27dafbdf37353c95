"""``python -m benchmarks profile``: where the CPU of hello goes, as a flame graph that py-spy draws.

py-spy is a program of its own that reads the memory of a running worker; where the kernel lets nobody do that
(ptrace(2), /proc/sys/kernel/yama/ptrace_scope), there is one line about it and no profile.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.arguments import at_least_one, progress
from benchmarks.errors import BenchmarkError
from benchmarks.h2load import Http2Driver
from benchmarks.http_driver import HttpDriver
from benchmarks.processes import ServerProcess, free_port
from benchmarks.servers import SERVERS
from benchmarks.usage import tree
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from benchmarks.load import Driver, Load

SECONDS: Final = 5
_RATE: Final = 250  #: samples a second
_GRACE_SECONDS: Final = 30.0
_WARM_UP_SECONDS: Final = 1.0
_SERVER: Final = "srvctl"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "profile", help="draw where the CPU of a request goes", description="Draw a flame graph of hello."
    )
    parser.add_argument("--http2", action="store_true", help="over HTTP/2 (default: HTTP/1.1)")
    parser.add_argument("--seconds", type=at_least_one, default=SECONDS, help=f"(default {SECONDS})")
    parser.add_argument(
        "--output", type=Path, default=Path("profiles"), metavar="DIR", help="(default profiles)"
    )
    parser.set_defaults(run=_run, list=False)


def file_name(*, is_http2: bool) -> str:
    """Return what the flame graph is called."""
    return "hello-http2.svg" if is_http2 else "hello-http1.svg"


def record(*, is_http2: bool, seconds: int) -> str:
    """Return the flame graph of one worker that says hello under load, as SVG.

    Raises:
        BenchmarkError: There is none, and why.
    """
    program = _find()
    workload = WORKLOADS["http2" if is_http2 else "hello"]
    server = SERVERS[_SERVER].speaking_http2() if is_http2 else SERVERS[_SERVER]
    driver: Driver = (Http2Driver if is_http2 else HttpDriver)(workload, workload.connections)
    port = free_port()
    process = ServerProcess(server.command(workload.app, port), port)
    try:
        process.wait_until_listening()
        driver.check(port, None)
        with driver.session(port, None) as load:
            before = _used(process)
            load(_WARM_UP_SECONDS)
            worker = _busiest(before, _used(process))
            # Begun before py-spy and ending after it, so that all of its samples are of a busy worker.
            busy = threading.Thread(target=_quietly, args=(load, seconds + 2.0), name="load", daemon=True)
            busy.start()
            svg = _sampled(program, worker, seconds)
            busy.join(_GRACE_SECONDS)
    finally:
        process.stop()
    return titled(svg, f"srvctl, {workload.about}")


def titled(svg: str, title: str) -> str:
    """Return a flame graph with another title than py-spy's, which is its command line."""
    return re.sub(r'(<text id="title"[^>]*>)[^<]*', lambda found: f"{found[1]}{title}", svg, count=1)


def _quietly(load: Callable[[float], Load], seconds: float) -> None:
    with suppress(BenchmarkError):
        load(seconds)


def _find() -> str:
    beside = shutil.which("py-spy", path=str(Path(sys.executable).parent))
    path = beside or shutil.which("py-spy")
    if path is None:
        raise BenchmarkError("No profile: py-spy is not installed; pip install py-spy.")
    return path


def _used(process: ServerProcess) -> dict[int, float]:
    """Return the seconds of CPU each process of the tree has used."""
    found = {}
    for one in tree(process.root):
        with suppress(psutil.Error):
            times = one.cpu_times()
            found[one.pid] = float(times.user + times.system)
    return found


def _busiest(before: dict[int, float], after: dict[int, float]) -> int:
    """Return who has used the most since: the worker, if there was load."""
    return max(after, key=lambda pid: after[pid] - before.get(pid, 0.0))


def _sampled(program: str, pid: int, seconds: int) -> str:
    with tempfile.TemporaryDirectory(prefix="srvctl-bench-") as directory:
        path = Path(directory, "profile.svg")
        options = ["--duration", str(seconds), "--rate", str(_RATE), "--output", str(path)]
        line = [program, "record", "--pid", str(pid), *options]
        try:
            done = subprocess.run(
                line, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError("No profile: py-spy did not end.") from error
        if done.returncode != 0 or not path.exists():
            said = next((row.strip() for row in done.stderr.splitlines() if row.strip()), "it said nothing")
            raise BenchmarkError(
                f"No profile: py-spy failed, most likely because ptrace is refused here: {said}"
            )
        return path.read_text(encoding="utf-8")


def _run(options: argparse.Namespace) -> int:
    progress(f"profile of {options.seconds} s")
    svg = record(is_http2=options.http2, seconds=options.seconds)
    path = options.output / file_name(is_http2=options.http2)
    options.output.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, encoding="utf-8")
    print(path)
    return 0
