"""A `Fleet` whose workers have something to do: a model of queues, with a clock that is turned by hand.

Every request takes a time of its worker's loop, and then waits for something else. Who is ready gets an equal
part of what comes, who has begun a request ends it, and what a worker has not got to waits in it. Its board
says what a real one does: counters at once, processor time and lateness at each beat, twice a second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.ipc.scoreboard import Reading
from srvctl.supervisor.actions import Drain, Look, Spawn
from srvctl.supervisor.events import Forked, Looked, Started, TimePassed, WorkerExited, WorkerReady
from srvctl.supervisor.fleet import Fleet

if TYPE_CHECKING:
    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.policy import FleetPolicy

STEP: Final = 0.02  #: seconds
#: Seconds from the fork of a worker to its first request, from a mold.
_BOOT: Final = 0.1
_TICK: Final = 0.5
_START: Final = 1000.0
_SHAPES: Final = Path(__file__).parent / "load_shapes"


def shape(name: str) -> list[float]:
    """Return requests per second, for one second after the other."""
    return [float(line) for line in (_SHAPES / f"{name}.csv").read_text().split()]


@dataclass(slots=True)
class Modelled:
    """A worker.

    Attributes:
        ready_at: When it serves.
        next_beat: When its loop is to beat.
        queue: Requests that it has begun, and has not had time for.
        waits: When, and how many requests then are done with waiting for something else.
        blocked_until: Its loop does nothing at all before then.
        board: What it has written at its last beat: when, processor time, lateness.
    """

    ready_at: float
    next_beat: float
    queue: float = 0.0
    begun: float = 0.0
    finished: float = 0.0
    cpu: float = 0.0
    waits: deque[tuple[float, float]] = field(default_factory=deque)
    blocked_until: float = 0.0
    board: tuple[float | None, float, float] = (None, 0.0, 0.0)
    drains: bool = False

    def work(self, now: float, cost: float, wait: float) -> None:
        """Do what can be done in one step."""
        while self.waits and self.waits[0][0] <= now:
            self.finished += self.waits.popleft()[1]
        if now < self.blocked_until:
            return
        done = min(self.queue, STEP / cost)
        if done:
            self.queue -= done
            self.cpu += done * cost
            self.waits.append((now + wait, done))
        if now >= self.next_beat:
            self.board = (now, self.cpu, now - self.next_beat)
            self.next_beat = now + _TICK

    def reading(self) -> Reading:
        """Return what its board says."""
        beat, cpu, lag = self.board
        return Reading(
            beat=beat,
            waited=0.0,
            begun=int(self.begun + 1e-6),
            finished=int(self.finished + 1e-6),
            cut=0,
            errors=0,
            connections=0,
            lag=lag,
            lag_max=lag,
            rss=0,
            rss_trend=(),
            trend_every=0,
            takes_dumps=True,
            cpu_seconds=cpu,
        )


class LoadModel:
    """The model.

    Args:
        policy: What the fleet aims at.
        cost: Seconds of a loop that a request takes.
        wait: Seconds it then waits for something else.
    """

    def __init__(self, policy: FleetPolicy, *, cost: float, wait: float = 0.0) -> None:
        self.fleet = Fleet(policy, chance=lambda: 0.5)
        self.now = _START
        self.workers: dict[int, Modelled] = {}
        self.targets: list[
            tuple[float, int]
        ] = []  #: seconds since the beginning, workers wanted from then on
        self.spent = 0.0  #: seconds of workers
        self.longest = 0.0  #: seconds of work that were queued in front of a request, at the worst
        self.lost = 0.0  #: requests that nobody was there for
        self.comes_up = True  #: whoever is started from now on
        self._cost, self._wait = cost, wait
        self._tell(Started())

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return self.now - _START

    @property
    def wanted(self) -> int:
        """How many workers are wanted."""
        return self.fleet.state.target

    def play(self, rates: list[float]) -> None:
        """Let so many requests come in each second."""
        for rate in rates:
            for _ in range(round(1 / STEP)):
                self.step(rate)

    def step(self, rate: float) -> None:
        """Let a step pass in which requests come at a rate."""
        self.now += STEP
        for number, worker in list(self.workers.items()):
            if not worker.drains and worker.ready_at <= self.now < worker.ready_at + STEP:
                self._tell(WorkerReady(number))
        serving = [
            worker
            for worker in self.workers.values()
            if not worker.drains and worker.ready_at <= self.now >= worker.blocked_until
        ]
        for worker in serving:
            worker.queue += rate * STEP / len(serving)
            worker.begun += rate * STEP / len(serving)
            self.longest = max(self.longest, worker.queue * self._cost)
        if not serving and self.passed > 1:
            self.lost += rate * STEP
        for number, worker in list(self.workers.items()):
            worker.work(self.now, self._cost, self._wait)
            if worker.drains and worker.queue + len(worker.waits) == 0:
                del self.workers[number]
                self._tell(WorkerExited(number, "exit code 0"))
        self.spent += len(self.workers) * STEP
        due = self.fleet.next_deadline()
        if due is not None and due <= self.now:
            self._tell(TimePassed())

    def block(self, number: int, seconds: float) -> None:
        """Have the loop of a worker do nothing for a time."""
        self.workers[number].blocked_until = self.now + seconds

    def _tell(self, *events: Event) -> None:
        pending = deque(events)
        while pending:
            for action in self.fleet.handle(pending.popleft(), self.now):
                pending += self._obey(action)
        if not self.targets or self.targets[-1][1] != self.wanted:
            self.targets.append((self.passed, self.wanted))

    def _obey(self, action: Action) -> list[Event]:
        match action:
            case Spawn(worker=number) if not self.comes_up:
                return [Forked(number, 1000 + number), WorkerExited(number, "exit code 1")]
            case Spawn(worker=number):
                ready_at = self.now + _BOOT
                self.workers[number] = Modelled(ready_at, ready_at + STEP * (number % 5))
                return [Forked(number, 1000 + number)]
            case Drain(worker=number):
                self.workers[number].drains = True
            case Look():
                return [Looked({number: worker.reading() for number, worker in self.workers.items()})]
            case _:
                pass
        return []
