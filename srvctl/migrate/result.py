"""What came of reading: settings taken over, and what a person has to know. Values, and where they gather.

Knows no source and no server. Texts of it are shown to people as they are, so each is a sentence or two.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Given:
    """An option as its source gives it.

    Attributes:
        name: The name the other server has for it: of the option, or of the setting.
        value: Its value; a text, or what Python made of an expression.
        origin: Where it stands: a flag, a variable, a file and its line.
        variables: Environment variables that the value depends on.
        is_known: Whether the value is known; if not, ``value`` is the text as it stands there.
    """

    name: str
    value: object
    origin: str
    variables: tuple[str, ...] = ()
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Taken:
    """A setting of srvctl's, with the value it had.

    Attributes:
        key: The dotted key.
        value: As the file is to have it; validated later.
        origin: Where it came from.
    """

    key: str
    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class TakenProgram:
    """A process beside the server, which becomes a ``[[program]]``.

    Attributes:
        values: As the file is to have them, by key of the table; validated later.
        origin: Where it came from.
    """

    values: Mapping[str, object]
    origin: str


@dataclass(frozen=True, slots=True)
class Different:
    """Something that has a counterpart, which means something else.

    Attributes:
        what: The option, flag or default.
        before: What it meant.
        now: What srvctl does.
        why: The reason, or what to do about it.
    """

    what: str
    before: str
    now: str
    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something without a counterpart.

    Attributes:
        what: The option or flag.
        why: Why there is none, and what to do.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Attention:
    """Something only a person can decide or know.

    Attributes:
        what: What it is about.
        why: What is not known, and what to do.
    """

    what: str
    why: str


@dataclass(slots=True)
class Migration:
    """All that came of one source; grows while it is read.

    Attributes:
        server: What it was made for: ``uvicorn``, ``gunicorn`` or ``fastapi``.
        taken: By dotted key; the last one given wins.
        programs: Processes beside the server, in their order.
        different: What means something else, in the order in which it was met.
        missing: What has no counterpart.
        attention: What a person has to look at.
    """

    server: str
    taken: dict[str, Taken] = field(default_factory=dict)
    programs: list[TakenProgram] = field(default_factory=list)
    different: list[Different] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    attention: list[Attention] = field(default_factory=list)

    def take(self, key: str, value: object, origin: str) -> None:
        """Give a setting a value; one that was given before is forgotten."""
        self.taken.pop(key, None)
        self.taken[key] = Taken(key, value, origin)

    def differs(self, what: str, before: str, now: str, why: str) -> None:
        """Say that something means something else; saying it twice is saying it once."""
        entry = Different(what, before, now, why)
        if entry not in self.different:
            self.different.append(entry)

    def lacks(self, what: str, why: str) -> None:
        """Say that something has no counterpart."""
        entry = Missing(what, why)
        if entry not in self.missing:
            self.missing.append(entry)

    def ask(self, what: str, why: str) -> None:
        """Say that a person has to look at something."""
        entry = Attention(what, why)
        if entry not in self.attention:
            self.attention.append(entry)
