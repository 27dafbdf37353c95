"""The life of one worker as the master sees it: states, and the table of moves between them.

A missing cell is a bug of the master (or of its fake kernel in the tests) and raises. What a worker
*says* out of turn is not: `may` answers that without raising.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class WorkerState(Enum):
    """Where a worker is in its life."""

    FORKING = "forking"  #: asked for; no process yet
    BOOTING = "booting"  #: the process imports the application and runs its startup
    READY = "ready"  #: serves
    HUNG = "hung"  #: its loop is blocked: what it holds is lost, but it may come to itself
    DRAINING = "draining"  #: accepts nothing new, finishes its requests
    DYING = "dying"  #: a signal to end at once was sent
    GONE = "gone"  #: reaped, or never forked


class Step(Enum):
    """What moves a worker from one state to the next."""

    FORKED = "forked"
    READY = "ready"
    DRAIN = "drain"
    HANG = "hang"
    KILL = "kill"
    EXITED = "exited"


TRANSITIONS: Final[dict[WorkerState, dict[Step, WorkerState]]] = {
    WorkerState.FORKING: {
        Step.FORKED: WorkerState.BOOTING,
        Step.EXITED: WorkerState.GONE,  # fork failed
    },
    WorkerState.BOOTING: {
        Step.READY: WorkerState.READY,
        Step.KILL: WorkerState.DYING,
        Step.EXITED: WorkerState.GONE,
    },
    WorkerState.READY: {
        Step.DRAIN: WorkerState.DRAINING,
        Step.HANG: WorkerState.HUNG,
        Step.KILL: WorkerState.DYING,
        Step.EXITED: WorkerState.GONE,
    },
    WorkerState.HUNG: {
        Step.DRAIN: WorkerState.DRAINING,  # it came to itself and did as it was told
        Step.KILL: WorkerState.DYING,
        Step.EXITED: WorkerState.GONE,
    },
    WorkerState.DRAINING: {
        Step.DRAIN: WorkerState.DRAINING,  # asked by the master and, at the same moment, by a signal
        Step.KILL: WorkerState.DYING,
        Step.EXITED: WorkerState.GONE,
    },
    WorkerState.DYING: {
        Step.KILL: WorkerState.DYING,  # TERM, then KILL
        Step.EXITED: WorkerState.GONE,
    },
    WorkerState.GONE: {},
}

#: States in which a worker serves its slot, or soon will.
HOLDING: Final = frozenset({WorkerState.FORKING, WorkerState.BOOTING, WorkerState.READY})
#: States in which there is a process that can be let go.
RETIRABLE: Final = frozenset({WorkerState.BOOTING, WorkerState.READY})


def may(state: WorkerState, step: Step) -> bool:
    """Return whether the table has a move for this step."""
    return step in TRANSITIONS[state]


def after(state: WorkerState, step: Step) -> WorkerState:
    """Return the state that follows.

    Raises:
        KeyError: The table has no such move.
    """
    return TRANSITIONS[state][step]
