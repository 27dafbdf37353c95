"""Admission against a model: places are neither lost nor given twice, and nobody is overtaken."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srvctl.worker.admission import Admission


class AdmissionMachine(RuleBasedStateMachine):
    """Requests come, leave, and give up; a request and who waits for it have the same number."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.active: set[int] = set()
        self.waiting: list[int] = []

    @initialize(limit=st.integers(1, 4), room=st.integers(0, 3))
    def begins(self, limit: int, room: int) -> None:
        self.limit, self.room = limit, room
        self.admission: Admission[int, int] = Admission(limit, room)

    @rule()
    def comes(self) -> None:
        self.number += 1
        entered = self.admission.enters(self.number)
        assert entered == (len(self.active) < self.limit)
        if entered:
            self.active.add(self.number)
            return
        waits = self.admission.waits(self.number, self.number)
        assert waits == (len(self.waiting) < self.room)
        if waits:
            self.waiting.append(self.number)

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.active)))
        self.active.discard(number)
        self.expect_next(self.admission.leaves(number))

    def expect_next(self, waiter: int | None) -> None:
        expected = self.waiting.pop(0) if self.waiting else None
        assert waiter == expected, "it was not this one's turn"
        if waiter is not None:
            self.active.add(waiter)

    @rule(number=st.integers(0, 50))
    def leaves_without_having_entered(self, number: int) -> None:
        if number not in self.active:
            assert self.admission.leaves(number) is None

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def gives_up(self, data: st.DataObject) -> None:
        """As connections do it, which need not know whether their turn has come."""
        number = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(number)
        self.admission.gives_up(number)
        assert self.admission.leaves(number) is None

    @invariant()
    def nobody_waits_while_there_is_a_place(self) -> None:
        assert not self.waiting or len(self.active) == self.limit

    def teardown(self) -> None:
        while self.active:
            number = self.active.pop()
            self.expect_next(self.admission.leaves(number))
        if hasattr(self, "admission"):
            assert not self.admission._active
            assert not self.admission._waiting


AdmissionMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestAdmission = AdmissionMachine.TestCase
