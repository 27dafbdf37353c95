"""One source's values with where each stands, and the list of what is wrong in them. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Self


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


@dataclass(slots=True)
class Layer:
    """What one source gives: known keys only; everything else has become a problem."""

    source: Source
    values: dict[str, Given] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
