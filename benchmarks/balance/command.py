"""``python -m benchmarks balance``: strategies of accepting, side by side."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.arguments import at_least_one, progress
from benchmarks.balance import clients, model
from benchmarks.errors import BenchmarkError
from benchmarks.processes import ServerProcess, free_port
from benchmarks.servers import installed_version
from benchmarks.usage import tree

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

_APP = "benchmarks.apps.placing:app"
_SRVCTL = f"-m srvctl run {_APP} --workers {{n}} --bind 127.0.0.1:{{port}} --no-access-log"
#: What is compared, and the distribution it needs.
_SERVERS = {
    "srvctl": (_SRVCTL, "srvctl"),
    "off": (f"{_SRVCTL} --balance off", "srvctl"),
    "reuseport": (f"-m benchmarks.balance.reuseport {_APP} {{port}} {{n}}", "uvicorn"),
    "uvicorn": (
        f"-m uvicorn {_APP} --workers {{n}} --port {{port}} --loop uvloop --http httptools --no-access-log",
        "uvicorn",
    ),
    "granian": (f"-m granian {_APP} --workers {{n}} --port {{port}} --interface asgi", "granian"),
    "gunicorn": (f"-m gunicorn {_APP} -w {{n}} -b 127.0.0.1:{{port}} -k asgi", "gunicorn"),
    "hypercorn": (f"-m hypercorn {_APP} -w {{n}} -b 127.0.0.1:{{port}} -k uvloop", "hypercorn"),
}
_KEPT = 200  #: connections
_CALM = 1.0  #: seconds
_MIXED = 40  #: connections of the mixed load, as many as those of the model
_FAULTS: dict[str, Callable[[int, int], None]] = {
    "killed": lambda _, worker: os.kill(worker, signal.SIGKILL),
    "stopped": lambda _, worker: os.kill(worker, signal.SIGSTOP),
    "reload": lambda master, _: os.kill(master, signal.SIGHUP),
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "balance", help="how evenly connections are spread over workers", description="Compare strategies."
    )
    parser.add_argument("--only", nargs="+", choices=list(_SERVERS), default=list(_SERVERS), metavar="NAME")
    parser.add_argument("--workers", type=at_least_one, default=4, help="(default 4)")
    parser.add_argument("--rounds", type=at_least_one, default=5, help="(default 5)")
    parser.add_argument("--seconds", type=at_least_one, default=2, help="of each load (default 2)")
    parser.add_argument("--parts", nargs="+", choices=list(_PARTS), default=list(_PARTS), metavar="PART")
    parser.add_argument(
        "--model", action="store_true", help="start no server: say what spreads the mixed load could come to"
    )
    parser.set_defaults(run=_run, list=False)


def _run(options: argparse.Namespace) -> int:
    if options.model:
        return _show_model(options)
    there = [name for name in options.only if installed_version(_SERVERS[name][1]) is not None]
    for part in options.parts:
        title, measure = _PARTS[part]
        print(f"{part}: {title}")
        for name in there:
            progress(f"{part} {name}")
            try:
                with _serving(name, options.workers) as server:
                    print(f"  {name:<10} {measure(server, options)}", flush=True)
            except (BenchmarkError, OSError) as error:
                print(f"  {name:<10} failed: {error}")
    return 0


def _show_model(options: argparse.Namespace) -> int:
    """Print what is the best that can be had of the mixed load, whoever serves it."""
    print("p99 of the mixed load by a model, in ms, with 2, 3 and 4 processors for 4 workers")
    spreads = {
        "each worker as many": (10, 10, 10, 10),
        "variation 0.18": (8, 9, 11, 12),
        "variation 0.68": (2, 6, 12, 20),
        "variation 0.90": (1, 5, 10, 24),
        "any worker, any request": (40,),
    }
    for name, spread in spreads.items():
        progress(name)
        ways = partial(model.p99, spread, at_once=4 // len(spread), seconds=60.0 * options.seconds)
        found = [
            statistics.fmean(ways(processors, seed=seed) for seed in range(options.rounds))
            for processors in (2, 3, 4)
        ]
        print(f"  {name:<24} {'  '.join(f'{seconds * 1000:4.0f}' for seconds in found)}")
    return 0


@contextmanager
def _serving(name: str, workers: int) -> Iterator[ServerProcess]:
    port = free_port()
    command = [sys.executable, *_SERVERS[name][0].format(n=workers, port=port).split()]
    server = ServerProcess(command, port)
    try:
        server.wait_until_listening()
        clients.workers(port, workers)
        yield server
    finally:
        server.stop()


def _spread(server: ServerProcess, options: argparse.Namespace) -> str:
    ways: dict[str, Callable[[], list[int]]] = {
        "burst": lambda: clients.burst(server.port, _KEPT),
        "one by one": lambda: clients.one_by_one(server.port, _KEPT),
        "paced": lambda: clients.one_by_one(server.port, _KEPT, 0.002),
    }
    time.sleep(4 * _CALM)  # connections that came and went before are forgotten
    pool = clients.one_by_one(server.port, 2 * options.workers)
    with _loaded(server.port) as start:
        texts = [f"{name} {_variations(open_all, options)}" for name, open_all in ways.items()]
        time.sleep(4 * _CALM)  # as above, or the load's own connections are spread by chance
        start.set()
        texts.append(f"under load {_variations(ways['paced'], options)}")
    return ", ".join([*texts, f"pool of {2 * options.workers} {sorted(pool)}"])


def _variations(open_all: Callable[[], list[int]], options: argparse.Namespace) -> str:
    found = []
    for _ in range(options.rounds):
        time.sleep(_CALM)  # those of the round before are to be closed on the other side as well
        found.append(clients.variation(open_all(), options.workers))
    return f"{statistics.median(found):.3f} (worst {max(found):.3f})"


@contextmanager
def _loaded(port: int) -> Iterator[threading.Event]:
    """Have 16 connections busy all the time, once the event is set, until the end."""
    start, end = threading.Event(), threading.Event()

    def load() -> None:
        start.wait()
        clients.mixed(port, end.is_set, 16, 0.02)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield start
    finally:
        end.set()
        start.set()
        thread.join()


def _rate(server: ServerProcess, options: argparse.Namespace) -> str:
    texts = []
    for at_once in (8, 64):
        rates, costs = [], []
        for _ in range(options.rounds):
            before = _cpu(server)
            delays = clients.many_fresh(server.port, options.seconds, at_once)
            rates.append(len(delays.seconds) / options.seconds)
            costs.append((_cpu(server) - before) / max(len(delays.seconds), 1) * 1e6)
        rate, cost = statistics.median(rates), statistics.median(costs)
        texts.append(f"{at_once} at once: {rate:.0f}/s, {cost:.0f} µs of CPU each")
    return "; ".join(texts)


def _cpu(server: ServerProcess) -> float:
    times = [process.cpu_times() for process in tree(server.root)]
    return sum(each.user + each.system for each in times)


def _mixed(server: ServerProcess, options: argparse.Namespace) -> str:
    texts = []
    for slow in (b"/burn", b"/block"):
        found = []
        for seed in range(options.rounds):
            is_over = partial(_is_past, time.monotonic() + 2 * options.seconds)
            found.append(clients.mixed(server.port, is_over, _MIXED, model.EVERY, slow, seed))
        p50, p99 = (statistics.median(delays.percentile(share) for delays in found) for share in (0.5, 0.99))
        texts.append(f"{slow.decode()}: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.0f} ms")
    return "; ".join(texts)


def _is_past(moment: float) -> bool:
    return time.monotonic() > moment


def _delays(server: ServerProcess, options: argparse.Namespace) -> str:
    texts = []
    for name in ("nothing", *_FAULTS):
        worker = clients.workers(server.port, options.workers)[0]
        timer = threading.Timer(0.5, _FAULTS.get(name, lambda *_: None), (server.root.pid, worker))
        with _held(server.port):
            timer.start()
            delays = clients.fresh(server.port, float(options.seconds), 0.005)
            timer.join()
        if name == "stopped":
            os.kill(worker, signal.SIGCONT)
        texts.append(f"{name}: longest {max(delays.seconds) * 1000:.0f} ms, lost {delays.lost}")
    return "; ".join(texts)


@contextmanager
def _held(port: int) -> Iterator[None]:
    """Hold some idle connections, so that there is something to be ahead by."""
    held = [clients.Client(port) for _ in range(40)]
    try:
        yield
    finally:
        for client in held:
            client.sock.close()


_PARTS: dict[str, tuple[str, Callable[[ServerProcess, argparse.Namespace], str]]] = {
    "spread": (f"coefficient of variation of {_KEPT} kept connections, median of the rounds", _spread),
    "rate": ("requests on new connections", _rate),
    "mixed": (
        f"{_MIXED} connections, 10 % of the requests burn 50 ms of a processor, or stand still for 50 ms",
        _mixed,
    ),
    "delays": ("one connection after the other, while something happens to a worker", _delays),
}
