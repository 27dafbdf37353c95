"""From figures to places on an axis, with ticks at round figures. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.whole.values import Chart

_TICKS: Final = 5
_STEPS: Final = (1, 2, 5, 10)
_LEAST: Final = 0.001  #: what a logarithmic axis begins with at the earliest


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis.

    Attributes:
        at: Returns the place of a figure.
        ticks: Round figures from one end to the other.
    """

    at: Callable[[float], float]
    ticks: tuple[float, ...]


def points(chart: Chart) -> list[float]:
    """Return every figure of a chart, extremes included."""
    found = []
    for row in chart.rows:
        for point in row.points:
            found += [one for one in (point.value, point.low, point.high) if one is not None]
    return found


def linear(figures: Sequence[float], left: float, right: float) -> Scale:
    """Return an axis from 0 to a little beyond the greatest figure."""
    top = max([*figures, 0.0]) or 1.0
    step = _step(top)
    ticks = tuple(round(step * number, 10) for number in range(math.floor(top / step + 1e-9) + 1))
    return Scale(lambda value: left + (right - left) * max(0.0, value) / top, ticks)


def logarithmic(figures: Sequence[float], left: float, right: float) -> Scale:
    """Return an axis on which equal distances are equal ratios, between round figures."""
    known = [max(_LEAST, one) for one in figures] or [1.0]
    rounds = [step * 10.0**power for power in range(-3, 9) for step in _STEPS[:3]]
    low = max((one for one in rounds if one <= min(known)), default=_LEAST)
    high = min((one for one in rounds if one >= max(known) and one > low), default=max(known))
    first, last = math.log(low), math.log(high)

    def at(value: float) -> float:
        return left + (right - left) * (math.log(max(low, value)) - first) / (last - first)

    ticks = [one for one in rounds if low <= one <= high]
    if len(ticks) > 2 * _TICKS:
        ticks = [one for one in ticks if math.isclose(math.log10(one), round(math.log10(one)))]
    return Scale(at, tuple(ticks))


def figure(value: float) -> str:
    """Return a figure with as many digits as mean something."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _step(top: float) -> float:
    rough = top / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(step for step in _STEPS if step * power >= rough - 1e-12)
