"""What a load asks for, and when each request is due, whatever became of those before it. Pure.

A load that sends the next request when the last one is answered slows down with the server, and so hides how
long everybody else would have waited ("coordinated omission"). Here each request has its time, and what it
waits counts from then on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is asked, and how often.

    Attributes:
        port: Of 127.0.0.1.
        rate: Requests a second.
        connections: At the same time.
        paths: Asked for in turn.
        head: Lines of every request's head, each with its end.
        late_after: Seconds after which an answer is late.
        patience: Seconds after which a request is lost.
    """

    port: int
    rate: float
    connections: int
    paths: tuple[str, ...]
    head: str
    late_after: float
    patience: float


class Schedule:
    """So many requests a second, at even distances; it can be halted for good.

    Args:
        rate: Requests a second.
        start: When the first is due (monotonic seconds).
    """

    def __init__(self, rate: float, start: float) -> None:
        self._rate = rate
        self._start = start
        self._taken = 0
        self.is_halted = False

    @property
    def next_due(self) -> float:
        """When the next one is due (monotonic seconds)."""
        return self._start + self._taken / self._rate

    def take(self, now: float) -> list[tuple[int, float]]:
        """Return number and time of each request that has become due; each is returned once."""
        due: list[tuple[int, float]] = []
        while not self.is_halted and self.next_due <= now:
            due.append((self._taken, self.next_due))
            self._taken += 1
        return due

    def halt(self) -> None:
        """Have no more requests become due."""
        self.is_halted = True


def kinds(connections: int) -> list[bool]:
    """Return, for each client, whether it keeps its connection: three of four do, mixed evenly."""
    return [number % 4 != 3 for number in range(connections)]  # noqa: PLR2004 - the fourth of four
