"""Slots by their condition: always as if all had been judged just now, and only those are that changed."""

from __future__ import annotations

from srvctl.supervisor.lifecycle import Step, WorkerState
from srvctl.supervisor.roster import Roster, Worker
from srvctl.supervisor.standing import Standing


class Judge:
    """Says whether a slot is served, and remembers which slots it was asked about."""

    def __init__(self, *workers: Worker) -> None:
        self.roster = Roster()
        for worker in workers:
            self.roster.add(worker)
        self.asked: list[int] = []
        self.standing = Standing(self.roster, self._condition)

    def _condition(self, slot: int) -> str | None:
        self.asked.append(slot)
        return "served" if self.roster.is_served(slot) else None

    def served(self, count: int, aim: str = "") -> set[int]:
        """Return the slots that are served; `asked` is who was judged for that."""
        self.asked.clear()
        return set(self.standing.now(range(count), aim).get("served", ()))


def serving(number: int, slot: int) -> Worker:
    return Worker(number, slot, 1, state=WorkerState.READY)


def test_at_first_all_are_judged() -> None:
    """The slots that are wanted, and those that have workers."""
    judge = Judge(serving(1, 0), serving(2, 5))
    assert judge.served(2) == {0, 5}
    assert sorted(judge.asked) == [0, 1, 5]


def test_then_those_whose_workers_changed() -> None:
    judge = Judge(worker := serving(1, 0), serving(2, 1))
    judge.served(2)
    assert judge.served(2) == {0, 1}
    assert judge.asked == []
    judge.roster.move(worker, Step.DRAIN)
    assert judge.served(2) == {1}
    assert judge.asked == [0]
    judge.roster.add(serving(3, 0))
    assert judge.served(2) == {0, 1}
    judge.roster.remove(worker)
    assert judge.served(2) == {0, 1}
    assert judge.asked == [0]
    judge.roster.mark(worker, "max_requests")
    judge.served(2)
    assert judge.asked == [0]


def test_all_are_judged_anew_for_another_aim() -> None:
    judge = Judge(serving(1, 0), serving(2, 1))
    judge.served(2)
    judge.served(2, "another")
    assert sorted(judge.asked) == [0, 1]


def test_all_are_judged_anew_for_another_number_of_slots() -> None:
    """Those as well that are not wanted any more, with workers or without."""
    judge = Judge(last := serving(1, 3), serving(2, 2))
    judge.served(4)
    judge.served(1)
    assert sorted(judge.asked) == [0, 2, 3]
    judge.roster.remove(last)
    assert judge.served(1) == {2}


def test_a_condition_that_no_slot_is_in_is_not_kept() -> None:
    """Conditions may be as many as there are generations."""
    judge = Judge(worker := serving(1, 0))
    assert judge.standing.now(range(1)) == {"served": {0}}
    judge.roster.move(worker, Step.DRAIN)
    assert judge.standing.now(range(1)) == {}
