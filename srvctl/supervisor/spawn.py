"""Fork a child of the master, and make it its own process before anything else runs in it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from srvctl.ipc.forking import die_with, fork, reset_signals, run_and_exit, signals_blocked
from srvctl.logs.streams import flush

if TYPE_CHECKING:
    from collections.abc import Callable


def fork_child(leave_master: Callable[[], None], live: Callable[[], int]) -> int:
    """Fork; return the child's pid, in the master only. The child dies with it, unless it changes its user.

    Args:
        leave_master: Closes, in the child, what belongs to the master.
        live: What the child is there for; returns its exit code.

    Raises:
        OSError: The kernel refuses another process.
    """
    master = os.getpid()

    def be_child() -> int:
        die_with(master)
        reset_signals()
        leave_master()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return live()

    flush()  # or the child would write the same buffer again
    with signals_blocked() as mask:
        pid = fork()
        if pid == 0:
            run_and_exit(be_child)
    return pid
