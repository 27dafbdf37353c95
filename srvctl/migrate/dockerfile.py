"""Reads what a Dockerfile starts: CMD and ENTRYPOINT of its last stage, and what ENV sets. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.migrate.command import Command, NothingFoundError
from srvctl.migrate.shellwords import Word, commands_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INSTRUCTION: Final = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
_STAGE: Final = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?", re.IGNORECASE)
_FLAGS: Final = re.compile(r"(?:--[a-z-]+=\S+\s+)*")
_HEREDOC: Final = re.compile(r"<<-?[\"']?(\w+)[\"']?")


@dataclass(slots=True)
class _Stage:
    """What is known at the end of a stage."""

    environ: dict[str, tuple[Word, str]] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    command: tuple[str, int] | None = None
    entrypoint: tuple[str, int] | None = None
    is_command_inherited: bool = False

    def copy(self) -> _Stage:
        return _Stage(dict(self.environ), {}, self.command, self.entrypoint, is_command_inherited=True)

    def known(self) -> dict[str, str]:
        return self.arguments | {name: word.text for name, (word, _) in self.environ.items() if word.is_known}


def read(text: str, name: str) -> Command:
    """Return what the last stage starts.

    Args:
        text: The file.
        name: What it is called in messages.

    Raises:
        NothingFoundError: It starts nothing.
    """
    stage = _last_stage(text, name)
    if stage.command is None and stage.entrypoint is None:
        raise NothingFoundError(
            f"{name} has neither CMD nor ENTRYPOINT in its last stage; give the command line instead"
        )
    command = Command([])
    for variable, (word, origin) in stage.environ.items():
        command.set(variable, word, origin)
    known = command.known()
    command.commands = _combined(stage, known)
    what = "ENTRYPOINT" if stage.entrypoint else "CMD"
    _, line = stage.entrypoint or stage.command or ("", 0)
    command.note(
        f"{name}:{line} {what}",
        'becomes CMD ["srvctl", "run", "-c", "srvctl.toml"], with the file copied into the image',
    )
    return command


def _last_stage(text: str, name: str) -> _Stage:
    stages: dict[str, _Stage] = {}
    stage = _Stage()
    for instruction, rest, line in _instructions(text):
        match instruction:
            case "FROM":
                found = _STAGE.match(rest)
                base, label = (found[1], found[2]) if found else ("", None)
                # A stage made from another has what that one has; an image's own is not known.
                stage = stages[base.lower()].copy() if base.lower() in stages else _Stage()
                stages[(label or str(len(stages))).lower()] = stage
            case "ENV":
                _set_all(stage, rest, f"{name}:{line} ENV")
            case "ARG":
                variable, _, default = rest.strip().partition("=")
                stage.arguments[variable] = default.strip("\"'")
            case "CMD":
                stage.command, stage.is_command_inherited = (rest, line), False
            case "ENTRYPOINT":
                stage.entrypoint = (rest, line)
                if stage.is_command_inherited:  # as Docker forgets what comes from the base
                    stage.command = None
            case _:
                pass
    return stage


def _instructions(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield each instruction, what stands behind it, and its line."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        begin, parts = at, list[str]()
        while at < len(lines):
            line = lines[at]
            at += 1
            if line.lstrip().startswith("#") or (parts and not line.strip()):
                continue
            begin = begin if parts else at
            parts.append(line.rstrip().removesuffix("\\"))
            if not line.rstrip().endswith("\\"):
                break
        whole = " ".join(parts)
        if (heredoc := _HEREDOC.search(whole)) and whole.split(None, 1)[0].upper() in {"RUN", "COPY", "ADD"}:
            while at < len(lines) and lines[at].strip() != heredoc[1]:
                at += 1
            at += 1
        if found := _INSTRUCTION.fullmatch(whole):
            yield found[1].upper(), found[2], begin


def _set_all(stage: _Stage, rest: str, origin: str) -> None:
    known = stage.known()
    words = [word for command in commands_of(rest, known) for word in command]
    if words and "=" not in words[0].text:  # ENV NAME the rest is the value
        name, _, text = rest.strip().partition(" ")
        stage.environ[name] = (words_of([text.strip()], known)[0], origin)
        return
    for word in words:
        variable, value = word.partition("=")
        stage.environ[variable] = (value, origin)


def _combined(stage: _Stage, known: Mapping[str, str]) -> list[list[Word]]:
    """Return what is run: CMD gives the arguments of an ENTRYPOINT that is a list."""
    command = _parsed(stage.command, known)
    entrypoint = _parsed(stage.entrypoint, known)
    if isinstance(entrypoint, str):
        return commands_of(entrypoint, known)
    if entrypoint is None:
        return commands_of(command, known) if isinstance(command, str) else [command or []]
    if isinstance(command, str):
        return [[*entrypoint, Word("/bin/sh"), Word("-c"), Word(command)]]
    return [[*entrypoint, *(command or [])]]


def _parsed(given: tuple[str, int] | None, known: Mapping[str, str]) -> str | list[Word] | None:
    """Return words for the form that is a JSON list, and the line for that of a shell."""
    if given is None:
        return None
    text = _FLAGS.sub("", given[0].strip(), count=1)
    try:
        words = json.loads(text)
    except ValueError:
        return text
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return words_of(words, known)
    return text
