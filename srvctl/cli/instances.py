"""Finds the instance that a command is for, and opens a connection to its master.

Owns where sockets are looked for, and the sentences about instances that are not there, or not the one meant.
Imports nothing that reads settings unless a file of them is given: commands must start fast.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl import __version__
from srvctl.errors import UsageError, printable
from srvctl.ipc.control import VERSION, Command, Request
from srvctl.ipc.control_client import Connection, NotReachableError
from srvctl.settings.instance import (
    AUTO,
    NONE,
    SOCKET_SUFFIX,
    SYSTEM_RUNTIME,
    file_name,
    instance_name,
    numbered,
    runtime_directories,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from srvctl.ipc.control import Done

#: Seconds in which a master that is not stopped or blocked says who it is.
_TO_IDENTIFY: Final = 5.0
_MOST_OF_ONE_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which instance is meant; the only one there is, by default.

    Attributes:
        path: Its control socket.
        name: What it is called.
        config: Its file of settings.
    """

    path: Path | None = None
    name: str | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Master:
    """A live instance, and a connection to it.

    Attributes:
        connection: To be closed.
        about: What it says about itself: name, pid, version, config.
    """

    connection: Connection
    about: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it is called."""
        return printable(str(self.about.get("name", "")))

    @property
    def pid(self) -> int:
        """Its process: as the kernel says, or, where that says nothing, as the master does."""
        return self.connection.peer or int(self.about.get("pid", 0))

    def __str__(self) -> str:
        return f"instance {self.name} (pid {self.pid})"


def find(wanted: Wanted, environ: Mapping[str, str]) -> Master:
    """Return the instance that is meant.

    Raises:
        NotReachableError: It is not there, or does not answer.
        UsageError: Several are there, or the file of settings is wrong.
        ConfigError: The settings are wrong.
    """
    if wanted.path is not None:
        return _meet(wanted.path)
    if wanted.name is not None:
        return _first(file_name(wanted.name), f"is called {wanted.name}", environ)
    config = wanted.config or (Path(environ["SRVCTL_CONFIG"]) if environ.get("SRVCTL_CONFIG") else None)
    if config is not None:
        return _of_config(config, environ)
    return _only_one(environ)


def _of_config(config: Path, environ: Mapping[str, str]) -> Master:
    from srvctl.settings.load import load  # noqa: PLC0415 - it takes longer than everything else here

    settings = load({}, environ, config).settings
    if settings.control.socket == NONE:
        raise NotReachableError(f"the instance of {config} opens no control socket; use signals")
    if settings.control.socket != AUTO:
        return _meet(Path(settings.control.socket).absolute())
    name = instance_name(settings, config)
    if settings.server.name:
        return _first(name, f"runs with {config}", environ)
    file = config.resolve()
    for number in range(1, _MOST_OF_ONE_NAME + 1):
        found = [path for path in _places(numbered(name, number), environ) if path.is_socket()]
        if not found and number > 1:
            break
        for master in _met(found):
            theirs = str(master.about.get("config", ""))
            if theirs and Path(theirs).resolve() == file:
                return master
            master.connection.close()
    raise _no_such(f"runs with {config}", environ)


def _only_one(environ: Mapping[str, str]) -> Master:
    problems: list[NotReachableError] = []
    masters = list(_met(_sockets(environ), problems))
    if len(masters) == 1:
        return masters[0]
    for master in masters:
        master.connection.close()
    if masters:
        listed = ", ".join(sorted(f"{master.name} (pid {master.pid})" for master in masters))
        raise UsageError(f"several instances run: {listed}; say which with --name, -c or --control-socket")
    if problems:
        raise problems[0]
    directories = ", ".join(map(str, _directories(environ)))
    raise NotReachableError(
        f"no instance runs: there is no control socket in {directories}; if it is elsewhere, give "
        "--control-socket"
    )


def _no_such(what: str, environ: Mapping[str, str]) -> NotReachableError:
    """Return the error for an instance that is not there, with the names of those that are."""
    names = []
    for master in _met(_sockets(environ)):
        names.append(f"{master.name} (pid {master.pid})")
        master.connection.close()
    others = f"; these run: {', '.join(sorted(names))}" if names else "; none runs that can be seen from here"
    return NotReachableError(f"no instance {printable(what)}{others}")


def _first(name: str, what: str, environ: Mapping[str, str]) -> Master:
    """Return the first of this name that can be met; if none can, say why, or that there is none."""
    problems: list[NotReachableError] = []
    for master in _met([path for path in _places(name, environ) if path.is_socket()], problems):
        return master
    raise problems[0] if problems else _no_such(what, environ)


def _met(paths: Sequence[Path], problems: list[NotReachableError] | None = None) -> Iterator[Master]:
    """Yield the masters behind these sockets, and keep why others cannot be met."""
    for path in paths:
        try:
            yield _meet(path)
        except NotReachableError as error:
            if problems is not None:
                problems.append(error)


def _meet(path: Path) -> Master:
    """Connect, and ask who is there.

    Raises:
        NotReachableError: Nobody, nobody who answers, or nobody who can be understood.
    """
    connection = Connection(path, _TO_IDENTIFY)
    try:
        done = connection.ask(Request(Command.IDENTIFY))
    except BaseException:
        connection.close()
        raise
    if done.ok:
        return Master(connection, done.data)
    connection.close()
    raise NotReachableError(_why_not(f"pid {connection.peer} behind {path}", done))


def _why_not(who: str, done: Done) -> str:
    spoken = done.data.get("v", VERSION)
    if spoken == VERSION:
        return f"{who} refuses: {printable(done.message)}"
    age = "a newer" if isinstance(spoken, int) and spoken > VERSION else "an older"
    theirs = printable(f"{done.data.get('version', '?')}, control protocol {spoken}")
    return (
        f"{who} is {age} srvctl ({theirs}) than this one ({__version__}, {VERSION}): use the one that it was "
        "started with"
    )


def _sockets(environ: Mapping[str, str]) -> list[Path]:
    """Return every control socket there is."""
    found: dict[Path, None] = {}
    for directory in _directories(environ):
        try:
            found |= dict.fromkeys(
                sorted(path for path in directory.glob("*" + SOCKET_SUFFIX) if path.is_socket())
            )
        except OSError:  # not for us
            continue
    return list(found)


def _places(name: str, environ: Mapping[str, str]) -> list[Path]:
    return [directory / (name + SOCKET_SUFFIX) for directory in _directories(environ)]


def _directories(environ: Mapping[str, str]) -> list[Path]:
    """Return the directories to look into: those of our own instances, and those of services."""
    uid = os.geteuid()
    ours = [path for path in runtime_directories(environ, uid) if _is_trusted(path, uid)]
    try:
        services = sorted(path for path in SYSTEM_RUNTIME.iterdir() if path.is_dir())
    except OSError:
        services = []
    return list(dict.fromkeys([*ours, SYSTEM_RUNTIME, *services]))


def _is_trusted(directory: Path, uid: int) -> bool:
    """Return whether nobody but us and root could have made it: in /tmp anybody may take our place."""
    try:
        return directory.lstat().st_uid in {uid, 0}
    except OSError:
        return True  # to be named where nothing is found
