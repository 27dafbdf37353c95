"""When the service manager's watchdog is fed: while a quorum of the workers shows that it lives. Pure.

A slot counts as long as the last beat of a worker that served it is not older than the watchdog's period; so
does one whose worker has just died, for as long: a worker that is replaced in time costs no quorum, also
where it is the only one. More than half of the slots are a quorum: 1 of 1, 2 of 2, 2 of 3. A slot that has
never been served, since it was added later, is not counted.

Once a stop was asked for, the master feeds by itself: its deadlines end whatever does not end. Before the
service is ready, nobody counts. Part of `notices`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.actions import Feed
from srvctl.supervisor.state import Phase, workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State

#: Seconds of the shortest watchdog that says something: a worker beats every half second, and what a busy
#: machine makes of that is to be no alarm.
SHORTEST: Final = 2.0
#: The service is fed for from this part of the period on whenever the master is awake, and from that part on
#: it wakes up for it; sd_watchdog_enabled(3) recommends half of it.
_SOON: Final = 4
_AT_LATEST: Final = 2
#: Part of the period by which the master is late before it takes the machine, and not its workers, for slow;
#: and which the boards have to say otherwise, before a quorum is missed.
_DOUBT: Final = 8
#: Seconds between two feedings, whatever the period.
_LEAST: Final = 0.05


class Pulse:
    """What is known of the beats, and when the watchdog was fed.

    Args:
        state: The fleet's.
        period: Seconds after which the service is taken for dead unless it is fed; 0 for never.
    """

    def __init__(self, state: State, period: float) -> None:
        self._state = state
        self._period = period
        self._patience = max(period, SHORTEST)  #: how old a beat may be
        self._beats: dict[int, float] = {}  #: by slot: the last of a worker that served it
        self._changed = state.roster.follow()  #: slots where there may be a later one
        self._fed_at: float | None = None  #: None before the service is ready
        self._doubted_at: float | None = None  #: since when there seems to be no quorum
        self._trusted_since = float("-inf")  #: beats that stayed away before then say nothing
        self.is_missed = False  #: there is no quorum, and so the watchdog is not fed

    @property
    def deadline(self) -> float | None:
        """When `advance` is to be called at the latest."""
        if self._fed_at is None or self.is_missed:
            return None  # a beat that is read, or a stop, is news that comes by itself
        if self._doubted_at is not None:
            return self._doubted_at + self._period / _DOUBT
        return self._fed_at + max(self._period / _AT_LATEST, _LEAST)

    def advance(self) -> None:
        """Feed the watchdog if it is time, and somebody has earned that."""
        state = self._state
        if not self._period:
            return
        if self._fed_at is None:
            if state.phase is Phase.RUNNING:
                self._note_beats()
                self._fed_at = state.now  # with READY, in one datagram
            return
        self._notice_delay()
        self._note_beats()
        if self.is_missed or state.now >= self._fed_at + max(self._period / _SOON, _LEAST):
            self._judge(self._fed_at)

    def looked(self) -> None:
        """Learn that the boards were read just now."""
        self._changed.update(self._state.slots)

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"beats": list(self._beats.items()), "fed_at": self._fed_at, "is_missed": self.is_missed}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's."""
        self._beats = dict(values.get("beats", []))
        self._fed_at, self.is_missed = values.get("fed_at"), values.get("is_missed", False)

    # -- what is seen --------------------------------------------------------------------------------------

    def _notice_delay(self) -> None:
        """Trust nobody's silence while the machine slept or was starved, and nobody could beat."""
        due = self.deadline
        if due is not None and self._state.now - due > max(self._period / _DOUBT, _LEAST):
            self._trusted_since = self._state.now

    def _note_beats(self) -> None:
        state = self._state
        for slot in self._changed.intersection(state.slots):
            signs = [_sign(worker, state.now) for worker in state.roster.serving(slot)]
            if signs:
                self._beats[slot] = max(*signs, self._beats.get(slot, float("-inf")))
        self._changed.clear()
        for slot in [slot for slot in self._beats if slot >= state.target]:
            del self._beats[slot]

    def _judge(self, fed_at: float) -> None:
        state = self._state
        oldest = state.now - self._patience
        beating = sum(max(beat, self._trusted_since) >= oldest for beat in self._beats.values())
        is_up = state.phase is Phase.RUNNING
        if is_up and beating <= len(self._beats) // 2:
            self._doubt(beating, fed_at)
            return
        if self.is_missed:
            why = f"{_beat(beating, len(self._beats))}" if is_up else "the service is stopping"
            state.orders.warning(f"The watchdog is fed again: {why}.")
        self.is_missed, self._doubted_at, self._fed_at = False, None, state.now
        state.orders.give(Feed())

    def _doubt(self, beating: int, fed_at: float) -> None:
        """Miss the quorum, once the boards had the time to say otherwise."""
        state = self._state
        if self.is_missed:
            return
        if self._doubted_at is None:
            self._doubted_at = state.now
        elif state.now >= self._doubted_at + self._period / _DOUBT:
            self.is_missed, self._doubted_at = True, None
            left = max(fed_at + self._period - state.now, 0.0)
            state.orders.warning(
                f"The watchdog is not fed: {_beat(beating, len(self._beats))}, more than half must; "
                f"in {left:.1f} s the service manager takes the service for dead "
                f"(WatchdogSec={self._period:g})."
            )


def _sign(worker: Worker, now: float) -> float:
    """Return when a worker that serves last gave a sign of life."""
    reading = worker.health.reading
    beat = reading.beat if reading is not None else None
    ready_at = worker.ready_at if worker.ready_at is not None else now
    return ready_at if beat is None else max(min(beat, now), ready_at)


def _beat(beating: int, count: int) -> str:
    return f"{beating} of {workers(count)} {'beats' if beating == 1 or count == 1 else 'beat'}"
