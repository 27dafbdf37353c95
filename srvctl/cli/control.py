"""The commands for an instance that runs: reload, stop, upgrade, recycle, status.

Owns what they ask, and how long they wait. How they are typed is in `srvctl.cli.quick`, which instance is
meant is found by `srvctl.cli.instances`, what came of it is printed by `srvctl.cli.answer`. Must start fast.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srvctl.cli.answer import Answer, print_json
from srvctl.cli.instances import Wanted, find
from srvctl.cli.printing import show
from srvctl.cli.status_text import as_text
from srvctl.errors import ExitCode
from srvctl.ipc.control import Command, Done, Progress, Request
from srvctl.ipc.control_client import NotInTimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.cli.instances import Master


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user wants.

    Attributes:
        wanted: Of which instance.
        patience: Seconds to wait for the end.
        is_json: Print for a program.
        is_waiting: Wait for the end.
        is_immediate: Stop without waiting for running requests.
        target: Which workers to recycle.
    """

    wanted: Wanted
    patience: float
    is_json: bool = False
    is_waiting: bool = True
    is_immediate: bool = False
    target: str = "all"


def reload(asked: Asked) -> ExitCode:
    """Replace every worker by one that runs what is on disk now."""
    return _carry_out(asked, Request(Command.RELOAD))


def stop(asked: Asked) -> ExitCode:
    """Answer what was begun, then end the instance."""
    request = Request(Command.STOP, {"immediately": asked.is_immediate})
    if not asked.is_waiting:
        return _carry_out(asked, request)
    with Answer(is_json=asked.is_json) as answer, _met(asked.wanted) as master:
        until = time.monotonic() + asked.patience
        with _watched(master.pid) as wait_gone:
            done = _end_of(master, request, asked.patience, answer.progress)
            if not done.ok:
                return answer.end(done)
            master.connection.wait_end(until - time.monotonic())
            wait_gone(until - time.monotonic())
        return answer.end(Done(ok=True, message=f"Instance {master.name} (pid {master.pid}) has stopped"))


def upgrade(asked: Asked) -> ExitCode:
    """Replace the master, in place, by the srvctl installed now."""
    return _carry_out(asked, Request(Command.UPGRADE))


def recycle(asked: Asked) -> ExitCode:
    """Replace workers by new ones of the same code and settings."""
    return _carry_out(asked, Request(Command.RECYCLE, {"target": asked.target}))


def status(asked: Asked) -> ExitCode:
    """Print how an instance and its workers are."""
    with Answer(is_json=asked.is_json) as answer, _met(asked.wanted) as master:
        done = _end_of(master, Request(Command.STATUS), asked.patience, answer.progress)
        if not done.ok:
            return answer.end(done)
        if asked.is_json:
            print_json(done.data)
        else:
            show(as_text(done.data))
        return ExitCode.OK


def _carry_out(asked: Asked, request: Request) -> ExitCode:
    with Answer(is_json=asked.is_json) as answer, _met(asked.wanted) as master:
        if asked.is_waiting:
            return answer.end(_end_of(master, request, asked.patience, answer.progress))
        master.connection.tell(request)
        return answer.asked(master, request.command)


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
    try:
        master = find(wanted, os.environ)
        with master.connection:
            yield master
    except KeyboardInterrupt:
        raise NotInTimeError("interrupted; what was asked before goes on") from None


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
