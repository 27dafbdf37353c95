"""``srvctl stop``."""

from __future__ import annotations

import os
import select
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from srvctl.cli import asking
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked
from srvctl.ipc.control import Command, Done, Request
from srvctl.ipc.control_client import NotInTimeError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from srvctl.cli.instances import Master
    from srvctl.cli.parsing import Parser
    from srvctl.errors import ExitCode


def declare(parser: Parser) -> None:
    """Add the flags."""
    asking.declare_waiting(parser)
    parser.add_argument("--now", action="store_true", help="Do not wait for running requests.")


def carry_out(values: Namespace) -> ExitCode:
    """Have an instance answer what was begun, and end."""
    asked, request = Asked.read(values), Request(Command.STOP, {"immediately": values.now})
    if not asked.is_waiting:
        return asking.carry_out(asked, request)
    with Answer(is_json=asked.is_json) as answer, asking.met(asked.wanted) as master:
        done = stop(master, request, asked.patience, answer.progress)
        return answer.end(done)


def stop(master: Master, request: Request, patience: float, progress: Callable[..., None]) -> Done:
    """Ask for the end, and wait until the master is gone.

    Raises:
        NotInTimeError: It is not, after so many seconds.
        NotReachableError: The other side is no master.
    """
    until = time.monotonic() + patience
    with _watched(master.pid) as wait_gone:
        done = asking.end_of(master, request, patience, progress)
        if not done.ok:
            return done
        master.connection.wait_end(until - time.monotonic())
        wait_gone(until - time.monotonic())
    return Done(ok=True, message=f"Instance {master.name} (pid {master.pid}) has stopped")


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
