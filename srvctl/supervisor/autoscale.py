"""How many workers the load needs, and when there are to be so many. Pure; times in seconds.

More at once, and as many as are needed; fewer one at a time, when fewer have been enough for a while. What is
not known is never taken for no load. `autoscaling` tells it what was seen, and does what it says; why these
signals: docs/adr/0023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.load import SATURATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.supervisor.load import Load

#: Where all loops are busy all the time, so many times the workers are wanted at least.
_DOUBLE: Final = 2
#: Seconds in which the requests in flight are to be done with, where loops are busy all the time.
_HORIZON: Final = 1.0
#: So many times what is done has to come, before what comes is believed rather than what is done: requests
#: come by chance, and a quarter of a second is not long.
_SURGE: Final = 1.5
#: What fewer workers may be loaded with, of what is wanted, before one is retired: else the next look could
#: want it back.
_MARGIN: Final = 0.9
#: Every direction and signal, so that each can be watched before it has happened for the first time.
CHANGES: Final = tuple(
    f"{direction} {signal}"
    for direction in ("up", "down")
    for signal in ("utilization", "in_flight", "bounds")
)
#: Lest a sum of shares be a little more than it is.
_EXACT: Final = 1e-6


@dataclass(frozen=True, slots=True)
class ScalePolicy:
    """What the number of workers follows.

    Attributes:
        least: Fewest workers.
        most: Most workers; 0 where their number does not follow the load.
        busy: Share of its time that a loop may be busy in, on average.
        in_flight: Requests that a worker may have in flight, on average; 0 for any number.
        delay: Time for which fewer workers must have been enough before one is retired.
    """

    least: int = 1
    most: int = 0
    busy: float = 0.7
    in_flight: int = 32
    delay: float = 30.0

    @property
    def is_wanted(self) -> bool:
        """Whether the number of workers follows the load."""
        return self.most > 0

    def clamp(self, count: int) -> int:
        """Return the number that is nearest to a number of workers, and allowed."""
        return max(self.least, min(count, self.most)) if self.is_wanted else count


@dataclass(slots=True)
class Scaling:
    """What operators are told of it.

    Attributes:
        why: The last change, or what was measured since.
        held: Why there are not as many workers as the load needs; empty where there are.
        busy: Share of its time that a loop was lately busy in, on average.
        in_flight: Requests in flight in all workers.
        changes: How often there were to be more or fewer workers, by direction and signal.
    """

    why: str = ""
    held: str = ""
    busy: float = 0.0
    in_flight: int = 0
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANGES, 0))


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at the workers has shown.

    Attributes:
        loads: Of the workers whose load is known.
        fresh: Workers that serve for too short a time to tell how busy they are; they are there to help.
        blind: Workers whose boards say nothing: they may have as much to do as the others.
        in_flight: Requests in flight in all of them.
        rate: Requests that come each second.
    """

    loads: Sequence[Load] = ()
    fresh: int = 0
    blind: int = 0
    in_flight: int = 0
    rate: float = 0.0

    @property
    def busy(self) -> float:
        """How many loops' worth of time is used, by those that are known and those that say nothing."""
        known = sum(load.busy for load in self.loads)
        return known * (1 + self.blind / len(self.loads)) if self.loads else 0.0

    @property
    def coming(self) -> float:
        """How many loops' worth of time what comes will take, if it costs what was done before did."""
        done = sum(load.done for load in self.loads)
        return self.rate * sum(load.used for load in self.loads) / done if done else 0.0

    @property
    def share(self) -> float:
        """How busy a loop is, on average over those that are known."""
        return sum(load.busy for load in self.loads) / len(self.loads) if self.loads else 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """How many workers are needed.

    Attributes:
        count: So many.
        why: What was measured and what is wanted, for people.
        signal: Which of the signals says so: ``utilization`` or ``in_flight``.
    """

    count: int
    why: str
    signal: str


def need(sight: Sight, in_flight: int, coming: float, policy: ScalePolicy) -> Need:
    """Return how many workers would have as much to do as is wanted; 0 where nothing is known.

    Args:
        sight: What was seen.
        in_flight: Requests that are in flight for longer than a moment.
        coming: What is coming for longer than a moment, as loops' worth of time.
        policy: What is wanted.
    """
    # What is not known yet of fresh workers is no load: they were started for what others are loaded with.
    by_busy = _up(sight.busy / policy.busy)
    if sight.loads and sight.share >= SATURATED:
        work = sum(load.work for load in sight.loads)
        by_busy = max(by_busy, _DOUBLE * len(sight.loads), _up((sight.busy + work / _HORIZON) / policy.busy))
    by_load = by_busy
    if coming >= _SURGE * sight.busy:  # what is not done yet cannot be seen in how busy who is
        by_busy = max(by_busy, _up(coming / policy.busy))
    by_flight = _up(in_flight / policy.in_flight) if policy.in_flight else 0
    if by_flight > by_busy:
        there = max(len(sight.loads) + sight.fresh + sight.blind, 1)
        each = f"{in_flight / there:.0f} requests in flight per worker ({policy.in_flight} wanted)"
        return Need(by_flight, each, "in_flight")
    if by_busy > by_load:
        why = f"requests for {coming:.1f} busy loops are coming in ({percent(policy.busy)} of each wanted)"
        return Need(by_busy, why, "utilization")
    why = f"loops {percent(sight.share)} busy ({percent(policy.busy)} wanted)"
    return Need(by_busy, why, "utilization")


def is_enough(count: int, sight: Sight, in_flight: int, policy: ScalePolicy) -> bool:
    """Return whether so many workers would do, with something to spare; never if nothing is known."""
    if count < 1 or not sight.loads or sight.share >= SATURATED:
        return False
    # A worker that is fresh may have as much to do as the others, as soon as that is known.
    busy = sight.busy * (1 + sight.fresh / len(sight.loads))
    if busy > count * policy.busy * _MARGIN:
        return False
    return not policy.in_flight or in_flight <= count * policy.in_flight * _MARGIN


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of the number of workers.

    Attributes:
        count: How many are wanted.
        why: Why, for people.
        signal: Which signal says so; ``bounds`` where the bounds do.
        lacks: How many more the load would need, if that were allowed.
    """

    count: int
    why: str
    signal: str
    lacks: int = 0


@dataclass(slots=True)
class Autoscale:
    """Remembers what must have lasted.

    Attributes:
        calm_since: Since when one worker fewer has been enough; None where it is not.
        calm_at: Of how many workers that is said.
        flights: Requests in flight, at the look before.
        coming: What was coming, at the look before.
    """

    calm_since: float | None = None
    calm_at: int = 0
    flights: int = 0
    coming: float = 0.0

    def judge(
        self, sight: Sight, wanted: int, now: float, policy: ScalePolicy, *, may_shrink: bool, may_grow: bool
    ) -> Verdict:
        """Return how many workers are wanted from now on.

        Args:
            sight: What was seen.
            wanted: How many are wanted so far.
            now: The time.
            policy: What their number follows.
            may_shrink: What was seen is all that there is: every slot is served, and no code is changing.
            may_grow: There is memory for more, and those that there should be come up.
        """
        flights, self.flights = min(self.flights, sight.in_flight), sight.in_flight
        coming, self.coming = min(self.coming, sight.coming), sight.coming
        needed = need(sight, flights, coming, policy)
        bounded = policy.clamp(wanted)
        if bounded != wanted:
            self._forget()
            return Verdict(bounded, f"workers.min {policy.least}, workers.max {policy.most}", "bounds")
        if needed.count > wanted:
            self._forget()
            count = policy.clamp(needed.count) if may_grow else wanted
            return Verdict(count, needed.why, needed.signal, needed.count - count)
        if not may_shrink:
            self._forget()
        elif self._has_been_calm(sight, wanted, now, policy):
            self._forget()
            why = f"{needed.why}, and fewer have been enough for {policy.delay:g} s"
            return Verdict(wanted - 1, why, needed.signal)
        return Verdict(wanted, needed.why, needed.signal)

    def _has_been_calm(self, sight: Sight, wanted: int, now: float, policy: ScalePolicy) -> bool:
        """Return whether one worker fewer has been enough for the whole delay, by every look."""
        fewer = wanted - 1
        if fewer < policy.least or not is_enough(fewer, sight, sight.in_flight, policy):
            self._forget()
            return False
        if self.calm_since is None or self.calm_at != wanted:
            self.calm_since, self.calm_at = now, wanted
        return now - self.calm_since >= policy.delay

    def _forget(self) -> None:
        self.calm_since = None


def percent(share: float) -> str:
    """Return a share in words."""
    return f"{share * 100:.0f} %"


def _up(count: float) -> int:
    return math.ceil(count - _EXACT)
