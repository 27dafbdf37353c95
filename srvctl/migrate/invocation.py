"""Finds the server in the words of a command line, and what stands around it. Pure.

``exec env A=1 poetry run python -m uvicorn main:app`` calls uvicorn with one word, one variable and ``poetry
run`` before it; ``sh -c "..."`` is looked into.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.migrate.shellwords import Word, commands_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVERS: Final = ("uvicorn", "gunicorn", "fastapi")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_SHELL_COMMAND: Final = re.compile(r"-[a-z]*c")
#: Words of a shell's own before a command.
KEYWORDS: Final = frozenset({"then", "else", "do", "{", "(", "!", "time"})
#: How a word begins that sets a variable.
ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=")
#: What may name a server as an argument, without running it.
_OTHERS: Final = frozenset({"pip", "pip3", "apt", "apt-get", "echo", "which", "command", "apk", "printf"})


@dataclass(frozen=True, slots=True)
class Invocation:
    """A call of a server.

    Attributes:
        server: One of `SERVERS`.
        words: What it is given.
        variables: Those that are set for it on the same line.
        wrapper: What stands before it on the line and stays, such as ``poetry run``.
        others: The other commands of the line, such as ``alembic upgrade head``.
    """

    server: str
    words: Sequence[Word]
    variables: Mapping[str, Word] = field(default_factory=dict)
    wrapper: str = ""
    others: Sequence[str] = ()


def find(commands: Sequence[Sequence[Word]], known: Mapping[str, str]) -> Invocation | None:
    """Return the last call of a server in some commands, or None.

    Args:
        commands: Each as its words.
        known: Variables whose values are known, for what a shell is given.
    """
    found = [(position, _in_command(command, known)) for position, command in enumerate(commands)]
    calls = [(position, call) for position, call in found if call is not None]
    if not calls:
        return None
    last, call = calls[-1]
    others = tuple(" ".join(map(str, command)) for at, command in enumerate(commands) if at != last)
    return Invocation(call.server, call.words, call.variables, call.wrapper, (*call.others, *others))


def _in_command(command: Sequence[Word], known: Mapping[str, str]) -> Invocation | None:
    variables: dict[str, Word] = {}
    wrapper: list[str] = []
    for position, word in enumerate(command):
        name = word.text.rpartition("/")[2]
        if ASSIGNMENT.match(word.text) and _sets_variables(wrapper):
            variable, value = word.partition("=")
            variables[variable] = value
        elif name in SERVERS:
            return Invocation(name, command[position + 1 :], variables, _told(wrapper))
        elif name in _SHELLS and (script := _script(command[position + 1 :])) is not None:
            inner = find(commands_of(script.raw or script.text, known), known)
            if inner is None:
                return None
            before = " ".join(part for part in (_told(wrapper), inner.wrapper) if part)
            return Invocation(
                inner.server, inner.words, {**variables, **inner.variables}, before, inner.others
            )
        elif name in _OTHERS:
            return None
        elif wrapper or name not in KEYWORDS:
            wrapper.append(str(word))
    return None


def _sets_variables(wrapper: Sequence[str]) -> bool:
    return all(word.rpartition("/")[2] in {"exec", "env"} or word.startswith("-") for word in wrapper)


def _script(words: Sequence[Word]) -> Word | None:
    """Return what ``sh -c`` is given."""
    for position, word in enumerate(words[:-1]):
        if _SHELL_COMMAND.fullmatch(word.text):
            return words[position + 1]
        if not word.text.startswith("-"):
            return None
    return None


def _told(wrapper: Sequence[str]) -> str:
    """Return what of the words before the server matters: not ``exec``, ``env`` or ``python -m``."""
    words = list(wrapper)
    while words and words[0].rpartition("/")[2] in {"exec", "env"}:
        words.pop(0)
    if len(words) > 1 and words[-1] == "-m":
        words.pop()
        while len(words) > 1 and words[-1].startswith("-"):
            words.pop()
        if words[-1].rpartition("/")[2].startswith(("python", "pypy")):
            words.pop()
    return " ".join(words)
