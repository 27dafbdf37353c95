"""The watchdog over random lives of a fleet: a quorum that beats is never let down, and nothing else is fed.

Workers stall and come to themselves, die and are replaced, slots come and go, a stop may come; the machine
never sleeps. What is true is kept beside the fleet: when each slot last had a worker that served and beat.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.supervisor.actions import Drain, Exit, Feed, Kill, Look, Spawn
from srvctl.supervisor.events import (
    Forked,
    Looked,
    ScaleAsked,
    Started,
    StopAsked,
    TimePassed,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet, Phase
from srvctl.supervisor.notices import Manager
from tests.support.scene import POLICY, reading

if TYPE_CHECKING:
    from srvctl.supervisor.events import Event

_POLICY = replace(POLICY, boot=10_000.0, drain=50.0)
#: Seconds by which a sum of floats may be wrong.
_ROUNDING = 1e-6

steps = st.lists(
    st.tuples(
        st.sampled_from(["wait", "wait", "wait", "stall", "recover", "die", "ready", "more", "fewer"]),
        st.integers(0, 3),
        st.floats(0.0, 15.0),
    ),
    max_size=60,
)


class World:
    """A fleet, its workers as they are, and what the service manager has heard."""

    def __init__(self, count: int, period: float) -> None:
        self.period = period
        manager = Manager(listens=True, watchdog=period)
        self.fleet = Fleet(replace(_POLICY, count=count), lambda: 0.5, manager)
        self.now = 1000.0
        self.stalled: dict[int, float] = {}  #: workers, and when they beat last
        self.booting: list[int] = []
        self.heard = 0.0  #: when the service manager was last told something good
        self.good_since: float | None = None  #: from when on a quorum has beaten
        self.last: dict[int, float] = {}  #: by slot: the last true beat
        self.tell(Started())
        for worker in list(self.booting):
            self.ready(worker)
        self.heard = self.now
        self.check()

    def tell(self, event: Event) -> None:
        """Have the fleet take in an event, and its orders carried out."""
        pending, roster = [event], self.fleet.state.roster
        while pending:
            for action in self.fleet.handle(pending.pop(0), self.now):
                match action:
                    case Spawn(worker=worker):
                        pending.append(Forked(worker, 1000 + worker))
                        self.booting.append(worker)
                    case Drain(worker=worker) | Kill(worker=worker):
                        pending.append(WorkerExited(worker, "exit code 0"))
                    case Look():
                        pending.append(Looked({w.number: reading(self.beat(w.number)) for w in roster}))
                    case Feed():
                        self.fed()
                    case Exit():
                        return
                    case _:
                        pass

    def beat(self, worker: int) -> float:
        """When a worker has beaten last: within half a second, or before it stalled."""
        return self.stalled.get(worker, self.now)

    def ready(self, worker: int) -> None:
        self.booting.remove(worker)
        if worker in self.fleet.state.roster.workers:
            self.tell(WorkerReady(worker))

    def note(self) -> int:
        """Keep the truth; return how many slots beat at this moment."""
        beating = 0
        for slot in self.fleet.state.slots:
            serving = self.fleet.state.roster.serving(slot)
            for worker in serving:
                self.last[slot] = max(
                    self.last.get(slot, 0.0), self.beat(worker.number), worker.ready_at or 0.0
                )
            beating += any(worker.number not in self.stalled for worker in serving)
        self.last = {slot: beat for slot, beat in self.last.items() if slot < self.fleet.state.target}
        return beating

    def fed(self) -> None:
        """The watchdog was fed: that must have been earned."""
        self.note()
        if self.fleet.state.phase is Phase.RUNNING:
            patience = max(self.period, 2.0)
            alive = sum(beat >= self.now - patience - _ROUNDING for beat in self.last.values())
            assert alive > len(self.last) // 2, "it was fed although no quorum beat"
        self.heard = self.now

    def check(self) -> None:
        """While a quorum of all slots beats, the service manager hears of it in time."""
        beating = self.note()
        stops = self.fleet.state.phase is Phase.STOPPING
        if not stops and beating <= self.fleet.state.target // 2:
            self.good_since = None
            return
        if self.good_since is None:
            self.good_since = self.now
        silent = self.now - max(self.heard, self.good_since)
        assert silent <= self.period * 0.75 + _ROUNDING, "nobody has fed it although a quorum beats"

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until and self.fleet.state.phase is not Phase.ENDED:
            due = self.fleet.next_deadline()
            assert due is None or due > self.now
            self.note()
            self.now = until if due is None else min(due, until)
            self.tell(TimePassed())
            self.check()

    def step(self, what: str, which: int, seconds: float) -> None:
        serving = [worker.number for worker in self.fleet.state.roster if worker.is_ready]
        chosen = serving[which % len(serving)] if serving else None
        match what:
            case "stall" if chosen is not None:
                self.stalled.setdefault(chosen, self.now)
            case "recover":
                self.stalled = dict(list(self.stalled.items())[which:])
            case "die" if chosen is not None:
                self.note()
                self.tell(WorkerExited(chosen, "killed by SIGSEGV"))
            case "ready" if self.booting:
                self.ready(self.booting[which % len(self.booting)])
            case "more" if self.fleet.state.target < 6:
                self.tell(ScaleAsked("x", +1))
            case "fewer":
                self.tell(ScaleAsked("x", -1))
            case _:
                self.wait(seconds)
        self.check()


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 5), st.sampled_from([1.0, 2.0, 3.0, 8.0, 30.0]), steps, st.booleans())
def test_whoever_beats_is_heard_of_and_nobody_else(
    count: int, period: float, plan: list[tuple[str, int, float]], is_stopped: bool
) -> None:
    world = World(count, period)
    for what, which, seconds in plan:
        world.step(what, which, seconds)
    if is_stopped:
        world.tell(StopAsked("SIGTERM"))
        world.wait(30.0)
