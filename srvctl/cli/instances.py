"""Finds the instance that a command is for, and opens a connection to its master.

Owns where sockets are looked for, and the sentences about instances that are not there, or not the one meant.
Imports nothing that reads settings unless a file of them is given: commands must start fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl import __version__
from srvctl.cli.pid_files import read_pid_file
from srvctl.cli.places import directories, every_socket, sockets_of
from srvctl.errors import UsageError, printable
from srvctl.ipc.control import VERSION, Command, Reason, Request
from srvctl.ipc.control_client import Connection, ControlFailedError, NotReachableError, NotServedError
from srvctl.ipc.control_refusals import reason_of
from srvctl.settings.instance import AUTO, NONE, file_name, instance_name, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from srvctl.cli.places import Sockets
    from srvctl.ipc.control import Done
    from srvctl.settings.groups import Settings

#: Seconds in which a master that is not stopped or blocked says who it is.
_TO_IDENTIFY: Final = 5.0
_MOST_OF_ONE_NAME: Final = 100
#: There may be an instance all the same, or it may have been killed: the pid file knows.
_NOBODY: Final = frozenset({Reason.NOT_RUNNING, Reason.NO_SOCKET, Reason.STALE_SOCKET})


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
        NotServedError: It is another user's, or speaks another version of the protocol.
        UsageError: Several are there, or the file of settings is wrong.
        ConfigError: The settings are wrong.
    """
    if wanted.path is not None:
        return _meet(wanted.path)
    if wanted.name is not None:
        sockets = sockets_of(file_name(wanted.name), environ)
        return _first(sockets, f"is called {wanted.name}", environ)
    config = wanted.config or (Path(environ["SRVCTL_CONFIG"]) if environ.get("SRVCTL_CONFIG") else None)
    if config is not None:
        return _of_config(config, environ)
    return _only_one(environ)


def _of_config(config: Path, environ: Mapping[str, str]) -> Master:
    from srvctl.settings.load import load  # noqa: PLC0415 - it takes longer than everything else here

    settings = load({}, environ, config).settings
    try:
        return _with_settings(config, settings, environ)
    except NotReachableError as error:
        found = _by_pid_file(config, settings) if error.reason in _NOBODY else None
        raise found or error from None


def _with_settings(config: Path, settings: Settings, environ: Mapping[str, str]) -> Master:
    if settings.control.socket == NONE:
        raise NotReachableError(
            f"the instance of {config} opens no control socket; use signals", Reason.NO_SOCKET
        )
    if settings.control.socket != AUTO:
        return _meet(Path(settings.control.socket).absolute())
    name, what = instance_name(settings, config), f"runs with {config}"
    if settings.server.name:
        return _first(sockets_of(name, environ, config), what, environ)
    file = config.resolve()
    problems: list[ControlFailedError] = []
    for number in range(1, _MOST_OF_ONE_NAME + 1):
        found = sockets_of(numbered(name, number), environ, config)
        if not found.paths and number > 1:
            break
        for master in _met(found.paths, problems):
            theirs = str(master.about.get("config", ""))
            if theirs and Path(theirs).resolve() == file:
                return master
            master.connection.close()
    # One of that name that does not answer, and may be another one: better than to say that there is none.
    raise problems[0] if problems else _no_such(what, environ, found)


def _by_pid_file(config: Path, settings: Settings) -> NotReachableError | None:
    """Return what the pid file tells of an instance that cannot be asked."""
    path = settings.server.pid_file
    written = read_pid_file(Path(path).absolute()) if path else None
    if written is None:
        return None
    if written.lives:
        return NotReachableError(
            f"pid {written.pid} runs with {config} (it has the pid file {path}), and cannot be asked: its "
            "control socket is gone, or was never there; signals reach it",
            Reason.NO_SOCKET,
        )
    return NotReachableError(
        f"no instance runs with {config}: pid {written.pid} of the pid file {path} is gone, so it was killed",
        Reason.STALE_PID_FILE,
    )


def _only_one(environ: Mapping[str, str]) -> Master:
    problems: list[ControlFailedError] = []
    sockets = every_socket(environ)
    masters = list(_met(sockets.paths, problems))
    if len(masters) == 1:
        return masters[0]
    for master in masters:
        master.connection.close()
    if masters:
        listed = ", ".join(sorted(f"{master.name} (pid {master.pid})" for master in masters))
        raise UsageError(f"several instances run: {listed}; say which with --name, -c or --control-socket")
    if problems:
        raise problems[0]
    listed = ", ".join(map(str, directories(environ)))
    raise _unseen(
        f"no instance runs: there is no control socket in {listed}; if it is elsewhere, give "
        "--control-socket",
        sockets,
    )


def _no_such(what: str, environ: Mapping[str, str], looked: Sockets) -> NotReachableError:
    """Return the error for an instance that is not there, with the names of those that are."""
    names = []
    for master in _met(every_socket(environ).paths):
        names.append(f"{master.name} (pid {master.pid})")
        master.connection.close()
    others = f"; these run: {', '.join(sorted(names))}" if names else "; none runs that can be seen from here"
    return _unseen(f"no instance {printable(what)}{others}", looked)


def _unseen(text: str, looked: Sockets) -> NotReachableError:
    """Return the error for what was not found, which may be where this user may not look."""
    if not looked.closed:
        return NotReachableError(text)
    closed = ", ".join(map(str, looked.closed))
    return NotReachableError(
        f"{text} (permission denied for {closed}: be root, or the user that runs the instance)",
        Reason.NO_PERMISSION,
    )


def _first(sockets: Sockets, what: str, environ: Mapping[str, str]) -> Master:
    """Return the first of these that can be met; if none can, say why, or that there is none."""
    problems: list[ControlFailedError] = []
    for master in _met(sockets.paths, problems):
        return master
    raise problems[0] if problems else _no_such(what, environ, sockets)


def _met(paths: Iterable[Path], problems: list[ControlFailedError] | None = None) -> Iterator[Master]:
    """Yield the masters behind these sockets, and keep why others cannot be met."""
    for path in paths:
        try:
            yield _meet(path)
        except (NotReachableError, NotServedError) as error:
            if problems is not None:
                problems.append(error)


def _meet(path: Path) -> Master:
    """Connect, and ask who is there.

    Raises:
        NotReachableError: Nobody, or nobody who answers.
        NotServedError: Somebody who does not serve us.
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
    raise NotServedError(_why_not(f"pid {connection.peer} behind {path}", done), _known(reason_of(done)))


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


def _known(reason: str) -> Reason:
    return Reason(reason) if reason in set(Reason) else Reason.FAILED
