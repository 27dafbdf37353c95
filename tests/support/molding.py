"""A real mold without a server: the test is its master, and says what it imports and what its workers do."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final, Self

from srvctl.ipc import forking
from srvctl.ipc.channel import ForkAsked, Message, decode, encode
from srvctl.ipc.descriptors import send_line
from srvctl.worker import main as _main  # noqa: F401 - so that no mold needs to
from srvctl.worker import mold
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_CHILD_SUBREAPER: Final = 36  # prctl(2)


class Heard:
    """The master's end of a channel."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        channel.settimeout(PATIENCE)
        self._lines = channel.makefile("rb")

    def line(self) -> bytes:
        """Return the next line, or nothing at the end."""
        return self._lines.readline()

    def message(self) -> Message:
        return decode(self.line())

    def close(self) -> None:
        self._lines.close()
        self.channel.close()


class Mold(Heard):
    """A mold that runs; leaving the context ends it, and asserts that no child is left.

    Args:
        duties: What it does.
        master_pid: Whom it takes for its master.
    """

    def __init__(self, duties: mold.Duties, master_pid: int | None = None) -> None:
        self._duties = duties
        self._master_pid = master_pid or os.getpid()
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        self._cleanup.enter_context(subreaper())
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        with forking.signals_blocked() as mask:
            self.pid = forking.fork()
            if self.pid == 0:
                forking.run_and_exit(lambda: self._be_mold(ours, theirs, parent, mask))
        theirs.close()
        super().__init__(ours)
        self._cleanup.callback(self.close)
        return self

    def _be_mold(
        self, ours: socket.socket, theirs: socket.socket, parent: int, mask: set[int | signal.Signals]
    ) -> int:
        forking.reset_signals()
        ours.close()
        forking.die_with(parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        logging.basicConfig(stream=os.fdopen(2, "w", closefd=False), force=True)
        return mold.live(theirs, self._duties, self._master_pid)

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._cleanup.close()
        with suppress(ChildProcessError):
            while True:  # workers that nobody waited for end with their channel
                os.waitpid(-1, 0)

    def fork(self, worker: int, slot: int = 0, board: bytes = b"") -> Heard:
        """Ask for a worker; return what it says."""
        ours, theirs = socket.socketpair()
        self._cleanup.callback(ours.close)
        memory = os.memfd_create(f"board-{worker}")
        os.write(memory, board)
        send_line(self.channel, encode(ForkAsked(worker, slot)), [theirs.fileno(), memory])
        os.close(memory)
        theirs.close()
        heard = Heard(ours)
        self._cleanup.callback(heard.close)
        return heard

    def wait_exit(self) -> int:
        return wait_exit(self.pid)


def wait_exit(pid: int) -> int:
    """Reap a child, and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def subreaper() -> Iterator[None]:
    """Be, for a while, who adopts orphans."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)
