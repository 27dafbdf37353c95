"""What the master knows of the processes beside the workers: one record for each of them. Pure.

Observed state only; `supervision` compares it with what is wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.moves import check_move

if TYPE_CHECKING:
    from collections.abc import Iterator


class PlaceState(Enum):
    """Where a process is in its life; the value is what people are told."""

    WAITING = "waiting"  #: for others, or until it may be started again
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"  #: somebody wanted that
    DONE = "done"  #: it has ended with success, and is not to be started again
    FAILED = "failed"  #: it has ended otherwise, and is not to be started again


class Want(Enum):
    """What is to become of a place once its process, which was asked to end, has ended."""

    NOTHING = ""
    START = "start"
    TRY_AGAIN = "try again"  #: as after any failure
    LEAVE = "leave"  #: the settings do not name it any more


_ENDED: Final = {
    PlaceState.WAITING: "tried again",
    PlaceState.DONE: "success",
    PlaceState.FAILED: "failure",
}
_ASKED: Final = {PlaceState.WAITING: "start wanted", PlaceState.STOPPED: "stop wanted"}
#: Which state may follow which, and why it does. A move that is not here is a bug.
MOVES: Final[dict[PlaceState, dict[PlaceState, str]]] = {
    PlaceState.WAITING: {
        PlaceState.STARTING: "its turn",
        PlaceState.STOPPED: "stop wanted",
    },
    PlaceState.STARTING: {PlaceState.RUNNING: "ready", PlaceState.STOPPING: "stop wanted, or too late"}
    | _ENDED,
    PlaceState.RUNNING: {PlaceState.STOPPING: "stop wanted"} | _ENDED,
    PlaceState.STOPPING: {PlaceState.STOPPED: "ended, as wanted"} | _ENDED,
    PlaceState.STOPPED: {PlaceState.WAITING: "start wanted"},
    PlaceState.DONE: _ASKED,
    PlaceState.FAILED: _ASKED,
}
#: States in which there is a process, or will be one at once.
ALIVE = frozenset({PlaceState.STARTING, PlaceState.RUNNING, PlaceState.STOPPING})


@dataclass(slots=True)
class Place:
    """A place for one process of a program; its processes come and go.

    Attributes:
        name: The program.
        index: Which of its processes, 0…count-1.
        state: Where its process is in its life.
        process: Number of the latest process; 0 before the first.
        pid: Its process id; None where there is no process.
        deadline: When (monotonic seconds) its state has lasted too long.
        forked_at: When the process was started.
        ready_at: When it became ready.
        failures: Processes in a row that ended too soon.
        restarts: Processes that were started here after the first.
        not_before: When the next may be started.
        reason: Why it is not running, or how the last one ended; empty where there is nothing to say.
        wants: What is to become of it once its process has ended, where that was asked for.
        stop_signal: What asks its process to end, as of when it was started.
        stop_timeout: Seconds it then has.
    """

    name: str
    index: int
    state: PlaceState = PlaceState.WAITING
    process: int = 0
    pid: int | None = None
    deadline: float | None = None
    forked_at: float | None = None
    ready_at: float | None = None
    failures: int = 0
    restarts: int = 0
    not_before: float = 0.0
    reason: str = ""
    wants: Want = Want.NOTHING
    stop_signal: str = "TERM"
    stop_timeout: float = 10.0

    def enter(self, state: PlaceState) -> None:
        """Go on to a state; nothing where it is that already.

        Raises:
            ValueError: The table has no such move.
        """
        if state is self.state:
            return
        check_move(MOVES, self.state, state, "a program")
        self.state = state

    @property
    def label(self) -> str:
        """What people call it, where its program has several processes."""
        return f"{self.name}:{self.index}"

    @property
    def is_alive(self) -> bool:
        """Whether there is a process."""
        return self.state in ALIVE


@dataclass(slots=True)
class Places:
    """All places, in the order of the file."""

    places: dict[tuple[str, int], Place] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Place]:
        return iter(list(self.places.values()))

    def of(self, name: str) -> list[Place]:
        """Return those of one program."""
        return [place for place in self.places.values() if place.name == name]

    def label_of(self, place: Place) -> str:
        """Return what people call a place: its program, with its number where that has several."""
        return place.label if len(self.of(place.name)) > 1 else place.name

    def by_process(self, process: int) -> Place | None:
        """Return the place of a process; None if it is none's any more."""
        return next((place for place in self.places.values() if place.process == process), None)
