"""What a file says about how a server is started: commands, variables, and what one should know. Values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srvctl.migrate.result import Attention, Given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.migrate.result import TakenProgram
    from srvctl.migrate.shellwords import Word


class NothingFoundError(ValueError):
    """A source does not say how a server is started; the message says what it does say."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that a source names.

    Attributes:
        name: Where it was found.
        text: What is in it.
    """

    name: str
    text: str


@dataclass(slots=True)
class Command:
    """How a server is started.

    Attributes:
        commands: Each as its words; those that start no server may be among them.
        environ: Variables that are set for it, by name.
        notes: What a person should know.
        binds: Addresses that replace the server's own, and where they come from.
        programs: Processes beside the server.
    """

    commands: list[list[Word]]
    environ: dict[str, Given] = field(default_factory=dict)
    notes: list[Attention] = field(default_factory=list)
    binds: tuple[list[str], str] | None = None
    programs: list[TakenProgram] = field(default_factory=list)

    def known(self) -> Mapping[str, str]:
        """Return the variables whose values are known."""
        return {name: str(given.value) for name, given in self.environ.items() if given.is_known}

    def set(self, name: str, word: Word, origin: str) -> None:
        """Set a variable."""
        shown = word.text if word.is_known else str(word)
        self.environ[name] = Given(name, shown, origin, word.variables, word.is_known)

    def note(self, what: str, why: str) -> None:
        """Add something a person should know."""
        self.notes.append(Attention(what, why))
