"""Scenarios in which a process dies, hangs or starves: only what was in it may suffer."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.asking import ask, request
from benchmarks.lifecycle.clients import LoadPlan
from benchmarks.lifecycle.code import Code
from benchmarks.lifecycle.outcome import NEVER, Figure, Outcome, Value, remarks
from benchmarks.lifecycle.scenario import LOST, RETRIABLE, Scenario, lasting
from benchmarks.lifecycle.servers import Ability
from benchmarks.lifecycle.service import is_alive, until

if TYPE_CHECKING:
    from benchmarks.lifecycle.code import State
    from benchmarks.lifecycle.scenario import Stage
    from benchmarks.lifecycle.service import Service
    from benchmarks.lifecycle.tally import Tally, Trouble

_KILLS: Final = 3  #: each of another of the first workers
_WAIT_SECONDS: Final = 20.0
_BETWEEN_SECONDS: Final = 2.0
_AT_ONCE: Final = 4  #: so that the new one gets its turn at once
_HANG: Final = 3.0
_BUSY_HANG: Final = 5.0
_BLOCK_MS: Final = 60_000
_CHURN_MS: Final = 8000
_ORPHAN_SECONDS: Final = 1.0


def kill(stage: Stage) -> Outcome:
    """SIGKILL one worker after the other, and wait for a new one each time."""
    service = stage.service
    # Requests that last, so that there are some in flight, at a rate at which clients are left over.
    ordinary = stage.pace.load(service.port)
    load = stage.more_load(replace(ordinary, rate=min(ordinary.rate, 600), query="ms=40"))
    time.sleep(_BETWEEN_SECONDS)
    victims = list(service.ready())[:_KILLS]
    times: list[float] = []
    back: list[float] = []
    ready: list[float] = []
    in_flight = 0
    for victim in victims:
        known = set(service.code.states())
        times.append(time.monotonic())
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        back.append(_first_answer(service, known, _WAIT_SECONDS) - times[-1])
        states = service.code.states()
        in_flight += states[victim].begun - states[victim].finished
        started = [state.ready for state in states.values() if state.ready and state.worker not in known]
        ready.append(min(started, default=NEVER) - times[-1])
        if back[-1] == NEVER:
            break
        time.sleep(_BETWEEN_SECONDS)
    tally = load.stop()
    values = {
        "beyond": Value(lost_beyond(tally, times, in_flight)),
        "lost": Value(tally.broken, in_flight),
        "retriable": Value(tally.retriable),
        "back": Value(median(back) * 1000),
        "ready": Value(median(ready) * 1000),
    }
    return Outcome(values, tally.is_valid, remarks(tally))


def _first_answer(service: Service, known: set[int], seconds: float) -> float:
    """Return when somebody answered who is not known, or never."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not service.has_exited():
        if ask(service.port, _AT_ONCE, seconds=1) - known:
            return time.monotonic()
    return NEVER


def lost_beyond(tally: Tally, kills: list[float], in_flight: int) -> int:
    """Return how many requests were lost that were not in flight in a killed worker.

    Lost are at most as many as the application had begun and not finished, and each of them was due before
    somebody was killed and not yet answered then.
    """
    lost = [trouble for trouble in tally.troubles if trouble.kind != "late"]
    excused = sum(any(_spans(trouble, time) for time in kills) for trouble in lost)
    return tally.broken - excused + max(0, excused - in_flight)


def _spans(trouble: Trouble, time: float) -> bool:
    return trouble.due <= time <= trouble.ended


def blocked(stage: Stage) -> Outcome:
    """Block the loop of one worker, and wait for its replacement."""
    load, service = stage.load, stage.service
    with socket.create_connection(("127.0.0.1", service.port), _WAIT_SECONDS) as client:
        client.sendall(request(f"/block?id=0&ms={_BLOCK_MS}"))
        if not until(lambda: bool(_blocked(service)), _WAIT_SECONDS):
            raise BenchmarkError("No worker has begun the request that blocks it.")
        victim, since = _blocked(service)[0]
        known = set(service.code.states())
        answered = _first_answer(service, known, _HANG + _WAIT_SECONDS)
    until(lambda: not is_alive(victim), _WAIT_SECONDS if answered < NEVER else 0)
    stage.load_until(0, _BETWEEN_SECONDS)
    is_shown = service.shows("block_the_loop")
    tally = load.stop()
    harmed = sum(trouble.worker != victim and trouble.due > since for trouble in tally.troubles)
    values = {
        "time": Value(max(0.0, answered - since - _HANG)),
        "harmed": Value(harmed, tally.due),
        "silent": Value(0 if is_shown else 1),
        "retriable": Value(tally.retriable),
    }
    return Outcome(values, tally.is_valid, remarks(tally))


def _blocked(service: Service) -> list[tuple[int, float]]:
    states = service.code.states().values()
    return [(state.worker, state.blocked) for state in states if state.blocked is not None]


def busy(stage: Stage) -> Outcome:
    """Have all CPUs busy with requests that take eight seconds each."""
    service = stage.service
    cpus = len(os.sched_getaffinity(0))
    rate = 4 * cpus / (_CHURN_MS / 1000)
    plan = LoadPlan(service.port, rate, kept=4 * cpus, fresh=4 * cpus, path="/churn", query=f"ms={_CHURN_MS}")
    load = stage.more_load(replace(plan, late_after=4 * _CHURN_MS / 1000, patience=120, grace=60))
    time.sleep(stage.pace.busy_seconds)
    tally = load.stop()
    # The load is put out late when there is no CPU for it: that matters little here.
    values = {
        "kills": Value(_replaced(service.code.states(), service.workers)),
        "lost": Value(tally.broken, tally.due),
    }
    return Outcome(values, remarks=remarks(tally))


def _replaced(states: dict[int, State], workers: int) -> int:
    return max(0, len(states) - workers)


def master(stage: Stage) -> Outcome:
    """SIGKILL the master, and look who is left a second later."""
    service = stage.service
    members = service.members() - {service.root.pid}
    service.signal(signal.SIGKILL)
    time.sleep(_ORPHAN_SECONDS)
    orphans = sum(map(is_alive, members))
    return Outcome({"orphans": Value(orphans, len(members)), "taken": Value(int(not _is_free(service.port)))})


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


SCENARIOS: Final = (
    Scenario(
        "kill",
        (
            LOST.named("beyond", "lost beyond those in flight in the killed worker"),
            Figure("lost", "lost, of those in flight"),
            RETRIABLE,
            Figure("back", "until a new worker answers (import 1 s)", "ms", 50),
            Figure("ready", "until its startup is done", "ms"),
        ),
        kill,
        code=Code(burn=1.0),
        needs={Ability.REPLACE: ""},
        is_about_import=True,
    ),
    Scenario(
        "blocked",
        (
            lasting("blocked loop: replaced, after the time allowed", "time", 1),
            LOST.named("harmed", "requests late or lost elsewhere"),
            LOST.named("silent", "stack dump not shown (1) or shown (0)"),
            RETRIABLE,
        ),
        blocked,
        needs={Ability.HANG: f"{_HANG:g}"},
    ),
    Scenario(
        "busy",
        (LOST.named("kills", "workers killed falsely at 100 % CPU"), Figure("lost", "8 s requests lost")),
        busy,
        told={Ability.HANG: f"{_BUSY_HANG:g}"},
    ),
    Scenario(
        "master",
        (
            LOST.named("orphans", "orphans 1 s after SIGKILL of the master"),
            LOST.named("taken", "port still taken (1) or free (0)"),
        ),
        master,
        is_about_end=True,
    ),
)
