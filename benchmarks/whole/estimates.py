"""How long a run still takes, and the line that says so. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE: Final = 60
_ROUGH: Final = 45  #: seconds below which minutes say nothing
#: A machine is not believed to be slower or faster than the one of the estimates by more than this.
_SLOWEST: Final = 4.0
_FASTEST: Final = 0.25


def pace(estimated: Sequence[float], taken: Sequence[float]) -> float:
    """Return how many times its estimate a part of this run takes, going by those that are done."""
    if not sum(estimated):
        return 1.0
    return min(_SLOWEST, max(_FASTEST, sum(taken) / sum(estimated)))


def duration(seconds: float) -> str:
    """Return a length of time as one says it: ``about 6 min``."""
    if seconds < _ROUGH:
        return "less than a minute"
    minutes = max(1, round(seconds / _MINUTE))
    if minutes < 2 * _MINUTE:
        return f"about {minutes} min"
    return f"about {minutes / _MINUTE:.1f} h"


def line(number: int, of: int, name: str, seconds_left: float) -> str:
    """Return what is told before a part: ``3 of 9: http-json, about 6 min left``."""
    return f"== {number} of {of}: {name}, {duration(seconds_left)} left"
