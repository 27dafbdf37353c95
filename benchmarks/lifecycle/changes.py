"""Scenarios in which workers are replaced on purpose, by code that is good: nothing may be lost."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.clients import LoadPlan
from benchmarks.lifecycle.code import Code
from benchmarks.lifecycle.outcome import NEVER, Outcome, Value, books, remarks
from benchmarks.lifecycle.scenario import LOST, RETRIABLE, UNDER_LOAD, UNDER_SOME_LOAD, Scenario, lasting
from benchmarks.lifecycle.servers import Ability
from benchmarks.lifecycle.service import until
from benchmarks.ws.opening import opened
from benchmarks.ws.script import Script

if TYPE_CHECKING:
    import psutil

    from benchmarks.lifecycle.scenario import Stage
    from benchmarks.ws.connection import Connection

_TAKE_OVER_SECONDS: Final = 45.0
_SETTLED_SECONDS: Final = 5.0  #: longer than granian waits between two of its workers
_AFTER_SECONDS: Final = 1.0
_BURST: Final = 30
_BURST_GAP: Final = 0.1
_SCALE_GAP: Final = 0.7
_SCALE_STEPS: Final = 3
_RECYCLE: Final = 1000  #: requests of a worker
_SOCKETS: Final = 20
_SLOW_MS: Final = 6000
_BAKE: Final = 1.0


def reload(stage: Stage) -> Outcome:
    """Reload again and again until there were requests enough."""
    load, service = stage.load, stage.service
    slowest = 0.0
    while slowest < NEVER and load.look().due < stage.pace.requests:
        revision = service.code.write(Code())
        slowest = max(slowest, taken_over(stage, revision, service.signal(signal.SIGHUP)))
    stage.load_until(stage.pace.requests, _AFTER_SECONDS)
    tally = load.stop()
    return Outcome({**books(tally), "time": Value(slowest)}, tally.is_valid, remarks(tally))


def taken_over(stage: Stage, revision: int, since: float) -> float:
    """Wait until a revision has taken over; return seconds until all workers had it and no other answered."""
    load, service = stage.load, stage.service

    def has() -> bool:
        tally = load.look()
        quiet = tally.last_other(revision) < time.monotonic() - _AFTER_SECONDS
        return service.has_exited() or (len(tally.arrived(revision)) >= service.workers and quiet)

    if not until(has, _TAKE_OVER_SECONDS, step=0.1):
        return NEVER
    tally = load.look()
    arrived = tally.arrived(revision)
    if len(arrived) < service.workers:
        return NEVER
    return max(arrived[service.workers - 1], tally.last_other(revision)) - since


def burst(stage: Stage) -> Outcome:
    """Ask for many reloads in a row, each of other code."""
    load, service = stage.load, stage.service
    revision, last = 0, 0.0
    for _ in range(_BURST):
        revision = service.code.write(Code())
        last = service.signal(signal.SIGHUP)
        time.sleep(_BURST_GAP)

    def changed() -> float:
        tally = load.look()
        return max(tally.last_other(revision), *(seen.first for seen in tally.workers.values()))

    def is_settled() -> bool:
        now = time.monotonic()
        quiet = changed() < now - _SETTLED_SECONDS
        serving = load.look().serving(now - _SETTLED_SECONDS)
        return service.has_exited() or (quiet and len(serving) >= service.workers)

    settled = until(is_settled, 2 * _TAKE_OVER_SECONDS, step=0.2) and not service.has_exited()
    taken = max(0.0, changed() - last) if settled else NEVER
    tally = load.stop()
    return Outcome({**books(tally), "time": Value(taken)}, tally.is_valid, remarks(tally))


def new_code(stage: Stage) -> Outcome:
    """Reload while WebSockets are open and requests of six seconds run."""
    load, service = stage.load, stage.service
    slow = stage.more_load(
        LoadPlan(service.port, 3, 0, 32, query=f"ms={_SLOW_MS}", late_after=_SLOW_MS / 1000 + 1, grace=15)
    )
    with opened(_SOCKETS, service.port, "/", Script.of(b"hello")) as sockets:
        time.sleep(1.5)  # so that some of the slow ones are under way
        revision = service.code.write(Code(burn=0.1))
        taken = taken_over(stage, revision, service.signal(signal.SIGHUP))
        slow_tally = slow.stop()
        broken = sum(_is_broken(connection) for connection in sockets)
    tally = load.stop()
    values = {
        "time": Value(taken),
        "slow": Value(slow_tally.broken, slow_tally.due),
        "sockets": Value(broken, _SOCKETS),
        **books(tally),
    }
    return Outcome(values, tally.is_valid, remarks(tally))


def _is_broken(connection: Connection) -> bool:
    """Return whether a WebSocket is gone without a closing frame."""
    try:
        while True:
            connection.receive()
    except BlockingIOError:
        return False  # still open
    except OSError as error:
        return "closed by the server with" not in str(error)  # its status follows


def recycle(stage: Stage) -> Outcome:
    """Let workers come to the number of requests after which they are replaced."""
    load = stage.load
    everyone = (
        1.5 * _RECYCLE * stage.service.workers
    )  # so that each is replaced, however unevenly they are asked
    stage.load_until(max(stage.pace.requests, int(everyone)), _AFTER_SECONDS)
    tally = load.stop()
    replaced = Value(max(0, len(tally.workers) - stage.service.workers))
    if not replaced.amount:
        raise BenchmarkError("No worker was replaced.")
    return Outcome({**books(tally), "replaced": replaced}, tally.is_valid, remarks(tally))


def scale(stage: Stage) -> Outcome:
    """Take workers away and add them again, until there were requests enough."""
    load, service = stage.load, stage.service
    left = 0
    while load.look().due < stage.pace.requests and not service.has_exited():
        for _ in range(_SCALE_STEPS):
            service.signal(signal.SIGTTOU)
            time.sleep(_SCALE_GAP)
        time.sleep(_AFTER_SECONDS)
        left = max(left, len(load.look().serving(time.monotonic() - _AFTER_SECONDS / 2)))
        for _ in range(_SCALE_STEPS):
            service.signal(signal.SIGTTIN)
            time.sleep(_SCALE_GAP)
    stage.load_until(stage.pace.requests, _AFTER_SECONDS)
    tally = load.stop()
    return Outcome({**books(tally), "left": Value(left)}, tally.is_valid, remarks(tally))


def upgrade(stage: Stage) -> Outcome:
    """Have the master become its new version, again and again until there were requests enough."""
    load, service = stage.load, stage.service
    workers = set(service.ready())
    slowest = 0.0
    while slowest < NEVER and load.look().due < stage.pace.requests:
        before = _stack(service.root)
        since = service.signal(signal.SIGUSR2)
        has = until(lambda old=before: _stack(service.root) != old, 10)  # type: ignore[misc]
        slowest = max(slowest, time.monotonic() - since if has and not service.has_exited() else NEVER)
        time.sleep(2 * _AFTER_SECONDS)
    replaced = len(workers - set(service.ready()))
    stage.load_until(stage.pace.requests, _AFTER_SECONDS)
    tally = load.stop()
    values = {**books(tally), "time": Value(slowest), "replaced": Value(replaced, service.workers)}
    return Outcome(values, tally.is_valid, remarks(tally))


def _stack(process: psutil.Process) -> str:
    """Return where the main stack of a process begins: elsewhere after each execve (proc(5), startstack)."""
    try:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[25]
    except OSError:
        return ""


SCENARIOS: Final = (
    Scenario(
        "reload",
        (*UNDER_LOAD, lasting("until only new code answers", "time")),
        reload,
        needs={Ability.RELOAD: ""},
        told={Ability.BAKE: str(_BAKE)},
    ),
    Scenario(
        "burst",
        (*UNDER_LOAD, lasting("30 reloads 0.1 s apart: until settled", "time", 5)),
        burst,
        needs={Ability.RELOAD: ""},
        told={Ability.BAKE: str(_BAKE)},
    ),
    Scenario(
        "new-code",
        (
            lasting("until all 4 workers have new code", "time", 1 + _BAKE),
            *UNDER_SOME_LOAD,
            LOST.named("slow", "6 s requests lost"),
            LOST.named("sockets", "WebSockets ended without a close frame"),
        ),
        new_code,
        code=Code(burn=0.1),
        needs={Ability.RELOAD: ""},
        told={Ability.BAKE: str(_BAKE)},
    ),
    Scenario(
        "recycle",
        (*UNDER_LOAD, RETRIABLE.named("replaced", "workers replaced")),
        recycle,
        needs={Ability.RECYCLE: str(_RECYCLE)},
    ),
    Scenario(
        "scale",
        (*UNDER_LOAD, LOST.named("left", "workers left after three SIGTTOU", mark=1)),
        scale,
        needs={Ability.SCALE: ""},
    ),
    Scenario(
        "upgrade",
        (
            *UNDER_LOAD,
            lasting("until the master is the new version", "time", 5),
            LOST.named("replaced", "workers that did not live on"),
        ),
        upgrade,
        needs={Ability.UPGRADE: ""},
    ),
)
