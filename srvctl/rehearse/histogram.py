"""Durations, counted in buckets that grow by a fiftieth: percentiles of any number of them in little memory.

Pure. Used by the process that makes the load and by the one that judges it; travels as JSON.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Seconds that nobody cares to tell from none.
_SMALLEST: Final = 1e-5
_GROWTH: Final = math.log(1.02)


class Histogram:
    """Durations in seconds; what it says of them is too high by at most 2 %, and `most` is exact."""

    __slots__ = ("_buckets", "count", "most")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.most = 0.0

    def add(self, seconds: float) -> None:
        """Count a duration; one below zero counts as none."""
        bucket = 0 if seconds <= _SMALLEST else math.ceil(math.log(seconds / _SMALLEST) / _GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.most = max(self.most, seconds)

    def percentile(self, percent: float) -> float | None:
        """Return the seconds within which so many percent of the durations are; None without any."""
        if not self.count:
            return None
        wanted, seen = max(math.ceil(self.count * percent / 100), 1), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(_SMALLEST * math.exp(bucket * _GROWTH), self.most)
        return self.most

    def as_json(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "most": self.most,
            "buckets": {str(bucket): count for bucket, count in self._buckets.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> Self:
        """Return what `as_json` was made of."""
        found = cls()
        buckets, most = values["buckets"], values["most"]
        if not isinstance(buckets, dict) or not isinstance(most, float | int):
            raise TypeError("not a histogram")
        found._buckets = {int(bucket): int(count) for bucket, count in buckets.items()}
        found.count, found.most = sum(found._buckets.values()), float(most)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.as_json() == other.as_json()

    __hash__ = None  # type: ignore[assignment] # it changes

    def __repr__(self) -> str:
        return f"<Histogram count={self.count} most={self.most:.6f}>"
