"""Scenarios about what it costs: memory, time to start, idling, and what is left behind in the long run."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.asking import ask
from benchmarks.lifecycle.code import Code
from benchmarks.lifecycle.outcome import NEVER, Combine, Figure, Outcome, Value, remarks
from benchmarks.lifecycle.scenario import LOST, Scenario
from benchmarks.lifecycle.servers import Ability
from benchmarks.lifecycle.service import START_SECONDS, is_alive, until

if TYPE_CHECKING:
    import psutil

    from benchmarks.lifecycle.scenario import Stage
    from benchmarks.lifecycle.service import Service

_MB: Final = 1e6
#: 45 MB. With these gunicorn --preload begins with the 115 MB that it had when the mark was set.
_OBJECTS: Final = 100_000
_REQUESTS_EACH: Final = 2000
_MOST_REQUESTS: Final = 8  #: times that, each, for a server that gives some of its workers little to do
_MEMORY_RATE: Final = 2500
_SETTLE_SECONDS: Final = 1.0
_AT_ONCE: Final = 8
_ASK_SECONDS: Final = 0.02
_WARM_UP: Final = 3
_REPLACED_SECONDS: Final = 45.0
_SOAK_RATE: Final = 200


def memory(stage: Stage) -> Outcome:
    """Have each worker answer some thousands of requests, and add up the memory of all processes."""
    service = stage.service
    time.sleep(_SETTLE_SECONDS)
    before = usage.pss_bytes(usage.tree(service.root))
    plan = stage.pace.load(service.port)
    load = stage.more_load(replace(plan, rate=max(plan.rate, _MEMORY_RATE), kept=64, fresh=64, query="ms=1"))
    each = _REQUESTS_EACH * stage.pace.requests // 20_000
    most = each * service.workers * _MOST_REQUESTS

    def is_enough() -> bool:
        states = service.ready().values()
        return load.look().due >= most or all(state.finished >= each for state in states)

    until(is_enough, most / load.plan.rate + 20, step=0.2)
    tally = load.stop()
    time.sleep(_SETTLE_SECONDS)
    after = usage.pss_bytes(usage.tree(service.root))
    least = min((state.finished for state in service.ready().values()), default=0)
    return Outcome(
        {"before": Value(before / _MB), "after": Value(after / _MB), "least": Value(least)},
        remarks=remarks(tally),
    )


def start(stage: Stage) -> Outcome:
    """Ask from the beginning until every worker has answered."""
    service = stage.service
    seen: set[int] = set()

    def is_complete() -> bool:
        seen.update(ask(service.port, _AT_ONCE, path="/work?ms=1"))
        return len(seen) >= service.workers or service.has_exited()

    until(is_complete, START_SECONDS, step=_ASK_SECONDS)
    taken = time.monotonic() - service.begun
    return Outcome({"time": Value(taken if len(seen) >= service.workers else NEVER)})


def idle(stage: Stage) -> Outcome:
    """Ask nothing, and see what the master does."""
    root, seconds = stage.service.root, stage.pace.idle_seconds
    time.sleep(3 * _SETTLE_SECONDS)
    wakeups, cpu = _wakeups(root), usage.run_seconds([root])
    since = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - since
    wakeups, ran = _wakeups(root) - wakeups, usage.run_seconds([root])
    values = {
        "wakeups": Value(wakeups / passed),
        "pss": Value(usage.pss_bytes([root]) / _MB),
        "whole": Value(usage.pss_bytes(usage.tree(root)) / _MB),
    }
    if cpu is not None and ran is not None:
        values["cpu"] = Value((ran - cpu) / passed * 100)
    return Outcome(values)


def _wakeups(process: psutil.Process) -> int:
    """Return how often the threads of a process have waited (/proc/PID/task/TID/status)."""
    total = 0
    for path in Path(f"/proc/{process.pid}/task").glob("*/status"):
        with suppress(OSError):
            lines = path.read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return total


def soak(stage: Stage) -> Outcome:
    """Kill a worker and reload, many times, and compare the master with what it was."""
    service = stage.service
    load = stage.more_load(replace(stage.pace.load(service.port), rate=_SOAK_RATE))
    for _ in range(_WARM_UP):
        _kill_and_reload(service)
    before = _master(service)
    for _ in range(stage.pace.soak):
        _kill_and_reload(service)
    time.sleep(_SETTLE_SECONDS)
    growth = [after - earlier for earlier, after in zip(before, _master(service), strict=True)]
    tally = load.stop()
    values = {name: Value(more) for name, more in zip(("fds", "threads", "rss"), growth, strict=True)}
    values["rounds"] = Value(stage.pace.soak)
    return Outcome(values, remarks=remarks(tally))


def _master(service: Service) -> tuple[float, float, float]:
    """Return its open files, its threads, and its resident memory in MB."""
    root = service.root
    return root.num_fds(), root.num_threads(), root.memory_info().rss / _MB


def _kill_and_reload(service: Service) -> None:
    """Kill the oldest worker, wait for another one; reload, and wait until all are younger than that.

    Raises:
        BenchmarkError: One of these did not happen.
    """
    ready = service.ready()
    oldest = min(ready, key=lambda worker: ready[worker].ready or 0)
    os.kill(oldest, signal.SIGKILL)
    until(lambda: not is_alive(oldest), _REPLACED_SECONDS)
    _wait_for_ready_since(service, 0, "after SIGKILL of one")
    service.code.write(Code())
    _wait_for_ready_since(service, service.signal(signal.SIGHUP), "after a reload")


def _wait_for_ready_since(service: Service, since: float, when: str) -> None:
    def is_complete() -> bool:
        states = service.ready().values()
        young = sum((state.ready or 0) >= since for state in states)
        return service.has_exited() or (young >= service.workers and len(states) == young)

    if not until(is_complete, _REPLACED_SECONDS) or service.has_exited():
        raise BenchmarkError(f"Not all workers were there {when}.")


SCENARIOS: Final = (
    Scenario(
        "memory",
        (
            Figure("before", "8 workers, 100,000 objects: memory at first", "MB"),
            Figure("after", "the same after 2,000 requests each", "MB", 130),
            Figure("least", "requests of the worker with the fewest"),
        ),
        memory,
        workers=8,
        code=Code(objects=_OBJECTS),
        is_about_import=True,
    ),
    Scenario(
        "start",
        (Figure("time", "4 workers, import of 1 s CPU: until all answer", "s", 1.4, combine=Combine.MEDIAN),),
        start,
        code=Code(burn=1.0),
        rounds=3,
        is_about_import=True,
        is_about_start=True,
    ),
    Scenario(
        "idle",
        (
            Figure("wakeups", "idle workers: wake-ups of the master", "/s", 1),
            Figure("cpu", "its CPU", "%", 0.1),
            Figure("pss", "its memory (PSS)", "MB", 20),
            Figure("whole", "memory of all processes", "MB"),
        ),
        idle,
        workers=None,
    ),
    Scenario(
        "soak",
        (
            Figure("rounds", "reloads, and as many kills"),
            LOST.named("fds", "more open files of the master"),
            LOST.named("threads", "more threads"),
            Figure("rss", "more resident memory", "MB", 1),
        ),
        soak,
        needs={Ability.RELOAD: "", Ability.REPLACE: ""},
        told={Ability.BAKE: "0.05"},
    ),
)
