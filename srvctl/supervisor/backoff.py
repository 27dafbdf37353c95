"""How long a slot waits before its next worker, after one that died too soon.

Exponential and capped, with jitter so that slots which fail together do not come back together.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The policy; all times in seconds.

    Attributes:
        first: Wait after the second failure in a row; the first failure is replaced at once.
        cap: Longest wait, before jitter.
        jitter: Largest part of the wait that is added at random, 0…1.
        stable_after: A worker that served this long ends a row of failures.
    """

    first: float = 0.5
    cap: float = 30.0
    jitter: float = 0.25
    stable_after: float = 10.0

    def delay(self, failures: int, chance: float) -> float:
        """Return the seconds to wait.

        Args:
            failures: Failures in a row, this one included; at least 1.
            chance: A random number from 0 to 1.
        """
        if failures <= 1:
            return 0.0
        exponent = min(failures - 2, 32)  # far past any cap; keeps the power finite
        wait: float = min(self.cap, self.first * 2.0**exponent)
        return wait * (1.0 + self.jitter * chance)
