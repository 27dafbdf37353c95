"""Starts an instance in the background, and says what came of it.

Nothing half-started stays: who gives up, or is told to, ends what was begun. Used by ``srvctl start`` and
``srvctl restart``.
"""

from __future__ import annotations

import math
import os
import signal
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from srvctl.cli.background.birth import Birth, spawn
from srvctl.cli.background.log_place import LogPlace
from srvctl.errors import ExitCode, SrvctlError, printable
from srvctl.ipc.control import Command, Done, Request
from srvctl.ipc.control_client import Connection, NotReachableError
from srvctl.settings.instance import AUTO, control_paths, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import FrameType

    from srvctl.settings.service import Service

#: Seconds for a master to say who it is.
_TO_IDENTIFY: Final = 5.0
_MOST_OF_ONE_NAME: Final = 100
#: Seconds beside `timeouts.boot`, for what a start consists of before a worker is begun and after it failed.
_BEYOND_BOOT: Final = 60.0
#: A mold may have to be given up before workers import the application by themselves.
_BOOTS: Final = 2


class GaveUpError(SrvctlError):
    """The start was given up, and what was begun was ended."""

    exit_code = ExitCode.REFUSED


class NotUpError(SrvctlError):
    """The workers were not ready in time, and what was begun was ended."""

    exit_code = ExitCode.NEVER_UP


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started.

    Attributes:
        program: The interpreter, and what it needs to run srvctl.
        words: What stands behind ``run``.
        service: What they mean.
    """

    program: tuple[str, ...]
    words: tuple[str, ...]
    service: Service

    @property
    def command_line(self) -> list[str]:
        """What is run."""
        return [*self.program, "run", *self.words]

    @property
    def most(self) -> float:
        """Seconds after which a start has failed, whatever keeps the master from saying so."""
        settings = self.service.settings
        if settings.reload.enabled:
            return math.inf  # in development anything may take its time at a breakpoint
        return _BOOTS * settings.timeouts.boot + settings.hooks.timeout + _BEYOND_BOOT


@dataclass(frozen=True, slots=True)
class Started:
    """An instance that was started, as programs read it.

    Attributes:
        name: What it is called.
        pid: Its master.
        log: Where its log is; empty where it is not kept.
        binds: Where it listens, as far as it has said so.
        is_ready: Its workers serve.
    """

    name: str
    pid: int
    log: str
    binds: list[str] = field(default_factory=list)
    is_ready: bool = False


def running_already(service: Service, environ: Mapping[str, str]) -> str:
    """Return a sentence if this very instance runs: one of that name, or with that file; else nothing.

    The master would say so as well, but only if it got as far: before, it opens its addresses.
    """
    instance, setting = service.instance, service.settings.control.socket
    for path in control_paths(setting, instance.name, environ, os.geteuid()):
        about = _identified(path) if path.is_socket() else {}
        is_same = bool(instance.config) and about.get("config") == instance.config
        if about and (instance.is_named or is_same or setting != AUTO):
            return (
                f"instance {instance.name} already runs as pid {about.get('pid')} (control socket {path}); "
                "stop it first, or give this one another --name"
            )
    return ""


def launch(
    given: Launch, environ: Mapping[str, str], *, patience: float | None, progress: Callable[[str], None]
) -> Done:
    """Start it, and wait until its workers are ready.

    Args:
        given: What is started.
        environ: Its environment.
        patience: Seconds; None for as long as a start may take.
        progress: Is told how it goes on.

    Returns:
        How it went; the data are those of `Started`, and of a failure the details what it printed.

    Raises:
        NotUpError: It took too long.
        GaveUpError: A signal asked to give up.
    """
    until = time.monotonic() + min(given.most, math.inf if patience is None else patience)
    place = _log_place(given, environ)
    try:
        with _interrupted_by_signals(), _born(given, environ, place) as birth:
            try:
                outcome = birth.wait(until, progress)
            except KeyboardInterrupt:
                birth.end()
                raise GaveUpError(
                    f"interrupted; pid {birth.pid}, which was not ready yet, was ended"
                ) from None
            if outcome.is_ready:
                return _is_up(given, environ, birth.pid, place)
            if outcome.code is None:
                birth.end()
                raise NotUpError(
                    f"the workers were not ready in time; pid {birth.pid} was ended{_see(place)}"
                )
            return _failed(given, outcome.code, place)
    finally:
        os.close(place.fd)


def launch_only(given: Launch, environ: Mapping[str, str]) -> Done:
    """Start it and wait for nothing."""
    place = _log_place(given, environ)
    try:
        kept = {name: value for name, value in environ.items() if name != "NOTIFY_SOCKET"}
        pid = spawn(given.command_line, kept, place.fd)
    finally:
        os.close(place.fd)
    started = Started(given.service.instance.name, pid, place.log)
    return Done(ok=True, message=f"Started pid {pid}, without waiting{_see(place)}", data=asdict(started))


@contextmanager
def _born(given: Launch, environ: Mapping[str, str], place: LogPlace) -> Iterator[Birth]:
    with Birth(given.command_line, environ, place.fd) as birth:
        try:
            yield birth
        except BaseException as error:
            if not isinstance(error, SrvctlError):
                birth.end()  # whatever it is, nothing half-started stays
            raise


def _log_place(given: Launch, environ: Mapping[str, str]) -> LogPlace:
    settings, name = given.service.settings, given.service.instance.name
    return LogPlace.open(name, settings.log.file, environ, os.geteuid())


def _is_up(given: Launch, environ: Mapping[str, str], pid: int, place: LogPlace) -> Done:
    about = _about(given.service, environ, pid)
    started = Started(
        str(about.get("name", given.service.instance.name)),
        pid,
        place.log,
        [str(bind) for bind in about.get("binds", [])],
        is_ready=True,
    )
    where = f" on {', '.join(map(printable, started.binds))}" if started.binds else ""
    message = f"Instance {printable(started.name)} (pid {pid}) serves{where}{_see(place)}"
    return Done(ok=True, message=message, data=asdict(started))


def _failed(given: Launch, code: int, place: LogPlace) -> Done:
    if code < 0:
        how, code = f"it was killed by {_signal_name(-code)}", int(ExitCode.NEVER_UP)
    elif code == ExitCode.OK:
        how, code = "it was asked to stop before its workers were ready", int(ExitCode.REFUSED)
    else:
        how = f"exit code {code}"
    message = f"instance {given.service.instance.name} did not start: {how}{_see(place)}"
    return Done(ok=False, code=code, message=message, details=place.said())


def _see(place: LogPlace) -> str:
    if place.log:
        return f"; log: {printable(place.log)}"
    return f"; what it prints is lost, for {place.reason}: give --log-file"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _about(service: Service, environ: Mapping[str, str], pid: int) -> Mapping[str, Any]:
    """Return what the master says about itself; nothing where it has no control socket."""
    setting = service.settings.control.socket
    for number in range(1, _MOST_OF_ONE_NAME + 1):
        name = numbered(service.instance.name, number)
        found = [path for path in control_paths(setting, name, environ, os.geteuid()) if path.is_socket()]
        for path in found:
            about = _identified(path, pid)
            if about:
                return about
        if not found:
            break
    return {}


def _identified(path: Path, pid: int = 0) -> Mapping[str, Any]:
    """Return what the master behind a socket says about itself; nothing if it is not this process."""
    try:
        with Connection(path, _TO_IDENTIFY) as connection:
            if pid not in {0, connection.peer}:
                return {}
            return connection.ask(Request(Command.IDENTIFY)).data
    except NotReachableError:
        return {}


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Have the end of a session, and whoever asks us to end, mean the same as Ctrl-C."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
