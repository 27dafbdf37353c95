"""What a shell offers for a flag's value or a command's argument, and the words beside it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.settings.checks import LOOPS

if TYPE_CHECKING:
    from srvctl.cli.surface import Command, Flag

#: The first lines of every script.
NOTE: Final = "# Made by `python -m srvctl.settings.reference`; change the commands, not this file."
_LONGEST: Final = 70
#: What the metavar of a value says about files.
_IS_FILE: Final = re.compile(r"\b(FILE|PATH|CERTFILE)\b")
_IS_DIRECTORY: Final = re.compile(r"\bDIR\b")
#: A path of URLs is none of files.
_NO_FILES: Final = frozenset({"--root-path", "--health-path", "--limit-exempt-path", "--path"})
_MORE_WORDS: Final = {"--loop": LOOPS, "--access-log-format": ("uvicorn", "common", "combined", "json")}


def words_of(flag: Flag) -> tuple[str, ...]:
    """Return the words that a flag takes, as far as they are known."""
    in_metavar = tuple(word for word in flag.metavar.split("|") if word.isalpha() and word.islower())
    more = next((words for name, words in _MORE_WORDS.items() if name in flag.names), ())
    return more or flag.choices or in_metavar


def takes_files(flag: Flag) -> bool:
    """Return whether the value names a file."""
    return bool(_IS_FILE.search(flag.metavar)) and _NO_FILES.isdisjoint(flag.names)


def takes_directories(flag: Flag) -> bool:
    """Return whether the value names a directory."""
    return bool(_IS_DIRECTORY.search(flag.metavar))


def argument_words(command: Command) -> tuple[str, ...]:
    """Return the words that the argument of a command takes: those that are no placeholders."""
    metavars = "|".join(metavar for metavar, _ in command.arguments)
    return tuple(word for word in metavars.strip("[]").split("|") if word.islower())


def summary(text: str) -> str:
    """Return so much of a help text as stands beside a flag in a list."""
    first = re.split(r"[.;:](?:\s|$)", text.partition("\n")[0], maxsplit=1)[0]
    return first if len(first) <= _LONGEST else first[: _LONGEST - 3].rsplit(" ", 1)[0] + "..."
