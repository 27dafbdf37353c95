"""Reads the settings in a short-lived child, so that the master never loads what parsing needs (ADR 2).

The child prints help and errors itself and exits with their code, or sends the settings through a pipe.
Pickle is safe here: the pipe's only writer is this very program.
"""

from __future__ import annotations

import os
import pickle
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NoReturn

from srvctl.cli.report import flush, report
from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from srvctl.settings.groups import Settings

_STOP: Final = (signal.SIGINT, signal.SIGTERM)


def resolve(argv: Sequence[str]) -> Settings:
    """Return the settings that the command line ``argv`` asks to serve.

    Must be called in the main thread, before any other thread exists.

    Raises:
        SystemExit: There is nothing to serve: help was printed, a mistake was reported, or SIGINT or SIGTERM
            arrived; with the exit code.
    """
    flush()
    with _stoppable() as stopper:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _resolve_and_exit(argv, writer)
        stopper.watch(child)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            sent = pipe.read()
        _, status = os.waitpid(child, 0)
        stopper.forget()
    if stopper.is_asked:
        raise SystemExit(ExitCode.OK)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        report(f"the process that reads the settings was killed by signal {-code}")
        raise SystemExit(ExitCode.INTERNAL)
    if code != ExitCode.OK or not sent:
        raise SystemExit(code)
    settings: Settings = pickle.loads(sent)  # noqa: S301 - written by our own child
    return settings


def _resolve_and_exit(argv: Sequence[str], writer: int) -> NoReturn:
    """Be the child; never return into the parent's stack, whatever happens."""
    code = int(ExitCode.INTERNAL)
    try:
        for signum in _STOP:
            signal.signal(signum, signal.SIG_DFL)
        from srvctl.cli.app import invoke  # noqa: PLC0415 - only ever imported in the child

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


class _Stopper:
    """Signal handler that ends the child; the parent then sees the end of the pipe."""

    def __init__(self) -> None:
        self.is_asked = False
        self._child: int | None = None

    def __call__(self, _signum: int, _frame: FrameType | None) -> None:
        self.is_asked = True
        self._kill()

    def watch(self, child: int) -> None:
        self._child = child
        if self.is_asked:  # between the fork and here
            self._kill()

    def forget(self) -> None:
        self._child = None

    def _kill(self) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)  # it only reads, there is nothing to end in order


@contextmanager
def _stoppable() -> Iterator[_Stopper]:
    """Handle the stop signals and SIGCHLD for a while; a process 1 ignores signals it has no handler for."""
    stopper = _Stopper()
    before = {signum: signal.getsignal(signum) for signum in (*_STOP, signal.SIGCHLD)}
    for signum in _STOP:
        if before[signum] is not signal.SIG_IGN:  # nohup and background jobs mean it
            signal.signal(signum, stopper)
    signal.signal(
        signal.SIGCHLD, signal.SIG_DFL
    )  # with an inherited SIG_IGN, the child could not be waited for
    try:
        yield stopper
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
