"""A warm process: has imported what a worker needs while the settings were still being read.

What it becomes then is the master's decision, and comes through its channel as the name of a function with
arguments. So nothing of the application's is imported before the settings are known to be right and the
addresses are bound. Knows neither settings nor workers. `srvctl.cli.warming` starts it; the composition root
gives it its life, or ends it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
from importlib import import_module
from typing import TYPE_CHECKING

from srvctl.errors import ExitCode
from srvctl.ipc.forking import die_with, fork, reset_signals, run_and_exit, signals_blocked
from srvctl.ipc.parcels import send_parcel, wait_parcel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Warm:
    """The master's side of a warm process.

    Args:
        pid: Its process, a child of the master's that the kernel kills when the master dies.
        channel: The master's end of the channel; blocking.
    """

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self._is_free = True

    def become(self, life: str, arguments: Sequence[object], descriptors: Sequence[int] = ()) -> None:
        """Tell it what to be; from then on its process and its channel are the caller's.

        Args:
            life: The function, as ``module:name``, which the master need not import. It is called with the
                arguments, its end of the channel (blocking) and its copies of the descriptors, and returns
                the exit code.
            arguments: Can be pickled.
            descriptors: The caller's stay open.

        Raises:
            OSError: It is gone, or there is no room for another descriptor; only `end` is left then.
        """
        send_parcel(self.channel, (life, tuple(arguments)), descriptors)
        self._is_free = False

    def end(self) -> None:
        """Do without it, and wait until it is gone; what has become something is left alone."""
        if not self._is_free:
            return
        self._is_free = False
        self.channel.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def start(prepare: Callable[[], None], not_for_children: Iterable[int] = ()) -> Warm:
    """Fork a warm process; return in the master only.

    To be called with nothing left in the buffers of stdout and stderr.

    Args:
        prepare: Imports, in the child.
        not_for_children: Descriptors of the master that the child closes.

    Raises:
        OSError: The kernel refuses another process or descriptor.
    """
    ours, theirs = socket.socketpair()
    master = os.getpid()

    def be_warm() -> int:
        reset_signals()
        ours.close()
        for descriptor in not_for_children:
            os.close(descriptor)
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
    gc.collect()
    gc.freeze()  # now, while nobody waits for it: later collections need not look at it
    try:
        parcel = wait_parcel(channel)
    except ConnectionError:
        parcel = None
    if parcel is None:
        return ExitCode.OK
    (life, arguments), descriptors = parcel
    module, _, name = life.partition(":")
    code: int = getattr(import_module(module), name)(*arguments, channel, descriptors)
    return code
