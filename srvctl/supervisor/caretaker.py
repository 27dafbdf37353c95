"""The last resort: no srvctl can go on after an upgrade, and the workers still serve.

Keeps them alive by being there: they end with their parent and with the master's end of their channels.
Replaces none, answers no command; a signal to stop is passed on. Depends on nothing that may be what does not
work. Called by `srvctl.cli.successor`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

_STOP: Final = {signal.SIGTERM: signal.SIGTERM, signal.SIGINT: signal.SIGTERM, signal.SIGQUIT: signal.SIGKILL}


def tend(workers: Iterable[int], molds: Iterable[int]) -> int:
    """Wait until no worker is left, or the end is asked for and came; return the exit code.

    Args:
        workers: Processes that are children of this one, which blocks all signals.
        molds: Processes that fork more of them, and are not needed any more.
    """
    left = set(workers)
    _say(
        f"No srvctl can go on here. {len(left)} workers serve on, and none is replaced: restart the service."
    )
    _send(molds, signal.SIGKILL)
    code = ExitCode.INTERNAL
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _reap(left)
    while left:
        number = signal.Signals(signal.sigwait({*_STOP, signal.SIGCHLD}))
        if number in _STOP:
            code = ExitCode.OK
            _send(left, _STOP[number])
        _reap(left)
    _say("No worker is left.")
    return code


def _reap(left: set[int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            left.discard(pid)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"srvctl: {text}\n")
        sys.stderr.flush()
