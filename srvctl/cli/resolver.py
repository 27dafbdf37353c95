"""Reads the settings in a short-lived child, so that the master never loads what parsing needs (ADR 2).

The child prints help and errors itself and exits with their code, or sends the settings through a pipe. The
service's start waits for it, so it loads nothing in vain.
Pickle is safe here: the pipe's only writer is this very program.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

# What this process and its children all need is loaded here, once, before they part.
import srvctl.ipc.channel
import srvctl.logs.setup
import srvctl.settings.groups  # noqa: F401
from srvctl.cli.report import report
from srvctl.errors import ExitCode
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from srvctl.settings.groups import Settings
    from srvctl.settings.service import Service

_STOP: Final = (signal.SIGINT, signal.SIGTERM)
_CHUNK: Final = 65536


def _nothing(_descriptors: Sequence[int]) -> None:
    pass


def resolve(
    argv: Sequence[str],
    meanwhile: Callable[[Sequence[int]], None] = _nothing,
    *,
    holds_stops_back: bool = False,
) -> Service:
    """Return what the command line ``argv`` asks to serve.

    Must be called in the main thread, before any other thread exists.

    Args:
        argv: The command line.
        meanwhile: Is called in the parent while the child reads; is given the descriptors that another
            child must close.
        holds_stops_back: Leave the stop signals blocked, for who has handlers of its own to let through. A
            process 1 would ignore those that come in between (pid_namespaces(7)).

    Raises:
        SystemExit: There is nothing to serve: help was printed, a mistake was reported, or SIGINT or SIGTERM
            arrived; with the exit code.
    """
    flush()
    with _stop_requests() as (requests, wakeup):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _resolve_and_exit(argv, writer)
        os.close(writer)
        meanwhile((reader, requests, wakeup))
        sent = _receive(reader, requests)
        os.close(reader)
        if sent is None:
            os.kill(child, signal.SIGKILL)  # it only reads, so there is nothing to end in order
        _, status = os.waitpid(child, 0)
        if holds_stops_back:
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        is_stopped = sent is None or _is_stop_requested(requests)
    if is_stopped:
        raise SystemExit(ExitCode.OK)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        report(f"the process that reads the settings was killed by signal {-code}")
        raise SystemExit(ExitCode.INTERNAL)
    if code != ExitCode.OK or not sent:
        raise SystemExit(code)
    service: Service = pickle.loads(sent)  # noqa: S301 - written by our own child
    return service


def reread(argv: Sequence[str]) -> Settings | str:
    """Return the settings that ``argv`` asks for by now, or what is wrong with them.

    For a child of the master, which ends after this: it loads all that parsing needs.
    """
    sys.stderr = said = io.StringIO()
    from srvctl.cli.running import invoke  # noqa: PLC0415 - only ever imported in a child

    result = invoke(argv)
    if isinstance(result, ExitCode):
        return said.getvalue().strip() or f"reading them ended with exit code {result}"
    return result.settings


def _resolve_and_exit(argv: Sequence[str], writer: int) -> NoReturn:
    """Be the child; never return into the parent's stack, whatever happens."""
    code = int(ExitCode.INTERNAL)
    try:
        gc.disable()  # imports make little garbage, and looking for it would take a tenth of the time
        os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"  # to find any, it reads all packages' metadata
        signal.set_wakeup_fd(-1)
        for signum in _STOP:
            if signal.getsignal(signum) is _leave_it_to_the_descriptor:
                signal.signal(signum, signal.SIG_DFL)
        from srvctl.cli.running import invoke  # noqa: PLC0415 - only ever imported in the child

        result = invoke(argv)
        if isinstance(result, ExitCode):
            code = int(result)
        else:
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(pickle.dumps(result))
            code = int(ExitCode.OK)
    except BaseException:  # noqa: BLE001 - also SystemExit: the parent's stack is not ours
        import traceback  # noqa: PLC0415 - only ever imported in the child

        traceback.print_exc()
    finally:
        flush()
        os._exit(code)


def _receive(reader: int, requests: int) -> bytes | None:
    """Return everything up to the end of the pipe, or None as soon as a stop is requested."""
    os.set_blocking(reader, False)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    poll.register(requests, select.POLLIN)
    received = b""
    while True:
        poll.poll()
        if _is_stop_requested(requests):
            return None
        try:
            chunk = os.read(reader, _CHUNK)
        except BlockingIOError:
            continue
        if not chunk:
            return received
        received += chunk


def _is_stop_requested(requests: int) -> bool:
    try:
        return any(signum in _STOP for signum in os.read(requests, _CHUNK))
    except BlockingIOError:
        return False


@contextmanager
def _stop_requests() -> Iterator[tuple[int, int]]:
    """Turn the stop signals into bytes on a pipe, for a while, and let children be waited for.

    A handler alone would not do: a signal just before the parent waits would be handled after the wait. And
    without handlers, a process 1 would ignore the signals.
    """
    requests, wakeup = os.pipe()
    os.set_blocking(requests, False)
    os.set_blocking(wakeup, False)
    before = {signum: signal.getsignal(signum) for signum in (*_STOP, signal.SIGCHLD)}
    before_wakeup = signal.set_wakeup_fd(wakeup)
    for signum in _STOP:
        if before[signum] is not signal.SIG_IGN:  # nohup and background jobs mean it
            signal.signal(signum, _leave_it_to_the_descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # under an inherited SIG_IGN, no exit code would be kept
    try:
        yield requests, wakeup
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(before_wakeup)
        os.close(requests)
        os.close(wakeup)


def _leave_it_to_the_descriptor(_signum: int, _frame: FrameType | None) -> None:
    """Handle a signal, so that Python writes its number to the wakeup descriptor."""
