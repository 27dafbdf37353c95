"""A warm process: has imported what a worker needs while the settings were still being read.

What it becomes then is the master's decision, and comes through its channel as a function. So nothing of the
application's is imported before the settings are known to be right and the addresses are bound. Knows neither
settings nor workers. `srvctl.__main__` starts it; the composition root gives it its life, or ends it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from srvctl.errors import ExitCode
from srvctl.ipc.forking import die_with, fork, reset_signals, run_and_exit, signals_blocked
from srvctl.ipc.parcels import send_parcel, wait_parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    #: Is given the channel, blocking, and the descriptors; returns the exit code.
    Life: TypeAlias = Callable[[socket.socket, list[int]], int]


@dataclass(frozen=True, slots=True)
class Warm:
    """The master's side of a warm process.

    Attributes:
        pid: Its process, a child of the master's that the kernel kills when the master dies.
        channel: The master's end of the channel; blocking.
    """

    pid: int
    channel: socket.socket

    def become(self, life: Life, descriptors: Sequence[int] = ()) -> None:
        """Tell it what to be.

        Args:
            life: Can be pickled: a function of a module, or a `functools.partial` of one.
            descriptors: What it is given; the caller's stay open.

        Raises:
            OSError: It is gone, or there is no room for another descriptor.
        """
        send_parcel(self.channel, life, descriptors)

    def end(self) -> None:
        """Do without it, and wait until it is gone: it has nothing to finish."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def start(prepare: Callable[[], None]) -> Warm:
    """Fork a warm process; return in the master only.

    To be called before the master has anything that a child must not have, and with nothing left in the
    buffers of stdout and stderr.

    Args:
        prepare: Imports, in the child.

    Raises:
        OSError: The kernel refuses another process or descriptor.
    """
    ours, theirs = socket.socketpair()
    master = os.getpid()

    def be_warm() -> int:
        reset_signals()
        ours.close()
        die_with(master)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return _live(theirs, prepare)

    with theirs:
        try:
            with signals_blocked() as mask:
                pid = fork()
                if pid == 0:
                    run_and_exit(be_warm)
        except OSError:
            ours.close()
            raise
    return Warm(pid, ours)


def _live(channel: socket.socket, prepare: Callable[[], None]) -> int:
    gc.disable()  # imports make little garbage, and looking for it would take a tenth of the time
    prepare()
    gc.enable()
    try:
        parcel = wait_parcel(channel)
    except ConnectionError:
        parcel = None
    if parcel is None:
        return ExitCode.OK
    life, descriptors = parcel
    code: int = life(channel, descriptors)
    return code
