"""The timer wheel against a model that keeps nothing but deadlines."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from srvctl.worker.timers import NEVER, TimerWheel

TICK = 0.5
deadlines = st.floats(0, 100, allow_subnormal=False)


class Thing:
    """Has a deadline."""

    def __init__(self) -> None:
        self.deadline = self.due = NEVER


class WheelMachine(RuleBasedStateMachine):
    """Things come, have their deadlines moved, and go, while time goes by."""

    things = Bundle("things")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.wheel: TimerWheel[Thing] = TimerWheel(TICK)
        self.placed: set[Thing] = set()
        self.woken: set[Thing] = set()

    @rule(target=things, deadline=deadlines)
    def comes(self, deadline: float) -> Thing:
        thing = Thing()
        self.moves(thing, deadline)
        return thing

    @rule(thing=things, deadline=deadlines)
    def moves(self, thing: Thing, deadline: float) -> None:
        """As a connection does it: placed only if it must be."""
        thing.deadline = self.now + deadline
        if thing.deadline < thing.due:
            self.wheel.place(thing)
        self.placed.add(thing)

    @rule(thing=things)
    def rests(self, thing: Thing) -> None:
        thing.deadline = NEVER
        self.placed.discard(thing)

    @rule(thing=consumes(things))
    def goes(self, thing: Thing) -> None:
        self.wheel.remove(thing)
        self.placed.discard(thing)

    @rule(ticks=st.integers(1, 30))
    def time_goes_by(self, ticks: int) -> None:
        for _ in range(ticks):
            self.now += TICK
            expired = self.wheel.expired(self.now)
            assert len(expired) == len(set(expired)), "woken twice"
            for thing in expired:
                assert thing in self.placed, "woken though it was removed, or had no deadline"
                assert thing.deadline <= self.now, "woken too soon"
                self.placed.discard(thing)
            assert all(thing.deadline > self.now - TICK for thing in self.placed), "not woken in time"

    @invariant()
    def buckets_are_not_empty(self) -> None:
        assert all(self.wheel._buckets.values())

    @invariant()
    def everything_is_in_one_bucket(self) -> None:
        held = [thing for bucket in self.wheel._buckets.values() for thing in bucket]
        assert len(held) == len(set(held))
        assert set(held) >= self.placed
        assert all(thing.due != NEVER for thing in held)


WheelMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestWheel = WheelMachine.TestCase
