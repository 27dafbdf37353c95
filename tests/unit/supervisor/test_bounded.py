"""A master that has lived for long holds no more than one that is young: all it remembers has an end.

Counted is what can be reached from it, not memory: that the interpreter keeps some of what it was given back
(lists of free tuples, arenas) says nothing about this program.
"""

from __future__ import annotations

import gc
import types
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.actions import Announce, Milestone, Record, Reply
from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.chronicle import Chronicle
from srvctl.supervisor.events import (
    DumpAsked,
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    UpgradeAsked,
    WorkerKillAsked,
    WorkerStopAsked,
)
from srvctl.supervisor.fleet import FleetPolicy
from srvctl.supervisor.ledger import RECENT, Ledger
from srvctl.supervisor.policy import HealthPolicy
from srvctl.supervisor.tally import Tally
from tests.support.kernel import OPERATOR, Doing, Kernel
from tests.support.scene import reading
from tests.unit.supervisor.test_tally import DEATH

if TYPE_CHECKING:
    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event

#: What a program has once, and what leads from a value to all of the program.
_NOT_FOLLOWED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType)
#: Times that everything has happened to it; less where it looks at its workers, which is most of the work.
_YOUNG, _OLD, _GROWN_UP = 20, 200, 60
_POLICY = FleetPolicy(count=3, boot=6.0, drain=4.0, term=1.0)
_SEVERAL = ScalePolicy(1, 6, 0.7, 32, 1.0)
_HEALTH = HealthPolicy(hang_timeout=3.0, path="/health", interval=2.0, timeout=1.0, threshold=2)


class Life(Kernel):
    """A world whose master tells news, counts and remembers deaths, as the real one does."""

    def __init__(self, policy: FleetPolicy) -> None:
        super().__init__(policy)
        self.chronicle = Chronicle(self.fleet.state)
        self.tally = Tally()
        self.ledger = Ledger(None)
        self.reloads = Counter[Milestone]()
        self.start()
        self.rest()

    def _dispatch(self, event: Event) -> None:
        super()._dispatch(event)
        for _ in self.chronicle.news(self.fleet.state):
            pass

    def _note(self, action: Action) -> None:
        super()._note(action)
        match action:
            case Record(slot=slot, worker=worker, asked_by=asked_by):
                death = replace(DEATH, slot=slot, worker=worker, asked_by=asked_by)
                self.ledger.add(death)
                self.tally.died(death, reading(self.now, finished=7))
            case Announce(milestone=milestone):
                self.reloads[milestone] += 1
            case _:
                pass

    def holds(self) -> Counter[str]:
        """Return what can be reached from the master: objects and entries of containers, by type."""
        found: Counter[str] = Counter()
        seen: set[int] = set()
        pending: list[object] = [self.fleet, self.chronicle, self.tally, self.ledger]
        while pending:
            one = pending.pop()
            # What the collector does not know has nothing in it: a number, a text. The same small number is
            # one object, two large ones are two, so they are counted as entries only.
            if id(one) in seen or isinstance(one, _NOT_FOLLOWED) or not _may_hold(one):
                continue
            seen.add(id(one))
            name = type(one).__name__
            found[name] += 1
            if isinstance(one, dict | list | tuple | set | frozenset | deque):
                found[f"entries of {name}"] += len(one)
            pending += gc.get_referents(one)
        return found


def _may_hold(one: object) -> bool:
    return not isinstance(one, str | bytes | int | float | None)


def live_through_everything(life: Life) -> None:
    """Reload with success and without, recycle, scale, stop, kill, crash, ask, and try to upgrade."""
    events: list[Event] = [
        ReloadAsked("a person", life.ask()),
        RecycleAsked("a person", "all", life.ask()),
        ScaleAsked("a person", +1, client=life.ask()),
        ScaleAsked("a person", -1, client=life.ask()),
        WorkerStopAsked(OPERATOR, "slot:0", client=life.ask()),
        WorkerKillAsked(OPERATOR, "slot:1", client=life.ask()),
        DumpAsked(OPERATOR, "slot:0", client=life.ask()),
        UpgradeAsked("a person", client=life.ask()),
    ]
    for event in events:
        life.happen(event)
        life.rest()
    life.end(next(iter(life.processes.values())), "killed by SIGSEGV")
    life.rest()
    life.happen(ReloadAsked("a person", life.ask()))
    life.read_settings(None)
    life.rest()
    life.trace.clear()  # that of the test


@pytest.mark.parametrize(
    ("policy", "times"),
    [
        (_POLICY, _OLD),
        (replace(_POLICY, preload=True), _OLD),
        (replace(_POLICY, preload=True, health=_HEALTH, max_surge=2), _GROWN_UP),
        (replace(_POLICY, scale=_SEVERAL, health=_HEALTH, watermark=0.9), _GROWN_UP),
    ],
    ids=["alone", "from a mold", "probed", "scaled"],
)
def test_what_a_master_holds_does_not_grow(policy: FleetPolicy, times: int) -> None:
    life = Life(policy)
    for _ in range(_YOUNG):
        live_through_everything(life)
    young = life.holds()
    for _ in range(times - _YOUNG):
        live_through_everything(life)
    assert life.reloads[Milestone.RELOADED] == life.reloads[Milestone.RELOAD_FAILED] == times
    assert not life.waiting, "somebody still waits for an answer"
    assert life.holds() == young


def test_reloads_that_fail_half_way_leave_nothing_behind() -> None:
    """Without a mold, the workers that they replaced stay; those of the one before are replaced in turn."""
    life = Life(replace(_POLICY, preload=False, bake=0.0))

    def fail_half_way() -> None:
        life.happen(ReloadAsked("a person", client := life.ask()))
        life.read_settings(life.policy)
        generation = max(life.opened)
        ready = 0
        while client in life.waiting:
            life.obey()
            for process in [one for one in life.processes.values() if one.doing is Doing.BOOTING]:
                if process.generation == generation and ready:
                    life.fail(process)
                else:
                    ready += process.generation == generation
                    life.become_ready(process)
            life.wait(0.5)
        answer = life.answers[client] if client is not None else None
        assert isinstance(answer, Reply)
        assert not answer.is_ok
        life.rest()
        life.trace.clear()

    for _ in range(RECENT):
        fail_half_way()
    assert life.fleet.state.tolerated, "the old code cannot be had any more"
    young = life.holds()
    for _ in range(RECENT):
        fail_half_way()
    assert life.holds() == young
