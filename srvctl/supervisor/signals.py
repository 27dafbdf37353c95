"""Signals of the master become events: a handler that does nothing, and a wake-up socket in the poller.

CPython writes the number of each signal into the wake-up socket from its C-level handler, so no Python
code runs at signal time and nothing can be interrupted half-way (the self-pipe pattern).
"""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.events import ReloadAsked, ScaleAsked, StopAsked, UpgradeAsked

if TYPE_CHECKING:
    from types import FrameType

    from srvctl.supervisor.events import Event

#: What each signal asks of the fleet.
MEANINGS: Final[dict[signal.Signals, Event]] = {
    signal.SIGTERM: StopAsked(by="SIGTERM"),
    signal.SIGINT: StopAsked(by="SIGINT"),
    signal.SIGQUIT: StopAsked(by="SIGQUIT", immediately=True),
    signal.SIGHUP: ReloadAsked(by="SIGHUP"),
    signal.SIGUSR2: UpgradeAsked(by="SIGUSR2"),
    signal.SIGTTIN: ScaleAsked(by="SIGTTIN", change=+1),
    signal.SIGTTOU: ScaleAsked(by="SIGTTOU", change=-1),
}

#: What is no concern of the fleet: logs are reopened, by whom the poller knows.
_OTHERS: Final = (signal.SIGUSR1,)


def _enqueued_by_the_interpreter(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up socket has it, where SIG_IGN would not put it, and SIG_DFL would kill."""


class SignalInbox:
    """Owns the wake-up socket; one instance while the master runs."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        # A full socket loses only repetitions: thousands are unread, and one SIGCHLD reaps all.
        #: Whether who started this process wants it to outlive its terminal (nohup(1)).
        self.is_to_outlive_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*MEANINGS, *_OTHERS, signal.SIGCHLD):
            signal.signal(number, _enqueued_by_the_interpreter)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a signal came."""
        return self._reader.fileno()

    def take_nowait(self) -> list[signal.Signals]:
        """Return the signals that came, in order."""
        try:
            return [signal.Signals(number) for number in self._reader.recv(4096)]
        except BlockingIOError:
            return []

    def send_again(self) -> None:
        """Have the kernel keep what came and was not taken yet; to be called while all signals are blocked.

        A blocked signal waits for who unblocks it, also if that is the next program of this process
        (execve(2)).
        """
        for number in set(self.take_nowait()):
            os.kill(os.getpid(), number)

    def close(self) -> None:
        """Stop listening; in a forked child this leaves the master's inbox alone."""
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()
