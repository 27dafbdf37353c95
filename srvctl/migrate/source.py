"""Has what is given read, and translated: the way in for callers. Pure, but for reading named files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.migrate import dockerfile, fastapi_cli, gunicorn, listings, supervisord, systemd_unit, uvicorn
from srvctl.migrate.command import Command, NothingFoundError
from srvctl.migrate.invocation import ASSIGNMENT, KEYWORDS, Invocation, find
from srvctl.migrate.kinds import Kind
from srvctl.migrate.shellwords import commands_of, words_of
from srvctl.settings.catalog import catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srvctl.migrate.command import File
    from srvctl.migrate.result import Given, Migration
    from srvctl.migrate.shellwords import Word

    _Read = Callable[[str], File | None]

_BLANK: Final = re.compile(r"\s")
#: Variables of the other servers that became settings.
_OF_SERVERS: Final = frozenset({"PORT", "GUNICORN_CMD_ARGS"})
#: Commands of a script that only say how it is read.
_WITHOUT_EFFECT: Final = frozenset({"set", "if", "fi", "else", "done", "}", ")", ":"})


def from_words(words: Sequence[str], read: _Read) -> Migration:
    """Translate a command line.

    Args:
        words: Its words; a single one with blanks is taken for the whole line, as a shell reads it.
        read: Returns a file by its path, or None.

    Raises:
        NothingFoundError: No server is in it.
    """
    if len(words) == 1 and _BLANK.search(words[0].strip()):
        return from_text(Kind.COMMAND, words[0], "the command line", read)
    return _translate(Command([words_of(list(words))]), "the command line", read)


def from_text(kind: Kind, text: str, name: str, read: _Read) -> Migration:
    """Translate a file.

    Args:
        kind: What it is.
        text: What is in it.
        name: What it is called in messages.
        read: Returns another file that it names, or None.

    Raises:
        NothingFoundError: No server is in it.
    """
    match kind:
        case Kind.GUNICORN:
            return gunicorn.migrate_file(text, name, {})
        case Kind.DOCKERFILE:
            command = dockerfile.read(text, name)
        case Kind.SYSTEMD:
            command = systemd_unit.read(text, name)
        case Kind.PROCFILE:
            command = listings.read_procfile(text, name)
        case Kind.COMPOSE:
            command = listings.read_compose(text, name)
        case Kind.SUPERVISORD:
            command = supervisord.read(text, name)
        case Kind.COMMAND:
            command = _script(text)
    return _translate(command, name, read)


def _script(text: str) -> Command:
    """Return the commands of a script, with the variables that it sets."""
    command = Command([])
    for words in commands_of(text):
        for word in _assignments(words):
            variable, value = word.partition("=")
            command.set(variable, value, variable)
    command.commands = [
        words
        for words in commands_of(text, command.known())
        if not _assignments(words) and not _is_grammar(words)
    ]
    return command


def _is_grammar(words: Sequence[Word]) -> bool:
    """Return whether a command is a shell's own: ``set -e``, or a ``then`` at the end of its line."""
    return words[0].text in _WITHOUT_EFFECT or (len(words) == 1 and words[0].text in KEYWORDS)


def _assignments(words: Sequence[Word]) -> Sequence[Word]:
    """Return the words of a command that only sets variables; none for another one."""
    settings = words[1:] if words[0].text == "export" else words
    return settings if all(ASSIGNMENT.match(word.text) for word in settings) else ()


def _translate(command: Command, name: str, read: _Read) -> Migration:
    call = find(command.commands, command.known())
    if call is None:
        shown = "; ".join(" ".join(map(str, words)) for words in command.commands)
        raise NothingFoundError(
            f"{name} calls no uvicorn, gunicorn or fastapi: {shown or 'it is empty'}; if a script of yours "
            "does, give that with --from; for uvicorn.run() in Python see docs/how-to/embedding.md"
        )
    for variable, word in call.variables.items():
        command.set(variable, word, variable)
    migration = _by_server(call, command.environ, read)
    if command.binds is not None:
        _replace_address(command.binds, migration)
    migration.programs += command.programs
    _tell(command, call, migration)
    return migration


def _by_server(call: Invocation, environ: Mapping[str, Given], read: _Read) -> Migration:
    match call.server:
        case "uvicorn":
            return uvicorn.migrate(call.words, environ)
        case "fastapi":
            return fastapi_cli.migrate(call.words, environ)
        case _:
            return gunicorn.migrate(call.words, environ, read)


def _replace_address(binds: tuple[list[str], str], migration: Migration) -> None:
    """Listen on the sockets that systemd opens, as gunicorn does whatever its bind says."""
    addresses, origin = binds
    if migration.server != "gunicorn" and "server.fd" not in migration.taken:
        return
    for key in ("server.bind", "server.fd"):
        migration.taken.pop(key, None)
    migration.take("server.bind", addresses, origin)


def _tell(command: Command, call: Invocation, migration: Migration) -> None:
    """Add what is true of any server."""
    read_here = {name for setting in catalog().values() for name in setting.option.env}
    for name, given in command.environ.items():
        if name in read_here:
            migration.ask(
                given.origin,
                f"srvctl reads {name} too, and it wins over the file: unset it, so that the file decides",
            )
    if names := ", ".join(name for name in call.variables if name not in read_here | _OF_SERVERS):
        migration.ask(names, "set for the application: go on setting it where srvctl is started")
    if call.wrapper:
        migration.ask(call.wrapper, f"stands before {call.server}: put it before srvctl run too")
    for other in call.others:
        migration.ask(other, "runs beside the server: go on running it")
    for note in command.notes:
        migration.ask(note.what, note.why)
