"""What scenarios find out: figures, their marks, and whether these are reached. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.lifecycle.tally import Tally

#: Never: what was waited for did not happen.
NEVER: Final = math.inf
_DIGITS: Final = {"": ".0f", "s": ".2f", "ms": ".0f", "MB": ".1f", "%": ".3f", "/s": ".2f"}


class Combine(StrEnum):
    """How the values of several rounds become one."""

    SUM = "sum"
    WORST = "worst"
    MEDIAN = "median"


class Verdict(StrEnum):
    """What is said of srvctl."""

    PASS = "pass"
    FAIL = "FAIL"
    SHORT = "too few"  #: as far as it goes it passes, with fewer requests than the mark asks for
    INVALID = "invalid"  #: the load did not keep its times; to be repeated on a quiet machine
    NONE = "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        key: Its name within the scenario.
        text: What it says.
        unit: Of its values; ``""`` counts.
        mark: What it may be at most; None if it is there for information.
        least: How many requests the mark is about.
        combine: How rounds are put together.
    """

    key: str
    text: str
    unit: str = ""
    mark: float | None = None
    least: int = 0
    combine: Combine = Combine.SUM

    def named(self, key: str, text: str, mark: float | None = None) -> Figure:
        """Return a figure of the same kind about something else, of however many."""
        return replace(self, key=key, text=text, least=0, mark=self.mark if mark is None else mark)

    def about_any(self) -> Figure:
        """Return the same for however many requests."""
        return replace(self, least=0)


@dataclass(frozen=True, slots=True)
class Value:
    """One value, and of how many; `NEVER` is one, too."""

    amount: float
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one round, or all rounds, of a scenario have shown on one server.

    Attributes:
        values: By the key of their figure.
        is_valid: The load kept its times.
        remarks: What else a reader wants to know.
    """

    values: Mapping[str, Value]
    is_valid: bool = True
    remarks: tuple[str, ...] = field(default=())


def books(tally: Tally, *, may_refuse: bool = False) -> dict[str, Value]:
    """Return the values that every scenario under load has: ``lost``, ``retriable`` and ``late``.

    Args:
        tally: Of the load.
        may_refuse: The server was told to go, so connections that it does not take are not lost.
    """
    lost = tally.lost + tally.wrong if may_refuse else tally.broken
    return {"lost": Value(lost, tally.due), "retriable": Value(tally.retriable), "late": Value(tally.late)}


def remarks(tally: Tally) -> tuple[str, ...]:
    """Return what the books do not show."""
    counts = {
        "refused": tally.refused,
        **tally.reasons,
        "put out late by the load itself": tally.laggards,
    }
    shown = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return (f"{shown}; slowest {tally.slowest:.2f} s",) if shown else ()


def combine(outcomes: Sequence[Outcome], figures: Sequence[Figure]) -> Outcome:
    """Return one outcome for all rounds."""
    values = {}
    for figure in figures:
        found = [outcome.values[figure.key] for outcome in outcomes if figure.key in outcome.values]
        if found:
            values[figure.key] = _combined(found, figure.combine)
    return Outcome(
        values,
        is_valid=all(outcome.is_valid for outcome in outcomes),
        remarks=tuple(remark for outcome in outcomes for remark in outcome.remarks),
    )


def _combined(values: Sequence[Value], how: Combine) -> Value:
    amounts = [value.amount for value in values]
    ofs = [value.of for value in values if value.of is not None]
    of = sum(ofs) if ofs else None
    if how is Combine.SUM:
        return Value(sum(amounts), of)
    return Value(max(amounts) if how is Combine.WORST else median(amounts), of)


def verdict(figure: Figure, outcome: Outcome) -> Verdict:
    """Return whether the mark is reached."""
    value = outcome.values.get(figure.key)
    if figure.mark is None or value is None:
        return Verdict.NONE
    if not outcome.is_valid:
        return Verdict.INVALID
    if value.amount > figure.mark:
        return Verdict.FAIL
    return Verdict.SHORT if figure.least and (value.of or 0) < figure.least else Verdict.PASS


def shown(value: Value | None, unit: str) -> str:
    """Return a value for the table."""
    if value is None:
        return "-"
    if math.isinf(value.amount):
        return "never"
    text = format(value.amount, _DIGITS[unit]) + (f" {unit}" if unit else "")
    return text if value.of is None else f"{text} of {value.of:,}"


def shown_mark(figure: Figure) -> str:
    """Return a mark for the table."""
    if figure.mark is None:
        return ""
    limit = f"≤ {figure.mark:g}" if figure.mark else "0"
    limit += f" {figure.unit}" if figure.unit else ""
    return f"{limit} of ≥ {figure.least:,}" if figure.least else limit
