"""What the master knows of its workers: questions about slots, and a worker's own moves."""

from __future__ import annotations

import pytest

from srvctl.supervisor.lifecycle import Step, WorkerState
from srvctl.supervisor.roster import Roster, Slot, Worker


def roster_of(*workers: Worker) -> Roster:
    roster = Roster()
    for worker in workers:
        roster.add(worker)
    return roster


@pytest.mark.parametrize(
    ("state", "holds"),
    [
        (WorkerState.FORKING, True),
        (WorkerState.BOOTING, True),
        (WorkerState.READY, True),
        (WorkerState.HUNG, False),
        (WorkerState.DRAINING, False),
        (WorkerState.DYING, False),
        (WorkerState.GONE, False),
    ],
)
def test_who_holds_a_slot(state: WorkerState, holds: bool) -> None:
    """A worker holds its slot from the decision to fork it until it is told to go."""
    worker = Worker(1, slot=0, generation=1, state=state)
    assert worker.holds_slot is holds
    assert roster_of(worker).holders(0) == [worker] * holds


@pytest.mark.parametrize("state", WorkerState)
def test_only_a_ready_worker_serves(state: WorkerState) -> None:
    """A slot is served by a ready worker and by no other."""
    worker = Worker(1, slot=0, generation=1, state=state)
    assert worker.is_ready is (state is WorkerState.READY)
    assert roster_of(worker).is_served(0) is worker.is_ready


def test_holders_come_oldest_first_and_of_one_slot() -> None:
    """The replacement comes after the one it replaces."""
    old, other, new = (Worker(n, slot, 1) for n, slot in ((1, 0), (2, 1), (3, 0)))
    assert roster_of(old, other, new).holders(0) == [old, new]


def test_serving_can_be_asked_of_one_generation() -> None:
    """A slot counts as replaced only when a worker of the new code is ready in it."""
    old = Worker(1, 0, generation=1, state=WorkerState.READY)
    new = Worker(2, 0, generation=2, state=WorkerState.BOOTING)
    roster = roster_of(old, new)
    assert roster.is_served(0)
    assert roster.is_served(0, 1)
    assert not roster.is_served(0, 2)
    new.take(Step.READY)
    assert roster.is_served(0, 2)
    assert not roster.is_served(1)


def test_iteration_survives_changes() -> None:
    """A worker may be removed while all are visited."""
    roster = roster_of(*(Worker(n, n, 1) for n in (1, 2, 3)))
    for worker in roster:
        roster.remove(worker)
    assert not roster.workers


def test_who_is_gone_holds_nothing() -> None:
    """Whether others of its slot are left or not, and also where two records say the same."""
    old, new, other = Worker(1, 0, 1), Worker(2, 0, 1), Worker(3, 1, 1)
    roster = roster_of(old, new, other)
    roster.remove(old)
    assert roster.holders(0) == [new]
    roster.remove(new)
    assert roster.holders(0) == []
    assert roster.holders(1) == [other]


def test_asking_about_each_slot_looks_at_each_worker_once() -> None:
    """Every event asks that several times, so it must not cost n² steps for n workers."""
    looks = 0

    class Seen(Worker):
        def __getattribute__(self, name: str) -> object:
            nonlocal looks
            looks += name == "state"
            return super().__getattribute__(name)

    roster = roster_of(*(Seen(n, n, 1, state=WorkerState.READY) for n in range(64)))
    looks = 0
    assert all(roster.is_served(slot) and roster.holders(slot) for slot in range(64))
    assert looks == 2 * 64


def test_a_slot_remembers() -> None:
    """The record of a slot is made on first use and is the same ever after."""
    roster = Roster()
    roster.slot(3).failures = 2
    assert roster.slots == {3: Slot(failures=2, not_before=0.0)}


def test_a_move_that_does_not_exist_raises() -> None:
    """The master trips over its own mistakes at once."""
    worker = Worker(1, 0, 1)
    assert not worker.may(Step.READY)
    with pytest.raises(KeyError):
        worker.take(Step.READY)
    assert worker.state is WorkerState.FORKING


def test_how_many_are_in_a_state() -> None:
    old, new = Worker(1, 0, 1, state=WorkerState.READY), Worker(2, 0, 1)
    roster = roster_of(old, new)
    roster.move(new, Step.FORKED)
    assert [roster.count(state) for state in (WorkerState.READY, WorkerState.BOOTING)] == [1, 1]
    roster.move(old, Step.EXITED)
    roster.remove(old)
    assert not any(map(roster.count, {WorkerState.READY, WorkerState.GONE}))


def test_whose_state_has_lasted_too_long() -> None:
    """Each state has its own limit, or none."""
    late, early, free = (Worker(number, number, 1) for number in (1, 2, 3))
    roster = roster_of(late, early, free)
    roster.move(early, Step.FORKED, 5.0)
    roster.move(late, Step.FORKED, 7.0)
    assert roster.overdue(4.0) == []
    assert roster.overdue(5.0) == [early]
    assert roster.overdue(9.0) == [late, early]
    assert late.deadline == 7.0
    roster.move(early, Step.READY)
    roster.remove(late)
    assert roster.overdue(9.0) == []
    assert (early.deadline, roster.limits) == (None, {})


def test_a_limit_comes_with_a_worker() -> None:
    """It does so from a mold, and after an upgrade."""
    roster = roster_of(worker := Worker(1, 0, 1, deadline=3.0))
    assert roster.overdue(3.0) == [worker]
    roster.limit(worker, None)
    assert roster.overdue(3.0) == []


def test_who_follows_learns_of_each_slot_that_changes() -> None:
    roster = roster_of(worker := Worker(1, 4, 1))
    seen, other = roster.follow(), roster.follow()
    assert seen == {4}
    seen.clear()
    roster.add(new := Worker(2, 5, 1))
    assert seen == {5}
    seen.clear()
    roster.move(worker, Step.FORKED)
    roster.remove(new)
    assert seen == other == {4, 5}
    seen.clear()
    roster.mark(worker, "max_lifetime")
    assert (seen, worker.leaves_because) == ({4}, "max_lifetime")


def test_a_move_that_does_not_exist_changes_nothing() -> None:
    roster = roster_of(worker := Worker(1, 0, 1))
    with pytest.raises(KeyError):
        roster.move(worker, Step.READY)
    assert roster.count(WorkerState.FORKING) == 1
