"""The commands for an instance that runs: reload, stop, upgrade, recycle, status.

Owns what they ask, and how long they wait. Which instance is meant is found by `srvctl.cli.instances`, what
came of it is printed by `srvctl.cli.answer`. Imports nothing heavy.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from srvctl.cli.answer import Answer, print_json
from srvctl.cli.instances import Wanted, find
from srvctl.cli.status_text import as_text
from srvctl.errors import ExitCode, UsageError
from srvctl.ipc.control import RECYCLE_TARGET, Command, Done, Progress, Request
from srvctl.ipc.control_client import NotInTimeError
from srvctl.settings.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from srvctl.cli.instances import Master

#: For what ends by itself: the master has a deadline for every step.
_PATIENCE: Final = "10m"
_TO_TELL: Final = "10s"

_Config = Annotated[
    Path | None,
    typer.Option(
        "-c", "--config", metavar="FILE", show_default=False, help="The instance that runs with this file."
    ),
]
_Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", show_default=False, help="The instance of this name.")
]
_Socket = Annotated[
    Path | None,
    typer.Option(
        "--control-socket", metavar="PATH", show_default=False, help="The instance behind this socket."
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print an object.")]
_NoWait = Annotated[bool, typer.Option("--no-wait", help="Only ask; do not wait for the end.")]
_Timeout = Annotated[
    str, typer.Option("--timeout", metavar="DURATION", help="Wait no longer; the instance goes on.")
]


def reload(
    config: _Config = None,
    name: _Name = None,
    control_socket: _Socket = None,
    json: _Json = False,
    no_wait: _NoWait = False,
    timeout: _Timeout = _PATIENCE,
) -> None:
    """Replace every worker by one that runs the code and the settings now on disk."""
    patience = _seconds(timeout)
    with Answer(json) as answer, _met(Wanted(control_socket, name, config)) as master:
        _carry_out(answer, master, Request(Command.RELOAD), patience, is_waiting=not no_wait)


def stop(
    config: _Config = None,
    name: _Name = None,
    control_socket: _Socket = None,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for running requests.")] = False,
    json: _Json = False,
    no_wait: _NoWait = False,
    timeout: _Timeout = _PATIENCE,
) -> None:
    """Answer what was begun, then end the instance."""
    patience = _seconds(timeout)
    with Answer(json) as answer, _met(Wanted(control_socket, name, config)) as master:
        began = time.monotonic()
        with _watched(master.pid) as wait_gone:
            request = Request(Command.STOP, {"immediately": now})
            if not _carry_out(answer, master, request, patience, is_waiting=not no_wait, is_last=False):
                return
            master.connection.wait_end(patience - (time.monotonic() - began))
            wait_gone(patience - (time.monotonic() - began))
        answer.end(Done(ok=True, message=f"Instance {master.name} (pid {master.pid}) has stopped"))


def upgrade(
    config: _Config = None,
    name: _Name = None,
    control_socket: _Socket = None,
    json: _Json = False,
    no_wait: _NoWait = False,
    timeout: _Timeout = _PATIENCE,
) -> None:
    """Replace the master, in place, by the srvctl that is installed now; workers live on."""
    patience = _seconds(timeout)
    with Answer(json) as answer, _met(Wanted(control_socket, name, config)) as master:
        _carry_out(answer, master, Request(Command.UPGRADE), patience, is_waiting=not no_wait)


def recycle(
    target: Annotated[
        str, typer.Argument(metavar="[all|slot:N|pid:N]", help="Which workers.", show_default=False)
    ] = "all",
    config: _Config = None,
    name: _Name = None,
    control_socket: _Socket = None,
    json: _Json = False,
    no_wait: _NoWait = False,
    timeout: _Timeout = _PATIENCE,
) -> None:
    """Replace workers by new ones of the same code and settings."""
    if not RECYCLE_TARGET.fullmatch(target):
        raise UsageError(f"{target!r} names no workers; write all, slot:N or pid:N")
    patience = _seconds(timeout)
    with Answer(json) as answer, _met(Wanted(control_socket, name, config)) as master:
        request = Request(Command.RECYCLE, {"target": target})
        _carry_out(answer, master, request, patience, is_waiting=not no_wait)


def status(
    config: _Config = None,
    name: _Name = None,
    control_socket: _Socket = None,
    json: _Json = False,
    timeout: _Timeout = _TO_TELL,
) -> None:
    """Print how an instance and its workers are."""
    patience = _seconds(timeout)
    with Answer(json) as answer, _met(Wanted(control_socket, name, config)) as master:
        done = _end_of(master, Request(Command.STATUS), patience, lambda _: None)
        if not done.ok:
            answer.end(done)
        elif json:
            print_json(done.data)
        else:
            print(as_text(done.data))


#: What `srvctl.cli.app` offers, in this order.
COMMANDS: Final[Mapping[str, Callable[..., None]]] = {
    function.__name__: function for function in (reload, stop, upgrade, recycle, status)
}


def _carry_out(
    answer: Answer,
    master: Master,
    request: Request,
    patience: float,
    *,
    is_waiting: bool,
    is_last: bool = True,
) -> bool:
    """Ask, and print what comes of it; return whether there is more to wait for."""
    if not is_waiting:
        master.connection.tell(request)
        answer.asked(master, request.command)
        return False
    done = _end_of(master, request, patience, answer.progress)
    if is_last or not done.ok:
        answer.end(done)
        return False
    return True


def _end_of(master: Master, request: Request, patience: float, progress: Callable[[str], None]) -> Done:
    for reply in master.connection.replies(request, patience):
        if isinstance(reply, Progress):
            progress(reply.text)
        else:
            return reply
    if request.command is Command.STOP:
        return Done(ok=True)  # it was quicker than its answer
    return Done(
        ok=False,
        code=ExitCode.REFUSED,
        message=f"{master} ended the connection before it answered; `srvctl status` tells whether it lives",
    )


@contextmanager
def _met(wanted: Wanted) -> Iterator[Master]:
    master = find(wanted, os.environ)
    with master.connection:
        yield master


@contextmanager
def _watched(pid: int) -> Iterator[Callable[[float], None]]:
    """Yield what waits for the end of a process: by a descriptor, which no other process gets (Linux)."""
    fd = -1
    with suppress(OSError, AttributeError):  # gone, of another pid namespace, or not Linux
        fd = os.pidfd_open(pid) if pid > 0 else -1

    def wait_gone(patience: float) -> None:
        if fd >= 0 and not select.select([fd], [], [], max(0.0, patience))[0]:
            raise NotInTimeError(f"pid {pid} closed its socket and still runs")

    try:
        yield wait_gone
    finally:
        if fd >= 0:
            os.close(fd)


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout {timeout!r} {error}") from None
