"""One source's values with where each stands, and the list of what is wrong in them. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Self

from srvctl.settings.display import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


class Source(Enum):
    """Who set a value; in the order of precedence, highest first."""

    COMMAND_LINE = "command line"
    ENVIRONMENT = "environment"
    #: Variables of other tools: read below ours, above the file.
    FOREIGN = "foreign environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    Attributes:
        source: Which kind of source.
        name: The flag, the variable or the path of the file, as the user wrote it.
        line: The line in the file.
    """

    source: Source
    name: str = ""
    line: int | None = None

    @property
    def place(self) -> str:
        """What an error message begins with: ``srvctl.toml:7``, ``WEB_CONCURRENCY``, ``--port``."""
        return self.name if self.line is None else f"{self.name}:{self.line}"

    def __str__(self) -> str:
        """Say it in words, for ``srvctl check``."""
        match self.source:
            case Source.DEFAULT:
                return "default"
            case Source.FILE:
                return self.place
            case Source.COMMAND_LINE:
                return f"command line {self.name}"
            case Source.ENVIRONMENT | Source.FOREIGN:
                return f"environment {self.name}"


DEFAULT = Origin(Source.DEFAULT)


@dataclass(frozen=True, slots=True)
class Given:
    """A raw value as a source gives it."""

    value: object
    origin: Origin


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: one line of the error message.

    Attributes:
        origin: Where.
        line: What, and what would be right.
        key: The setting, where its value is at fault.
    """

    origin: Origin
    line: str
    key: str = ""

    @classmethod
    def at(cls, origin: Origin, *parts: str, key: str = "") -> Self:
        """Make the problem ``place: part: part``."""
        return cls(origin, ": ".join((origin.place, *parts)), key)


@dataclass(frozen=True, slots=True)
class GivenProgram:
    """A ``[[program]]`` of the file: known keys only.

    Attributes:
        position: Which of them, from 1 on.
        values: By key in the table.
        origin: Where it begins.
    """

    position: int
    values: Mapping[str, Given]
    origin: Origin

    @property
    def label(self) -> str:
        """What messages call it: ``program "queue"``, or ``program #2`` where it has no name."""
        name = self.values.get("name")
        return program_label(name.value if name else None, self.position)

    def origin_of(self, key: str) -> Origin:
        """Return where a value is, or the table if it has none."""
        return self.values[key].origin if key in self.values else self.origin

    def problem(self, key: str, text: str) -> Problem:
        """Make the problem ``place: program "queue".restart: text``."""
        return Problem.at(self.origin_of(key), f"{self.label}.{key}", text)


def program_label(name: object, position: int) -> str:
    """Return what a program is called in messages and tables: by its name, or else by its position."""
    return f"program {quote(name)}" if isinstance(name, str) and name else f"program #{position}"


@dataclass(slots=True)
class Layer:
    """What one source gives: known keys only; everything else has become a problem."""

    source: Source
    values: dict[str, Given] = field(default_factory=dict)
    programs: list[GivenProgram] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
