"""Deadlines of many things on one wheel: a bucket for each tick, and nothing to do when a deadline moves on.

Most deadlines are moved again and again and never reached: each request of a kept-alive connection puts
its idle deadline off. So a thing stays in the bucket it is in, and only when that comes up is it seen that
the deadline is a later one by now.
"""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

NEVER: Final = float("inf")


class Timed(Protocol):
    """What has a deadline."""

    deadline: float  #: when it is to be woken, in seconds of the wheel's clock; NEVER for not at all
    due: float  #: the beginning of the bucket it is in, NEVER for none; kept by the wheel


T = TypeVar("T", bound=Timed)


class TimerWheel(Generic[T]):
    """Knows whose deadline has passed, to the precision of its ticks.

    Whoever moves a deadline to before ``due`` calls `place`; moving it to later needs no call.

    Args:
        tick: Seconds between two looks.
    """

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._buckets: dict[int, dict[T, None]] = {}  # in order, so that what happens can be repeated

    def place(self, item: T) -> None:
        """Put a thing where its deadline belongs."""
        self.remove(item)
        if item.deadline == NEVER:
            return
        number = int(item.deadline / self._tick) + 1
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = {}
        bucket[item] = None
        item.due = (number - 1) * self._tick

    def remove(self, item: T) -> None:
        """Forget a thing."""
        if item.due != NEVER:
            number = round(item.due / self._tick) + 1
            bucket = self._buckets[number]
            del bucket[item]
            if not bucket:
                del self._buckets[number]
            item.due = NEVER

    def expired(self, now: float) -> list[T]:
        """Return every thing whose deadline has passed; each is off the wheel until it is placed again."""
        expired: list[T] = []
        for number in sorted(number for number in self._buckets if number * self._tick <= now):
            for item in self._buckets.pop(number):
                item.due = NEVER
                if item.deadline <= now:
                    expired.append(item)
                else:
                    self.place(item)
        return expired
