"""Reads a supervisord.conf: the ``[program:x]`` that is a server, and those that run beside it. Pure.

https://supervisord.org/configuration.html says what there is. Its file is read as it does: RawConfigParser,
repeated keys allowed, comments behind blanks.
"""

from __future__ import annotations

import re
import shlex
from configparser import Error, RawConfigParser
from typing import TYPE_CHECKING, Final

from srvctl.migrate.command import Command, NothingFoundError
from srvctl.migrate.invocation import find
from srvctl.migrate.result import TakenProgram
from srvctl.migrate.shellwords import commands_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAM: Final = "program:"
_EXPANSION: Final = re.compile(r"%\((\w+)\)[0-9]*[sd]|%%")
_RESTART: Final = {"true": "always", "false": "never", "unexpected": "on-failure"}
_NO: Final = frozenset({"false", "no", "off", "0", "n", "f"})
#: Supervisor's own: what it starts with, where nothing is said.
_PRIORITY: Final = 999
#: Keys of a program that are taken as they are, with what they are called here.
_SAME: Final = {"directory": "directory", "user": "user", "stopsignal": "stop_signal",
                "stopwaitsecs": "stop_timeout", "numprocs": "count"}  # fmt: skip
_TAKEN: Final = frozenset({*_SAME, "command", "environment"})
#: Keys of a program with something to say about: what to do.
_ADVICE: Final[Mapping[str, str]] = {
    "exitcodes": "srvctl counts 0 as success, and nothing else: see restart",
    "startsecs": "not needed: a program that ends too soon is started again after a growing pause",
    "startretries": "not needed: a program that ends too soon is started again after a growing pause",
    "umask": "there is none for a program: set it in a script that execs the program",
    "stdout_logfile": "what it prints is in the log of srvctl, with its name",
    "stderr_logfile": "what it prints is in the log of srvctl, with its name",
}
#: Sections with something to say about, by how they begin.
_SECTIONS: Final[Mapping[str, str]] = {
    "eventlistener:": "srvctl has no event listeners: see its webhooks, metrics and ledger",
    "fcgi-program:": "srvctl passes no FastCGI socket: a [[program]] with bind is passed sockets of its own",
    "include": "the files that it names were not read: give each to srvctl migrate",
}
_ADVICE_OF_SERVER: Final[Mapping[str, str]] = {
    "directory": "keep it: relative paths begin there, and the application is imported from there",
    "user": "keep it, and workers.user is not needed; programs can then have no other user",
    "numprocs": "leave it out: workers.count says how many workers serve",
}


def read(text: str, name: str) -> Command:
    """Return what the file starts.

    Args:
        text: The file.
        name: What it is called in messages.

    Raises:
        NothingFoundError: No server is in it, or it is not valid.
    """
    parser = RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text)
    except Error as error:
        raise NothingFoundError(
            f"{name} is not a supervisord.conf: {str(error).partition(chr(10))[0]}"
        ) from None
    programs = [section for section in parser.sections() if section.startswith(_PROGRAM)]
    server = next((section for section in programs if _server(parser[section], section) is not None), None)
    if server is None:
        raise NothingFoundError(f"{name} has no [program:x] that starts uvicorn, gunicorn or fastapi")
    command = _server(parser[server], server)
    if command is None:  # as it was found, there is one
        raise NothingFoundError(f"{name} starts no server")
    command.note(f"{name} [{server}]", "becomes command=/path/to/srvctl run -c /path/to/srvctl.toml")
    for key, why in _ADVICE_OF_SERVER.items():
        if key in parser[server]:
            command.note(f"{name} [{server}] {key}", why)
    others = [section for section in programs if section != server]
    for section in sorted(others, key=lambda one: _number(parser[one].get("priority"))):
        _take(command, section, parser[section], f"{name} [{section}]")
    for section in parser.sections():
        for begin, why in _SECTIONS.items():
            if section.startswith(begin):
                command.note(f"{name} [{section}]", why)
    return command


def _server(section: Mapping[str, str], name: str) -> Command | None:
    """Return what starts a server; None for a program that is none."""
    text, unknown = _expanded(section.get("command") or "", name)
    for expansion in unknown:
        text = text.replace(f"%({expansion})s", f"${{{expansion.removeprefix('ENV_')}}}")
    command = Command([])
    for variable, value in _variables(section.get("environment") or ""):
        command.set(variable, words_of([value])[0], f"[{name}] environment")
    command.commands = commands_of(text, command.known())
    return command if find(command.commands, command.known()) is not None else None


def _take(command: Command, section: str, told: Mapping[str, str], place: str) -> None:
    """Take a program that is no server; or say why not."""
    if (told.get("autostart") or "").strip().lower() in _NO:
        command.note(place, "autostart=false: was left out, for srvctl starts every program that it has")
        return
    if _server(told, section) is not None:
        command.note(place, "was left out: one file is for one server; give its command line to another")
        return
    values: dict[str, object] = {"name": section.removeprefix(_PROGRAM).strip()}
    for key, value, unknown in _expanded_all(told, section):
        if unknown and key in _TAKEN:
            command.note(
                f"{place} {key}",
                f"holds %({unknown[0]})s, which is not filled in here; a shell can: "
                '["sh", "-c", "exec ... $NAME"], of which $SRVCTL_PROGRAM_INDEX is the number of the process',
            )
            if key == "command":
                return
        elif key == "command":
            values["command"] = value
        elif key == "environment":
            values["environment"] = [f"{variable}={text}" for variable, text in _variables(value)]
        elif key in _SAME:
            values[_SAME[key]] = value
        elif key in _ADVICE:
            command.note(f"{place} {key}", _ADVICE[key])
    restart = (told.get("autorestart") or "unexpected").strip().lower()
    values["restart"] = _RESTART.get(restart, "never" if restart in _NO else "always")
    command.programs.append(TakenProgram(values, place))


def _expanded_all(told: Mapping[str, str], section: str) -> Iterator[tuple[str, str, list[str]]]:
    for key, value in told.items():
        text, unknown = _expanded(value or "", section)
        yield key, text.strip(), unknown


def _expanded(text: str, section: str) -> tuple[str, list[str]]:
    """Fill in what is known of the expressions of Supervisor; return the names of the others, which stay."""
    name = section.removeprefix(_PROGRAM)
    known = {"program_name": name, "group_name": name}
    unknown: list[str] = []

    def fill(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        if match[1] not in known:
            unknown.append(match[1])
            return f"%({match[1]})s"
        return known[match[1]]

    return _EXPANSION.sub(fill, text), unknown


def _variables(text: str) -> list[tuple[str, str]]:
    """Return the variables of ``A="1",B=2``, which Supervisor reads by shlex; none of what is none."""
    reader = shlex.shlex(text, posix=True)
    reader.wordchars += "/.+-():*~@%!?&^{}$|<>[]\\`"
    reader.commenters = ""
    try:
        words = list(reader)
    except ValueError:
        return []
    return [
        (words[at - 1], words[at + 1] if at + 1 < len(words) and words[at + 1] != "," else "")
        for at, word in enumerate(words)
        if word == "=" and at > 0
    ]


def _number(text: str | None) -> int:
    return int(text) if text and text.strip().isdecimal() and len(text) < 10 else _PRIORITY  # noqa: PLR2004
