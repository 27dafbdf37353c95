"""What a forked process of srvctl does first and last, whoever forked it: a worker, a mold, a warm process.

Knows processes and signals, and nothing of what the process is for. Used on both sides of a fork, by the
master's `spawn` and by the mold, so it loads nothing that the master must not have.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING, Final, NoReturn

from srvctl.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
#: What a terminal or an operator sends to the whole process group is the master's business.
_NOT_OURS: Final = (
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_ADOPTION: Final = 10.0  #: seconds; a process that only exits needs none of them, unless somebody stops it
_PAUSE: Final = 0.0002


@contextlib.contextmanager
def signals_blocked() -> Iterator[set[int | signal.Signals]]:
    """Block every signal, and give the mask that was before: a child sets it once its handlers are its own.

    A signal that arrives between fork and reset must not reach the parent's handlers in the child.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def reset_signals() -> None:
    """Give a forked process its own signals; to be called while all are blocked.

    TERM ends it, until a worker's loop takes over. Handlers rather than SIG_IGN for what is not its business,
    because programs that the application starts would inherit SIG_IGN.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for number in _NOT_OURS:
        signal.signal(number, _leave_it_to_the_master)


def _leave_it_to_the_master(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""


def fork() -> int:
    """Fork, without Python's warning about threads: what to think of them has been decided by then.

    Raises:
        OSError: The kernel refuses another process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def die_with(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent dies, however that dies (Linux only).

    A change of user or group clears the request (prctl(2)), so it must be repeated after one.

    Args:
        parent: Its process id; if that is not the parent any more, this process ends now.
        by: The signal.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, by)
    if os.getppid() != parent:  # it died before prctl(2) took effect
        os._exit(ExitCode.INTERNAL)


def wait_adopted(last_parent: int, adopter: int) -> None:
    """Wait until the parent, which exits at once, is gone and this process is its adopter's child.

    A process whose adopter is gone, or is no subreaper (prctl(2)), ends.

    Args:
        last_parent: The process that forked this one and exits.
        adopter: The process that becomes the parent.
    """
    deadline = time.monotonic() + _ADOPTION
    # The kernel tells nobody when a process gets another parent; it takes some ten microseconds.
    while os.getppid() == last_parent and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    if os.getppid() != adopter:
        os._exit(ExitCode.INTERNAL)


def run_and_exit(body: Callable[[], int]) -> NoReturn:
    """Run a process from here to its exit code, and never return into the stack that was forked."""
    code: int = ExitCode.INTERNAL
    try:
        code = body()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else ExitCode.INTERNAL
    except BaseException:  # noqa: BLE001 - the last frame of this process: report and leave
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, AttributeError, ValueError):  # nobody reads it, or it is closed
                stream.flush()
        os._exit(code)
