"""Imports the application in a process of its own, as a worker would, and sees what that does.

Whatever the import does (ends the process, hangs, starts threads), this process goes on. Called before any
thread exists.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, NoReturn

from srvctl.doctor.facts import Import
from srvctl.errors import AppError, printable
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from srvctl.settings.groups import Settings

_CHUNK: Final = 65536
#: Seconds for what a worker has imported before it begins with the application.
_TO_PREPARE: Final = 30.0


def try_import(settings: Settings) -> Import:
    """Import the application, with the user, the limits and the variables of a worker.

    Nothing it prints is shown. It may take as long as a worker's start may.
    """
    flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _import_and_exit(settings, writer)
    os.close(writer)
    with suppress(OSError):  # either of us may be first
        os.setpgid(child, child)
    try:
        said = _read(reader, time.monotonic() + _TO_PREPARE + settings.timeouts.boot)
        return _result(said, child, settings.timeouts.boot)
    finally:
        os.close(reader)
        _end(child)


def _read(reader: int, until: float) -> bytes | None:
    """Return everything that is said; None if it is not complete by then."""
    said = b""
    while (left := until - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            return None
        chunk = os.read(reader, _CHUNK)
        if not chunk or chunk.endswith(b"\n"):
            return said + chunk
        said += chunk
    return None


def _result(said: bytes | None, child: int, patience: float) -> Import:
    if said is None:
        return Import(seconds=patience, is_late=True)
    if said:
        values = json.loads(said)
        return Import(**{**values, "left": tuple(values["left"])})
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # so that its number stays its own
    is_exit = ended is not None and ended.si_code == os.CLD_EXITED
    how = f"{'exit code' if is_exit else 'signal'} {ended.si_status if ended is not None else '?'}"
    return Import(error=f"importing it ended the process ({how})")


def _end(child: int) -> None:
    """End it, and what it has started, which is of its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


# -- in the child --------------------------------------------------------------------------------------


def _import_and_exit(settings: Settings, writer: int) -> NoReturn:
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        quiet = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(quiet, fd)
        os.set_inheritable(writer, False)
        os.write(writer, json.dumps(asdict(_import(settings))).encode() + b"\n")
    finally:
        os._exit(0)


def _import(settings: Settings) -> Import:
    """Do it; return what came of it."""
    from srvctl.worker import privileges  # noqa: PLC0415 - in the child only, and so is what follows
    from srvctl.worker.env_file import load_env_file  # noqa: PLC0415
    from srvctl.worker.fork_safety import Snapshot, wait_objections  # noqa: PLC0415
    from srvctl.worker.loading import load_all  # noqa: PLC0415
    from srvctl.worker.mold import prepare  # noqa: PLC0415

    prepare()
    before: Snapshot | None = None
    try:
        load_env_file(settings.app)
        privileges.become(settings.workers)
        with suppress(OSError):  # /proc is not mounted
            before = Snapshot.take()
        began = time.monotonic()
        load_all(settings)
        seconds = time.monotonic() - began
        left = wait_objections(before) if before is not None else []
        return Import(seconds=seconds, left=tuple(left))
    except AppError as error:
        return Import(error=printable(str(error)), details=error.details)
