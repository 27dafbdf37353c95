"""What the service manager is told beside milestones: all is well, more time is needed, numbers. Pure.

Part of `fleet`. Nothing is said to nobody: without a service manager that listens, no time is spent on it.
`pulse` says when the watchdog is fed, `service_line` how everything is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.actions import Announce, Describe, Extend, Milestone
from srvctl.supervisor.pulse import SHORTEST, Pulse
from srvctl.supervisor.service_line import Figures, line
from srvctl.supervisor.state import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.supervisor.state import State

#: Seconds that are asked for when something takes its time, and how often.
_MORE_TIME: Final = 15.0
_ASK_EVERY: Final = 5.0
#: Seconds between two lines of which only the numbers differ; the master does not wake up for those.
_NUMBERS_EVERY: Final = 4.5
#: Seconds between two lines within one state of the service, when workers come and go.
_NEWS_EVERY: Final = 1.0
#: Seconds over which requests are counted, at least.
_COUNT_OVER: Final = 4.5


@dataclass(frozen=True, slots=True)
class Manager:
    """The service manager.

    Attributes:
        listens: It is to be told something.
        watchdog: Seconds after which it takes the service for dead, unless it is told otherwise; 0 for never.
    """

    listens: bool = False
    watchdog: float = 0.0

    @property
    def look_every(self) -> float | None:
        """Seconds between two looks at the beats, at most; None where nobody asks for them."""
        return max(self.watchdog / 4, 0.1) if self.listens and self.watchdog else None


class Notices:
    """When it is told what.

    Args:
        state: The fleet's.
        manager: Who is told.
    """

    def __init__(self, state: State, manager: Manager) -> None:
        self._state = state
        self._manager = manager
        self._pulse = Pulse(state, manager.watchdog if manager.listens else 0.0)
        self._has_begun = False
        self._is_upgrading = False  #: and that was announced
        self._asked_at = float("-inf")  #: for more time
        self._waits_for_more = False
        self._stage: object = None  #: of the service, when the line was last said
        self._said = ("", "")  #: the line, and what it was but for the numbers
        self._said_at = float("-inf")
        self._news_at: float | None = None
        self._figures: Figures | None = None
        self._finished: dict[int, int] = {}  #: requests, by worker
        self._counted_at = float("-inf")

    @property
    def deadline(self) -> float | None:
        """When `advance` is to be called at the latest."""
        if not self._manager.listens:
            return None
        ask_at = self._asked_at + _ASK_EVERY if self._waits_for_more else None
        moments = (self._pulse.deadline, ask_at, self._news_at)
        return min((moment for moment in moments if moment is not None), default=None)

    def advance(self) -> None:
        """Say what is due now."""
        if not self._manager.listens or self._state.phase is Phase.ENDED:
            return
        if not self._has_begun:
            self._begin()
        self._note_upgrade()
        self._pulse.advance()
        self._ask_for_time()
        self._describe()

    def looked(self) -> None:
        """Count what the boards of the workers say, which were read just now."""
        state = self._state
        if not self._manager.listens:
            return
        self._pulse.looked()
        seen = [(worker.number, worker.health.reading) for worker in state.roster if worker.is_ready]
        found = {number: reading for number, reading in seen if reading is not None}
        rate = self._figures.rate if self._figures is not None else None
        passed = state.now - self._counted_at
        if passed >= _COUNT_OVER:
            before, self._finished = self._finished, {number: r.finished for number, r in found.items()}
            if self._counted_at > float("-inf"):
                done = (max(count - before.get(number, 0), 0) for number, count in self._finished.items())
                rate = sum(done) / passed
            self._counted_at = state.now
        self._figures = Figures(sum(reading.in_flight for reading in found.values()), rate)

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"pulse": self._pulse.export(), "is_upgrading": self._is_upgrading}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's."""
        self._has_begun = True
        self._is_upgrading = values.get("is_upgrading", False)
        self._pulse.restore(values.get("pulse", {}))

    # -- details -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._has_begun = True
        if 0 < self._manager.watchdog < SHORTEST:
            self._state.orders.warning(
                f"A watchdog of {self._manager.watchdog:g} s is shorter than it takes to see whether workers "
                f"live; it is fed all the same. Set WatchdogSec={SHORTEST:g} or more."
            )

    def _note_upgrade(self) -> None:
        """Have an upgrade look like a reload: its manager sees another program, as systemd's own does."""
        state = self._state
        if state.is_upgrading == self._is_upgrading:
            return
        self._is_upgrading = state.is_upgrading
        if state.is_upgrading:
            state.orders.give(Announce(Milestone.UPGRADING))
        elif state.phase is Phase.RUNNING and state.reload is None:  # else they have said where it is now
            state.orders.give(Announce(Milestone.UPGRADED, state.upgrade_error))

    def _ask_for_time(self) -> None:
        state = self._state
        self._waits_for_more = not self._pulse.is_missed and _is_bounded(state)
        is_due = state.now >= self._asked_at + _ASK_EVERY or self._stage != _stage(state)
        if self._waits_for_more and is_due:
            self._asked_at = state.now
            state.orders.give(Extend(_MORE_TIME))

    def _describe(self) -> None:
        state, now = self._state, self._state.now
        if state.phase is Phase.STOPPING and not state.was_ever_ready:
            return  # `ending` has said why
        is_missed = self._pulse.is_missed
        said = (line(state, self._figures, is_missed=is_missed), line(state, None, is_missed=is_missed))
        wait = 0.0
        self._news_at = None
        if self._stage == _stage(state):  # else a milestone has replaced what was said
            if said == self._said:
                return
            wait = _NEWS_EVERY if said[1] != self._said[1] else _NUMBERS_EVERY
        if now < self._said_at + wait:
            self._news_at = self._said_at + wait if wait == _NEWS_EVERY else None
            return
        self._stage, self._said, self._said_at = _stage(state), said, now
        state.orders.give(Describe(said[0]))


def _stage(state: State) -> object:
    """Return what milestones tell apart."""
    return state.phase, state.reload.generation if state.reload else None, state.is_upgrading


def _is_bounded(state: State) -> bool:
    """Return whether something is under way that ends by itself, and that is to be waited for."""
    match state.phase:
        case Phase.LEAVING:
            return True
        case Phase.RUNNING if state.is_upgrading:
            return True  # its rehearsal has a deadline
        case Phase.RUNNING:
            return state.reload is not None and _has_deadline(state)
        case Phase.BOOTING:
            # What fails and is tried again may do so for ever.
            is_well = not any(state.roster.slot(slot).failures for slot in state.slots)
            return is_well and not any(_failures(state)) and _has_deadline(state)
        case _:
            return _has_deadline(state)


def _failures(state: State) -> Iterator[int]:
    yield from (mold.failures for mold in state.molds)
    yield from (place.failures for place in state.programs if place.name in state.policy.workers_after)


def _has_deadline(state: State) -> bool:
    """Return whether the fleet itself puts an end to something."""
    return (
        (state.reload is not None and state.reload.until is not None)
        or bool(state.roster.limits)
        or any(mold.deadline is not None for mold in state.molds)
        or any(place.deadline is not None for place in state.programs)
    )
