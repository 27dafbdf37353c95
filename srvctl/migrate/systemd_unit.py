"""Reads what a systemd service starts: ExecStart= and Environment=, and advice about the rest. Pure.

systemd.service(5) says how lines are read: no shell, ``$NAME`` and ``${NAME}`` alone, ``%%`` for a percent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srvctl.migrate.command import Command, NothingFoundError
from srvctl.migrate.shellwords import Word, commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SPECIFIER: Final = re.compile(r"%([A-Za-z])")
_PREFIXES: Final = "@-:+!|"
_SOCKET: Final = re.compile(r"\S+\.socket")
#: Keys with something to say about: what to do.
_ADVICE: Final[Mapping[str, str]] = {
    "EnvironmentFile": "its variables are not known here; srvctl reads UVICORN_*, WEB_CONCURRENCY and "
    "FORWARDED_ALLOW_IPS from it too, above its file, and its own SRVCTL_*",
    "WorkingDirectory": "keep it: relative paths begin there, and the application is imported from there",
    "User": "keep it: systemd starts srvctl as that user, and workers.user is not needed",
    "Group": "keep it, as User=",
    "DynamicUser": "keep it: systemd starts srvctl as that user, and workers.user is not needed",
    "RuntimeDirectory": "keep it: a Unix socket may be made there",
    "KillMode": "KillMode=mixed lets srvctl end its workers itself",
    "TimeoutStopSec": "has to be above timeouts.graceful_shutdown and timeouts.lifespan_shutdown together",
    "PIDFile": "not needed with Type=notify",
    "ExecReload": "not needed with Type=notify-reload; before systemd 253, /bin/kill -HUP $MAINPID is right",
}


def read(text: str, name: str) -> Command:
    """Return what the service starts.

    Args:
        text: The unit.
        name: What it is called in messages.

    Raises:
        NothingFoundError: It starts nothing.
    """
    command = Command([])
    started: list[tuple[str, int]] = []
    sockets: list[str] = []
    for section, key, value, line in _assignments(text):
        place = f"{name}:{line} {key}="
        if section == "Service" and key == "ExecStart":
            started = [*started, (value, line)] if value else []
        elif section == "Service" and key == "Environment":
            _set_all(command, value, place)
        elif section == "Service" and key == "Type":
            command.note(f"{place}{value}", "becomes Type=notify-reload, or Type=notify before systemd 253")
        elif section == "Service" and key in _ADVICE:
            command.note(f"{place}{value}", _ADVICE[key])
        elif key in {"Requires", "Sockets", "Wants", "BindsTo"}:
            sockets += [*_SOCKET.findall(value)]
    if not started:
        raise NothingFoundError(f"{name} has no ExecStart= under [Service]")
    value, line = started[-1]
    command.commands = _words(value, command.known())
    command.note(f"{name}:{line} ExecStart=", "becomes ExecStart=/path/to/srvctl run -c /path/to/srvctl.toml")
    _use_sockets(sockets, command)
    return command


def _use_sockets(sockets: list[str], command: Command) -> None:
    """Listen on what systemd passes; gunicorn and uvicorn --fd take it instead of an address of their own."""
    unique = list(dict.fromkeys(sockets))
    if unique:
        command.binds = ([f"systemd:{socket}" for socket in unique], f"the unit's {unique[0]}")
        command.note(
            ", ".join(unique),
            "a socket has the name of its unit, unless FileDescriptorName= says else: write systemd:NAME",
        )


def _assignments(text: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield section, key, value and line; a line that ends in a backslash goes on."""
    section, pending, begin = "", "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith(("#", ";")):  # also in the middle of a continued line
            continue
        begin = begin if pending else number
        pending += stripped
        if pending.endswith("\\"):
            pending = f"{pending[:-1]} "
            continue
        whole, pending = pending, ""
        if whole.startswith("["):
            section = whole.strip("[]")
        elif "=" in whole:
            key, _, value = whole.partition("=")
            yield section, key.strip(), value.strip(), begin


def _words(value: str, known: Mapping[str, str]) -> list[list[Word]]:
    # systemd knows no operators; a lone semicolon parts commands, as in a shell.
    text = value.lstrip(_PREFIXES).replace("%%", "\0")
    commands = commands_of(_SPECIFIER.sub(r"${SPECIFIER_\1}", text), known)
    return [[_plain(word) for word in command] for command in commands]


def _plain(word: Word) -> Word:
    """Give percent signs back, and specifiers their own form."""
    raw = re.sub(r"\$\{SPECIFIER_(.)\}", r"%\1", word.raw).replace("\0", "%")
    variables = tuple(re.sub(r"^SPECIFIER_", "%", name) for name in word.variables)
    return Word(word.text.replace("\0", "%"), variables, word.is_known, raw)


def _set_all(command: Command, value: str, origin: str) -> None:
    if not value:
        command.environ.clear()
    for words in _words(value, {}):
        for word in words:
            variable, text = word.partition("=")
            command.set(variable, text, origin.removesuffix("="))
