"""The timer wheel: nobody is woken too soon, nobody more than two ticks too late, and nobody twice."""

from __future__ import annotations

import pytest

from srvctl.worker.timers import NEVER, TimerWheel

TICK = 0.5


class Thing:
    """Has a deadline."""

    def __init__(self, deadline: float = NEVER) -> None:
        self.deadline = deadline
        self.due = NEVER


def wheel_of(*things: Thing) -> TimerWheel[Thing]:
    wheel: TimerWheel[Thing] = TimerWheel(TICK)
    for thing in things:
        wheel.place(thing)
    return wheel


@pytest.mark.parametrize("deadline", [0.0, 0.1, 0.5, 0.9, 1.0, 1e6 + 0.3])
def test_a_thing_is_woken_within_a_tick_of_its_deadline(deadline: float) -> None:
    """Not before it, and not at all the ticks behind it."""
    thing = Thing(deadline)
    wheel = wheel_of(thing)
    look = (deadline // TICK) * TICK
    assert wheel.expired(look) == []
    assert wheel.expired(look + TICK) == [thing]
    assert thing.due == NEVER
    assert wheel.expired(deadline + 100) == []


def test_a_deadline_that_needs_no_call_is_not_before_due() -> None:
    """Whoever compares with it never comes too late."""
    thing = Thing(1.2)
    wheel = wheel_of(thing)
    thing.deadline = thing.due
    assert wheel.expired(1.5) == [thing]


def test_a_thing_that_is_never_to_be_woken_is_not_on_the_wheel() -> None:
    """Nor stays on it when its deadline is taken back."""
    thing = Thing()
    wheel = wheel_of(thing)
    assert thing.due == NEVER
    thing.deadline = 1.0
    wheel.place(thing)
    thing.deadline = NEVER
    wheel.place(thing)
    assert thing.due == NEVER
    assert wheel.expired(1e9) == []
    assert not wheel._buckets


def test_a_deadline_that_moves_on_needs_no_call() -> None:
    """The thing is put where it belongs when its bucket comes up."""
    thing = Thing(1.0)
    wheel = wheel_of(thing)
    thing.deadline = 5.0
    assert wheel.expired(4.5) == []
    assert wheel.expired(5.0) == []
    assert wheel.expired(5.5) == [thing]


def test_a_deadline_that_is_taken_back_needs_no_call() -> None:
    """The thing is off the wheel once its bucket has come up."""
    thing = Thing(1.0)
    wheel = wheel_of(thing)
    thing.deadline = NEVER
    assert wheel.expired(1.5) == []
    assert thing.due == NEVER
    assert not wheel._buckets


def test_a_deadline_that_comes_nearer_is_kept() -> None:
    """After it was placed again, and only once."""
    thing = Thing(10.0)
    wheel = wheel_of(thing)
    thing.deadline = 1.0
    wheel.place(thing)
    assert wheel.expired(1.5) == [thing]
    assert wheel.expired(20.0) == []


def test_placing_twice_changes_nothing() -> None:
    """It is in one bucket."""
    thing = Thing(1.0)
    wheel = wheel_of(thing, thing)
    assert wheel.expired(2.0) == [thing]


def test_a_thing_that_is_removed_is_forgotten() -> None:
    """And may be removed again, or placed again."""
    thing, other = Thing(1.0), Thing(1.0)
    wheel = wheel_of(thing, other)
    wheel.remove(thing)
    wheel.remove(thing)
    assert thing.due == NEVER
    assert wheel.expired(2.0) == [other]
    thing.deadline = 3.0
    wheel.place(thing)
    assert wheel.expired(4.0) == [thing]


def test_removing_the_last_thing_leaves_nothing_behind() -> None:
    """Empty buckets would pile up."""
    thing = Thing(1.0)
    wheel = wheel_of(thing)
    wheel.remove(thing)
    assert not wheel._buckets


def test_what_was_late_for_long_is_woken_all_at_once_in_order() -> None:
    """As after the loop was blocked."""
    things = [Thing(float(deadline)) for deadline in (5, 1, 3, 2, 4)]
    wheel = wheel_of(*things)
    assert [thing.deadline for thing in wheel.expired(100.0)] == [1, 2, 3, 4, 5]


def test_a_deadline_in_the_past_is_woken_at_the_next_look() -> None:
    """For instance one that is placed again while others are woken."""
    wheel = wheel_of()
    wheel.expired(10.0)
    thing = Thing(3.0)
    wheel.place(thing)
    assert wheel.expired(10.5) == [thing]


@pytest.mark.parametrize("tick", [0.05, 0.1, 0.3, 0.5, 1 / 3])
def test_the_length_of_a_tick_is_of_no_importance(tick: float) -> None:
    """Also where floats are not exact."""
    wheel: TimerWheel[Thing] = TimerWheel(tick)
    things = [Thing(number * 0.1) for number in range(1000)]
    for thing in things:
        wheel.place(thing)
    for thing in things[::2]:
        wheel.remove(thing)
    assert sorted(thing.deadline for thing in wheel.expired(200.0)) == [t.deadline for t in things[1::2]]
    assert not wheel._buckets
