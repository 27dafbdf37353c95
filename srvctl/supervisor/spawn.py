"""Fork a worker with a channel, and make the child its own process before anything else runs in it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final, NoReturn

from srvctl.errors import ExitCode
from srvctl.logs.streams import flush
from srvctl.supervisor.poller import WorkerHandle
from srvctl.supervisor.signals import reset_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def fork_worker(
    worker: int, leave_master: Callable[[], None], serve: Callable[[socket.socket], int]
) -> WorkerHandle:
    """Fork; return in the master only.

    Args:
        worker: The worker's number.
        leave_master: Closes, in the child, what belongs to the master.
        serve: The worker itself: takes its end of the channel, returns its exit code.

    Raises:
        OSError: The kernel refuses another process or descriptor.
    """
    flush()  # or the child would write the same buffer again
    ours, theirs = socket.socketpair()
    master_pid = os.getpid()
    # A signal that arrives between fork and reset must not reach the master's handlers in the child.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            ours.close()
            _be_worker(master_pid, mask, leave_master, lambda: serve(theirs))
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
    ours.setblocking(False)
    return WorkerHandle(worker, pid, ours)


def _be_worker(
    master_pid: int,
    mask: set[int | signal.Signals],
    leave_master: Callable[[], None],
    serve: Callable[[], int],
) -> NoReturn:
    """Run in the child and never return into the master's stack."""
    code: int = ExitCode.INTERNAL
    try:
        reset_in_child()
        leave_master()
        _die_with(master_pid)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = serve()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else ExitCode.INTERNAL
    except BaseException:  # noqa: BLE001 - the last frame of this process: report and leave
        sys.excepthook(*sys.exc_info())
    finally:
        flush()
        os._exit(code)


def _die_with(master_pid: int) -> None:
    """Have the kernel kill this process when the master dies, however it dies (Linux only)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != master_pid:  # it died before prctl(2) took effect
        os._exit(ExitCode.INTERNAL)
