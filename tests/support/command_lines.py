"""The command lines of srvctl in a page, and whether srvctl would understand them. Nothing is carried out."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from typer.main import get_command

from srvctl.cli import completion, quick
from srvctl.cli.app import _app
from srvctl.cli.shorthand import spelled_out
from srvctl.errors import UsageError
from srvctl.settings.catalog import catalog
from srvctl.settings.load import load
from tests.support.pages import ROOT, blocks_of, prose_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.pages import Block

_PROGRAM: Final = re.compile(r"(?:\S*/)?srvctl")
_OPERATORS: Final = re.compile(r"[|&;<>()]+|\d?[<>]+&?\d?")
#: How a page says that something of the reader's own belongs there; it is no command line as it stands.
_ELLIPSIS: Final = re.compile(r"…|\.\.\.|\bCOMMAND\b")


class CommandLine(NamedTuple):
    """What is typed behind ``srvctl``, and where it stands."""

    where: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(("srvctl", *self.words))


def of_page(page: Path) -> Iterator[CommandLine]:
    """Yield every command line of a page, those in sentences too; there a command's name alone is none."""
    for block in blocks_of(page):
        for line in _lines(block):
            yield from (CommandLine(block.name, words) for words in _found(line))
    for text in re.findall(r"(?<!`)`(srvctl [^`\n]+)`(?!`)", prose_of(page)):
        if not _ELLIPSIS.search(text):
            yield from (
                CommandLine(str(page.relative_to(ROOT)), words) for words in _found(text) if len(words) > 1
            )


def _lines(block: Block) -> list[str]:
    """Return the lines in which something is typed or started."""
    text = re.sub(r"\\\n", " ", block.text)
    match block.language:
        case "sh":
            return text.splitlines()
        case "console":
            return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
        case "ini":
            return re.findall(r"^Exec\w+=(.+)$", text, re.MULTILINE)
        case "dockerfile":
            return [
                shlex.join(json.loads(words)) for words in re.findall(r"\b(?:CMD|ENTRYPOINT) (\[.*\])", text)
            ]
        case _:
            return []


def _found(line: str) -> Iterator[tuple[str, ...]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    while words:
        end = next((at for at, word in enumerate(words) if _OPERATORS.fullmatch(word)), len(words))
        simple, words = words[:end], words[end + 1 :]
        start = next((at for at, word in enumerate(simple) if _PROGRAM.fullmatch(word)), None)
        if start is not None and _is_typed(simple[:start]):
            yield tuple(simple[start + 1 :])


def _is_typed(before: Sequence[str]) -> bool:
    """Tell whether what stands before ``srvctl`` leaves it the program that is started."""
    return all("=" in word or word in {"exec", "sudo", "time", "env"} for word in before)


def check(words: Sequence[str]) -> None:
    """Read a command line as srvctl would.

    Raises:
        SrvctlError: It is not understood, or a flag has a value that is none.
    """
    name, *rest = spelled_out([word for word in words if not word.startswith("$")])
    if not {"-h", "--help", "--version"}.isdisjoint((name, *rest)):
        return
    if name in quick.COMMANDS:
        quick.parser(name).read(rest)
    elif name == completion.NAME:
        completion.parser().read(rest)
    else:
        _check_settings(name, rest)


def _check_settings(name: str, rest: list[str]) -> None:
    group, context = _commands()
    command = group.get_command(context, name)
    if command is None:
        raise UsageError(f"there is no command {name}")
    values = command.make_context(name, rest, parent=context).params
    keys = {key.replace(".", "__"): key for key in catalog()}
    given = {
        keys[each]: value for each, value in values.items() if each in keys and value not in (None, [], ())
    }
    load(given, {}, None)


@cache
def _commands() -> tuple[Any, Any]:
    """Return srvctl's commands, and what they are called in; making them takes typer a while."""
    group: Any = get_command(_app)
    return group, group.make_context("srvctl", [])
