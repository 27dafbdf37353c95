"""What is still to be read on a worker's board when the worker cannot be asked any more.

That is the stacks of its threads: when it crashes, and whenever the master asks for them by a signal.
`faulthandler` writes these, in C and without the interpreter, so that a worker that hangs inside a library,
or holds the interpreter's lock, tells where. Called once per worker, before it imports anything of the
application's.
"""

from __future__ import annotations

import faulthandler
import mmap
import signal

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import DUMP_SIGNAL, Cell


def begin(fd: int) -> memoryview[int]:
    """Begin the board of this process; return its cells, which are for the server.

    Args:
        fd: The board, whose offset is `scoreboard.DUMP_OFFSET`. It must stay open for as long as the process
            lives; that nobody closes it is up to the caller.

    Raises:
        OSError: It cannot be mapped.
        ValueError: It is too small.
    """
    board = mmap.mmap(fd, scoreboard.SIZE)
    cells = scoreboard.begin(board)
    if takes_dumps(fd):
        cells[Cell.TAKES_DUMPS] = 1
    return cells


def takes_dumps(fd: int) -> bool:
    """Have stacks written there from now on; return whether the master may ask for them.

    Where an application enables `faulthandler` itself, its crashes are told where it says.
    """
    faulthandler.enable(fd)
    if DUMP_SIGNAL not in signal.valid_signals():  # a system without real-time signals
        return False
    faulthandler.register(DUMP_SIGNAL, fd, all_threads=True, chain=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {DUMP_SIGNAL})
    return True
