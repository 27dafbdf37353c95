"""Carries out ``srvctl rehearse``: shows how far it is, and prints what came of it.

What a rehearsal is, is the business of `srvctl.rehearse`; the tables are made by `srvctl.cli.rehearse_text`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from srvctl.cli import rehearse_text as text
from srvctl.cli.answer import print_json
from srvctl.cli.printing import show
from srvctl.cli.report import report, warn
from srvctl.errors import ExitCode
from srvctl.rehearse.instance import NeverUpError
from srvctl.rehearse.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from srvctl.rehearse.acts import Act
    from srvctl.rehearse.judging import Result
    from srvctl.rehearse.wishes import Wishes
    from srvctl.settings.groups import Settings

_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_REDRAW_SECONDS: Final = 0.1


def carry_out(settings: Settings, wishes: Wishes, *, is_json: bool) -> ExitCode:
    """Rehearse, print what came of it, and return the exit code."""
    with _interruptible():
        try:
            seen = rehearse(settings, os.environ, wishes, _Progress(is_quiet=is_json))
        except NeverUpError as error:
            print(text.harmless(error.details), file=sys.stderr)
            report(str(error))
            return ExitCode.NEVER_UP
    if is_json:
        print_json(text.as_object(seen, wishes))
    else:
        show(text.as_table(seen))
    if seen.verdict.broken and not is_json:
        sys.stdout.flush()
        print(f"\nThe end of the log:\n{text.harmless(seen.log)}", file=sys.stderr)
    return seen.verdict.exit_code


class _Progress:
    """One line for each act on stderr; on a terminal, with the time that passes.

    Args:
        is_quiet: Say only what is a warning.
    """

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._is_live = sys.stderr.isatty() and not is_quiet
        self._what = ""
        self._began = self._drawn = time.monotonic()

    def coming_up(self) -> None:
        """Say that it starts."""
        self._start("starting")

    def up(self, workers: int, notes: Sequence[str]) -> None:
        """Say that it serves, and what is otherwise than the user has it."""
        self._clear()
        if not self._is_quiet:
            many = "1 worker" if workers == 1 else f"{workers} workers"
            self._print(f"up with {many} after {time.monotonic() - self._began:.1f} s")
        if workers == 1:
            warn("with one worker, requests wait while it is replaced after its death (--workers)")
        for note in notes:
            warn(f"in the rehearsal, {note}")

    def begin(self, act: Act) -> None:
        """Say what is tried."""
        self._start(act.value)

    def tick(self) -> None:
        """Show that time passes."""
        now = time.monotonic()
        if self._is_live and now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            sys.stderr.write(f"\r\x1b[K{text.bar(self._what, now - self._began)}")
            sys.stderr.flush()

    def end(self, result: Result) -> None:
        """Say what came of it."""
        self._clear()
        if not self._is_quiet:
            self._print(text.in_one_line(result))

    def _start(self, what: str) -> None:
        self._what, self._began = what, time.monotonic()

    def _clear(self) -> None:
        if self._is_live:
            sys.stderr.write("\r\x1b[K")

    @staticmethod
    def _print(line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class _Interrupted(BaseException):
    """A signal asked for the end.

    Attributes:
        number: Which.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have the first signal end everything in order, and further ones not disturb that; then die of it."""
    before = {number: signal.getsignal(number) for number in _STOP}

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        for each in _STOP:
            signal.signal(each, signal.SIG_IGN)
        raise _Interrupted(number)

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, interrupt)
    try:
        yield
    except _Interrupted as error:
        report("interrupted; everything that was started has been ended")
        sys.stdout.flush()
        sys.stderr.flush()
        # As shells and service managers expect it of a program that ends because of a signal.
        signal.signal(error.number, signal.SIG_DFL)
        os.kill(os.getpid(), error.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
