"""One comparison from the first server's start to the last one's stop.

All servers stay up; the rounds of load go round among them in a rotating order, so that a machine that gets
slower meanwhile does so for all alike. A server that fails is left out with its reason, the others go on.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import certificate, usage
from benchmarks.errors import BenchmarkError, ToolMissingError
from benchmarks.machine import busy_seconds, facts
from benchmarks.processes import ServerProcess, free_port, pinned, uninterrupted
from benchmarks.results import Comparison, Footprint, Plan, Round, ServerResult

if TYPE_CHECKING:
    from benchmarks.certificate import Certificate
    from benchmarks.load import Driver
    from benchmarks.servers import Server

#: Load before the first round, which does not count.
_WARM_UP_SECONDS = 1.0
IDLE_SECONDS = 3.0

Progress = Callable[[str], None]


class Cpus(NamedTuple):
    """One CPU for the servers and another for the client; None for any."""

    servers: int | None
    load: int | None


def split_cpus(allowed: Iterable[int]) -> Cpus:
    """Return the last CPU for the servers and the first for the client, or none when there are not two."""
    ordered = sorted(allowed)
    return Cpus(ordered[-1], ordered[0]) if len(ordered) > 1 else Cpus(None, None)


def rotated(names: Sequence[str], number: int) -> list[str]:
    """Return the order of a round, each beginning one further: a b c, b c a, c a b."""
    start = number % len(names) if names else 0
    return [*names[start:], *names[:start]]


def compare(plan: Plan, driver: Driver, servers: Sequence[Server], progress: Progress) -> Comparison:
    """Measure the servers beside each other; none of them is left running, come what may."""
    machine = facts() | driver.facts()
    cpus = split_cpus(os.sched_getaffinity(0)) if plan.pinned else Cpus(None, None)
    field = _Field(plan, driver, cpus, progress)
    with pinned(cpus.load), tempfile.TemporaryDirectory(prefix="srvctl-bench-") as directory:
        if driver.is_tls:
            field.certificate = certificate.make(Path(directory))
        try:
            field.start(servers)
            field.load()
            results = field.results(servers)
        finally:
            field.stop_all()
    return Comparison(plan=plan, machine=machine, results=results, left_out=field.left_out)


class _Field:
    """The servers that are up, and what they did so far."""

    def __init__(self, plan: Plan, driver: Driver, cpus: Cpus, progress: Progress) -> None:
        self.left_out: dict[str, str] = {}
        self.certificate: Certificate | None = None
        self._restless: set[str] = set()
        self._paths: dict[str, str | None] = {}
        self._plan = plan
        self._driver = driver
        self._cpus = cpus
        self._progress = progress
        self._up: dict[str, ServerProcess] = {}
        self._rounds: dict[str, list[Round]] = {}

    def __repr__(self) -> str:
        return f"<_Field up={list(self._up)} left_out={list(self.left_out)}>"

    def start(self, servers: Sequence[Server]) -> None:
        for server in servers:
            if server.installed_version() is None:
                self._leave_out(server.name, "not installed")
                continue
            self._progress(f"starting {server.name}")
            try:
                self._start(server)
            except BenchmarkError as error:
                self._leave_out(server.name, f"did not start: {error}")

    def load(self) -> None:
        for name in list(self._up):
            self._round(name, number=0)
        for number in range(1, self._plan.rounds + 1):
            for name in rotated(list(self._up), number - 1):
                self._round(name, number)

    def results(self, servers: Sequence[Server]) -> tuple[ServerResult, ...]:
        footprints = self._footprints()
        return tuple(
            ServerResult(
                name=server.name,
                version=server.installed_version() or "unknown",
                companions=server.companion_versions(),
                rounds=tuple(self._rounds[server.name]),
                footprint=footprints[server.name],
                beside=server.beside,
            )
            for server in servers
            if server.name in self._up
        )

    def stop_all(self) -> None:
        with uninterrupted():
            for name in list(self._up):
                self._stop(name)

    def _start(self, server: Server) -> None:
        port = free_port()
        with pinned(self._cpus.servers):
            process = ServerProcess(server.command(self._driver.app, port, self.certificate), port)
        self._up[server.name] = process
        self._rounds[server.name] = []
        self._paths[server.name] = server.path
        process.wait_until_listening()
        self._driver.check(port, server.path)
        if server.is_restless:
            self._restless.add(server.name)
            process.freeze()

    def _round(self, name: str, number: int) -> None:
        """Check the answer, then load the server once; round 0 is the warm-up."""
        process = self._up[name]
        process.thaw()
        label = f"round {number}/{self._plan.rounds}" if number else "warm-up"
        seconds = self._plan.seconds if number else min(_WARM_UP_SECONDS, self._plan.seconds)
        try:
            self._driver.check(process.port, self._paths[name])
            done = self._loaded(process, number, seconds, self._paths[name])
            process.raise_if_gone()
        except ToolMissingError:
            raise
        except BenchmarkError as error:
            self._leave_out(name, f"failed in its {label}: {process.exit_reason() or error}")
            return
        if name in self._restless:
            process.freeze()
        if number:
            self._rounds[name].append(done)
        others = "" if done.others_share is None else f"  others {done.others_share:>3.0%}"
        errors = f"  errors: {done.load.errors}" if done.load.errors.total else ""
        self._progress(
            f"{label:<12} {name:<26} {done.requests_per_second:>9,.0f} {self._plan.unit}/s"
            f" {done.cpu_us_per_request:>8.1f} µs CPU/{self._plan.unit}{others}{errors}"
        )

    def _loaded(self, process: ServerProcess, number: int, seconds: float, path: str | None) -> Round:
        cpu = self._cpus.servers
        with self._driver.session(process.port, path) as run:
            since = time.monotonic()
            busy = 0.0 if cpu is None else busy_seconds(cpu)
            own = usage.cpu_seconds(process.root)
            load = run(seconds)
            own = usage.cpu_seconds(process.root) - own
            others = None
            if cpu is not None:
                others = max(0.0, busy_seconds(cpu) - busy - own) / (time.monotonic() - since)
        return Round(number, load, cpu_seconds=own, others_share=others)

    def _footprints(self) -> dict[str, Footprint]:
        """Measure memory after the load, then one window of idling for all servers at once."""
        for process in self._up.values():
            process.thaw()
        trees = {name: usage.tree(process.root) for name, process in self._up.items()}
        memory = {
            name: (usage.pss_bytes(tree), usage.pss_bytes(tree[:1]), usage.alone_bytes(tree))
            for name, tree in trees.items()
        }
        self._progress(f"idling for {IDLE_SECONDS:g} s")
        before = {
            name: (usage.run_seconds(tree), usage.run_seconds(tree[:1])) for name, tree in trees.items()
        }
        time.sleep(IDLE_SECONDS)
        footprints = {}
        for name, tree in trees.items():
            whole, root = before[name]
            footprints[name] = Footprint(
                processes=len(tree),
                pss_bytes=memory[name][0],
                root_pss_bytes=memory[name][1],
                alone_bytes=memory[name][2],
                root_idle_ms_per_second=_idle_ms_per_second(root, usage.run_seconds(tree[:1])),
                idle_ms_per_second=_idle_ms_per_second(whole, usage.run_seconds(tree)),
            )
        return footprints

    def _leave_out(self, name: str, reason: str) -> None:
        self.left_out[name] = reason
        self._progress(f"{name} is left out: {reason}")
        if name in self._up:
            self._stop(name)

    def _stop(self, name: str) -> None:
        if not self._up[name].stop():
            self._progress(f"{name} did not stop on SIGTERM and was killed")
        del self._up[name]


def _idle_ms_per_second(before: float | None, after: float | None) -> float | None:
    if before is None or after is None:
        return None
    return max(0.0, after - before) / IDLE_SECONDS * 1000
