"""The table of a worker's life, cell by cell, and what follows from it."""

from __future__ import annotations

import pytest

from srvctl.supervisor.lifecycle import HOLDING, TRANSITIONS, Step, WorkerState, after, may

FORKING, BOOTING, READY = WorkerState.FORKING, WorkerState.BOOTING, WorkerState.READY
HUNG = WorkerState.HUNG
DRAINING, DYING, GONE = WorkerState.DRAINING, WorkerState.DYING, WorkerState.GONE

#: The whole table once more, as people read it; None is a move that does not exist.
MOVES: dict[WorkerState, dict[Step, WorkerState | None]] = {
    #                   forked   ready  drains    blocked signalled ends
    FORKING: dict(zip(Step, (BOOTING, None, None, None, None, GONE), strict=True)),
    BOOTING: dict(zip(Step, (None, READY, None, None, DYING, GONE), strict=True)),
    READY: dict(zip(Step, (None, None, DRAINING, HUNG, DYING, GONE), strict=True)),
    HUNG: dict(zip(Step, (None, None, DRAINING, None, DYING, GONE), strict=True)),
    DRAINING: dict(zip(Step, (None, None, DRAINING, None, DYING, GONE), strict=True)),
    DYING: dict(zip(Step, (None, None, None, None, DYING, GONE), strict=True)),
    GONE: dict(zip(Step, (None, None, None, None, None, None), strict=True)),
}
CELLS = [
    pytest.param(state, step, MOVES[state][step], id=f"{state.value}-{step.value}")
    for state in WorkerState
    for step in Step
]


@pytest.mark.parametrize(("state", "step", "following"), CELLS)
def test_each_cell(state: WorkerState, step: Step, following: WorkerState | None) -> None:
    """`may` knows whether there is a move; `after` makes it, and raises where there is none."""
    assert may(state, step) == (following is not None)
    if following is None:
        with pytest.raises(KeyError):
            after(state, step)
    else:
        assert after(state, step) is following


def reachable(state: WorkerState) -> set[WorkerState]:
    seen: set[WorkerState] = set()
    ahead = {state}
    while ahead:
        seen |= ahead
        ahead = {following for here in ahead for following in TRANSITIONS[here].values()} - seen
    return seen


@pytest.mark.parametrize("state", WorkerState)
def test_every_life_can_end(state: WorkerState) -> None:
    """No state is a trap: the end of the process leads out of each."""
    assert GONE in reachable(state)


def test_every_state_is_lived_in() -> None:
    """A worker that is asked for can reach every state there is."""
    assert reachable(FORKING) == set(WorkerState)


@pytest.mark.parametrize("state", [HUNG, DRAINING, DYING, GONE])
def test_who_let_go_of_a_slot_never_holds_it_again(state: WorkerState) -> None:
    """A replacement may be started without fear that the old worker comes back."""
    assert not reachable(state) & HOLDING


@pytest.mark.parametrize("state", [BOOTING, READY, HUNG, DRAINING, DYING])
def test_whatever_has_a_process_can_be_ended(state: WorkerState) -> None:
    """A signal is possible in every state between fork and end."""
    assert may(state, Step.KILL)
    assert may(state, Step.EXITED)
