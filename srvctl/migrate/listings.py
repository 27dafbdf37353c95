"""Reads what a Procfile or a docker-compose file starts: one process of several. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from srvctl.migrate.command import Command, NothingFoundError
from srvctl.migrate.invocation import ASSIGNMENT, find
from srvctl.migrate.result import TakenProgram
from srvctl.migrate.shellwords import Word, commands_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What Heroku runs before it starts the others.
_RELEASE: Final = "release"
_OPERATOR: Final = re.compile(r"[;&|`(){}\n]")
#: Variables, operators and patterns; quoted or not, for a shell knows better.
_FOR_A_SHELL: Final = re.compile(r"[$`;&|<>*?~(){}\[\]]")
_PROCESS: Final = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$", re.MULTILINE)


def read_procfile(text: str, name: str) -> Command:
    """Return the process of a Procfile that is a server; the others run beside it.

    Raises:
        NothingFoundError: None is.
    """
    found = [(process, line.strip(), Command(commands_of(line))) for process, line in _PROCESS.findall(text)]
    command = _choose([(process, started) for process, _, started in found], name)
    for process, line, started in found:
        if find(started.commands, started.known()) is not None:
            continue
        if process == _RELEASE:
            command.note(
                f"{name} {process}",
                "runs once for a release: go on running it before, or write a [[program]] with "
                'ready = "exit", and its name into workers.after',
            )
        else:
            command.programs.append(
                TakenProgram({"name": process, "command": _words(line, started)}, f"{name} {process}")
            )
    return command


def _words(line: str, started: Command) -> list[str]:
    """Return the words of a command; of what only a shell understands, a shell with it, as honcho has."""
    words = started.commands[0] if len(started.commands) == 1 else []
    sets_variables = bool(words) and ASSIGNMENT.match(words[0].text) is not None
    if words and not sets_variables and not _FOR_A_SHELL.search(line):
        return [word.text for word in words]
    if words and not _OPERATOR.search(line):  # so that signals reach it, and not the shell
        line = f"exec env {line}" if sets_variables else f"exec {line.removeprefix('exec ')}"
    return ["sh", "-c", line]


def read_compose(text: str, name: str) -> Command:
    """Return the service of a docker-compose file that is a server.

    Raises:
        NothingFoundError: None is, or the file is not valid.
    """
    try:
        services = yaml.safe_load(text)["services"]
        found = [(str(service), _service(told, name)) for service, told in services.items()]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise NothingFoundError(f"{name} is not a docker-compose file: {error}") from None
    return _choose(found, name)


def _choose(found: Iterable[tuple[str, Command]], name: str) -> Command:
    servers = [(label, command) for label, command in found if find(command.commands, command.known())]
    if not servers:
        raise NothingFoundError(
            f"{name} starts no uvicorn or gunicorn; a script that does may be given as text"
        )
    label, command = servers[0]
    command.note(f"{name} {label}", "becomes srvctl run -c srvctl.toml")
    for other, _ in servers[1:]:
        command.note(
            f"{name} {other}", "was left out: one file is for one server; give its command line to another"
        )
    return command


def _service(told: Mapping[str, Any], name: str) -> Command:
    command = Command([])
    given = told.get("environment") or {}
    pairs = given.items() if isinstance(given, dict) else (str(item).partition("=")[::2] for item in given)
    for variable, value in pairs:
        if value not in (None, ""):
            command.set(str(variable), words_of([str(value)])[0], f"{name} environment")
    words: list[Word] = []
    for part in ("entrypoint", "command"):
        text = told.get(part) or []
        # Compose splits a text as a shell would, but runs none; $$ is a dollar sign for what is run.
        if isinstance(text, list):
            words += words_of([str(word).replace("$$", "$") for word in text], command.known())
        else:
            for piece in commands_of(str(text).replace("$$", "$"), command.known()):
                words += piece
    command.commands = [words]
    return command
