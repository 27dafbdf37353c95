"""How busy one worker is, from what its board said before and says now. Pure; times in seconds.

A worker's loop is busy when it has a CPU, and when it is blocked without one: a beat that came late by more
than the worker waited for a CPU, or that is overdue. A loop that only waits for a CPU is not busy: more
workers would wait for the same one. `autoscale` draws the conclusions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srvctl.ipc.scoreboard import Reading

#: By how much a beat is overdue before its loop is taken to be busy all the time: half a second until the
#: next one is due (the worker's tick), and a quarter in which a scheduler may not have let it run.
_OVERDUE: Final = 0.75
#: The share from which a loop is taken to be busy all the time.
SATURATED: Final = 0.95


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker has to do.

    Attributes:
        busy: Share of its time that its loop was lately busy in, from 0 to 1.
        in_flight: Requests that it has begun, or that wait in it for their turn; no WebSockets, which stay
            with their worker however many others there are.
        work: Seconds of its loop that these may still take; 0 where it is not busy all the time, because
            then they wait for something else.
        used: Seconds of processor time between its last two beats.
        done: Requests it was done with in these.
    """

    busy: float
    in_flight: int = 0
    work: float = 0.0
    used: float = 0.0
    done: float = 0.0

    @property
    def is_saturated(self) -> bool:
        """Whether nothing tells how much more it would have to do if it could."""
        return self.busy >= SATURATED


@dataclass(frozen=True, slots=True)
class Beat:
    """What was so at a beat.

    Attributes:
        at: When it was.
        used: Processor time.
        waited: Time of waiting for a processor.
        lag: By how much it was late.
        done: Requests.
    """

    at: float
    used: float
    waited: float
    lag: float
    done: float


@dataclass(slots=True)
class Meter:
    """Remembers of one worker what is needed to tell how busy it is.

    Attributes:
        ready_at: When it became ready: what it did before is no load.
        looked_at: When its board was read last.
        begun: Requests it had begun when those were counted last.
        finished: Requests it was done with at the last look.
        since: The beat before the last one.
        last: The last beat.
    """

    ready_at: float
    looked_at: float = 0.0
    begun: int = 0
    finished: int = 0
    since: Beat | None = None
    last: Beat | None = None

    def __post_init__(self) -> None:
        self.looked_at = self.looked_at or self.ready_at

    def came(self, reading: Reading) -> int:
        """Return how many requests have come since this was asked last."""
        before, self.begun = self.begun, reading.begun
        return max(self.begun - before, 0)

    def take(self, reading: Reading, now: float) -> Load | None:
        """Take in what the board says; return the load, or None as long as nothing tells how busy it is.

        Args:
            reading: What the board says now.
            now: The time.
        """
        beat = reading.beat
        if beat is not None and beat >= self.ready_at and (self.last is None or beat != self.last.at):
            self.since, self.last = self.last, self._note(reading, beat, now)
        self.looked_at, self.finished = now, reading.finished
        if self.since is None or self.last is None:
            return None
        return _load(self.since, self.last, reading, now)

    def _note(self, reading: Reading, beat: float, now: float) -> Beat:
        """Return what was so at a beat; requests are counted as they end, so of them what must have been."""
        part = min(max((beat - self.looked_at) / max(now - self.looked_at, 0.001), 0.0), 1.0)
        done = self.finished + (reading.finished - self.finished) * part
        return Beat(beat, reading.cpu_seconds, reading.waited, reading.lag, done)


def in_flight(reading: Reading) -> int:
    """Return the requests that a worker has begun, or that wait in it; without WebSockets."""
    return max(reading.in_flight - reading.websockets, 0) + reading.waiting


def _load(since: Beat, last: Beat, reading: Reading, now: float) -> Load:
    flights = in_flight(reading)
    used = max(last.used - since.used, 0.0)  # of all threads, and one at a time runs Python
    done = max(last.done - since.done, 0.0)
    silent = now - last.at
    if silent > _OVERDUE:  # what it does is not written down before the beat
        return Load(1.0, flights, flights * silent / max(reading.finished - last.done, 1.0), used, done)
    blocked = max(last.lag - max(last.waited - since.waited, 0.0), 0.0)
    passed = max(last.at - since.at, 0.001)
    busy = min(max(used, blocked) / passed, 1.0)
    work = flights * passed * busy / max(done, 1.0) if busy >= SATURATED else 0.0
    return Load(busy, flights, work, used, done)
