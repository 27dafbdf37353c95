"""What a part of the whole run found, as plain values that travel through ``results.json``. Pure.

Made by the parts and ``charts.py``; read by ``plots.py``, ``markdown.py`` and ``readme.py``, none of which
knows what kind of part it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS: Final = 4  #: that are kept of a figure; machines do not repeat more


@dataclass(frozen=True, slots=True)
class Point:
    """One figure with its extremes over the rounds.

    Attributes:
        label: Which one of its row, where a row has several.
        value: The median.
        low: The least; None where there was one round.
        high: The greatest.
        text: What is written beside it; empty for the figure itself.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One server's points; `group` is what they have in common with their neighbours."""

    name: str
    points: tuple[Point, ...]
    group: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot: bars where each row has one point, marks on a line where it has several.

    Attributes:
        key: Its name within the part.
        title: What is shown.
        unit: Of all values.
        about: How to read it, in a sentence.
        rows: From top to bottom.
        is_logarithmic: Equal distances are equal ratios.
    """

    key: str
    title: str
    unit: str
    about: str
    rows: tuple[Row, ...]
    is_logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What a part found.

    Attributes:
        text: For people: Markdown, or the output of a program.
        charts: What can be drawn of it.
        is_plain: The text is the output of a program, to be shown as it is.
        pictures: SVG files that were made, by their names without a folder.
        samples: Everything that was measured, for a file of its own.
    """

    text: str
    charts: tuple[Chart, ...] = ()
    is_plain: bool = False
    pictures: Mapping[str, str] = field(default_factory=dict)
    samples: Any = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """How quiet the machine was during a part.

    Attributes:
        load_average: Of the last minute, before it began.
        steal_share: Of all CPU time, what a hypervisor gave to others (steal in proc_stat(5)).
        others_share: Of all CPU time, what processes used that are not ours.
    """

    load_average: float
    steal_share: float
    others_share: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One part as it is stored.

    Attributes:
        name: Of the part.
        about: What it is, in a line.
        seconds: How long it took.
        conditions: Of the machine meanwhile.
        text: As in `Measured`.
        is_plain: As in `Measured`.
        charts: As in `Measured`.
        pictures: Names of its SVG files.
        failed: Why there is nothing; empty if there is.
    """

    name: str
    about: str
    seconds: float
    conditions: Conditions
    text: str = ""
    is_plain: bool = False
    charts: tuple[Chart, ...] = ()
    pictures: tuple[str, ...] = ()
    failed: str = ""

    def chart(self, key: str) -> Chart | None:
        """Return one of its charts, or None if there is none of that name."""
        return next((chart for chart in self.charts if chart.key == key), None)


@dataclass(frozen=True, slots=True)
class Results:
    """A whole run as far as it has come.

    Attributes:
        settings: What it was asked to do; a run goes on only with the same.
        machine: Facts of the machine, by name.
        versions: Of every server, with what it gets speed from, by its name.
        began: Date and time in UTC, to the minute.
        planned: Names of the parts, in their order.
        entries: What was found so far, by name of the part.
    """

    settings: Mapping[str, Any]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    began: str
    planned: tuple[str, ...]
    entries: Mapping[str, Entry]

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that were planned and are not there."""
        return tuple(name for name in self.planned if name not in self.entries)

    @property
    def in_order(self) -> tuple[Entry, ...]:
        """What was found, in the order of the plan."""
        return tuple(self.entries[name] for name in self.planned if name in self.entries)

    def as_json(self) -> dict[str, Any]:
        """Return it for a JSON file, figures cut to what is worth keeping."""
        whole: dict[str, Any] = _rounded(asdict(self))
        return {"format": 1, **whole}

    @classmethod
    def from_json(cls, whole: Mapping[str, Any]) -> Results:
        """Return what `as_json` was made of.

        Raises:
            KeyError: Something is missing in it.
            TypeError: Something else is in it.
        """
        return cls(
            settings=whole["settings"],
            machine=whole["machine"],
            versions=whole["versions"],
            began=whole["began"],
            planned=tuple(whole["planned"]),
            entries={name: _entry(values) for name, values in whole["entries"].items()},
        )


def _entry(values: Mapping[str, Any]) -> Entry:
    made = {
        "conditions": Conditions(**values["conditions"]),
        "charts": tuple(_chart(chart) for chart in values["charts"]),
        "pictures": tuple(values["pictures"]),
    }
    return Entry(**{**values, **made})


def _chart(values: Mapping[str, Any]) -> Chart:
    rows = tuple(
        Row(**{**row, "points": tuple(Point(**point) for point in row["points"])}) for row in values["rows"]
    )
    return Chart(**{**values, "rows": rows})


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
