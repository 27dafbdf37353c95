"""Lets the kernel kill the children of a master that is gone, whatever they are busy with.

PR_SET_PDEATHSIG (`forking.die_with`) does so too, until a process changes its user or runs a setuid program
(prctl(2)). This does not depend on that: the master holds the only writing end of a pipe, and each child asks
the kernel for SIGKILL when that end is closed (O_ASYNC and F_SETSIG, fcntl(2)). No thread and no event loop
is needed, so a child that is blocked, or holds the interpreter's lock, ends as well. Linux only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
from typing import Final

from srvctl.errors import ExitCode

_F_SETSIG: Final = 10  # asm-generic/fcntl.h; the fcntl module names it from Python 3.12 on for some systems
#: Whoever can reach the descriptor may open it again for reading, which a worker of another user must.
_READABLE: Final = 0o444


class Lifeline:
    """The pipe, in the master.

    Attributes:
        end: What children are given to hold on to.
        held: The master's own end. It must live on over execve(2): all children die with it.
    """

    def __init__(self) -> None:
        self.end, self.held = os.pipe()
        with contextlib.suppress(OSError):
            os.fchmod(self.end, _READABLE)

    @classmethod
    def inherit(cls, end: int, held: int) -> Lifeline:
        """Go on with the pipe of the program that this process ran before."""
        line = cls.__new__(cls)
        line.end, line.held = end, held
        for fd in (end, held):
            os.set_inheritable(fd, False)
        return line

    def let_go(self) -> None:
        """Close the master's end in a forked child, which else would keep its siblings alive."""
        os.close(self.held)


def hold(end: int) -> None:
    """Have the kernel kill this process when the master's end is closed; do nothing where it cannot.

    To be called in each process by itself: the request belongs to one open file and one process.

    Args:
        end: `Lifeline.end`.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        # A second file for the same pipe, because owner and signal belong to the open file.
        own = os.open(f"/proc/self/fd/{end}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # no /proc
        return
    fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own, _F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(own, fcntl.F_SETFL, fcntl.fcntl(own, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(own, 0)
    if poll.poll(0):  # it was closed before we asked
        os._exit(ExitCode.INTERNAL)
