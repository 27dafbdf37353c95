"""What is still to be read on a worker's board when the worker cannot be asked any more.

That is the end of what it wrote to stderr, and the stacks of its threads: when it crashes, and whenever the
master asks for them by a signal. `faulthandler` writes these, in C and without the interpreter, so that a
worker that hangs inside a library, or holds the interpreter's lock, tells where. Called once per worker,
before it imports anything of the application's.
"""

from __future__ import annotations

import faulthandler
import logging
import mmap
import signal
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import DUMP_SIGNAL, Cell, LineRing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
    copy_stderr(LineRing(board))
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


def copy_stderr(ring: LineRing) -> TextIO | None:
    """Copy what is written to ``sys.stderr`` from now on; return what stands there now.

    Logging handlers that write there are told. They may be an application's: a mold has imported it before
    it forked this process. What goes to the descriptor itself, as from other processes, is not copied.
    """
    stderr = cast("TextIO | None", sys.stderr)
    if stderr is None:  # closed before the interpreter started
        return None
    copied = cast("TextIO", CopiedStream(stderr, ring))
    sys.stderr = copied
    for handler in _handlers():
        if isinstance(handler, logging.StreamHandler) and handler.stream is stderr:
            handler.setStream(copied)
    return copied


def _handlers() -> Iterator[logging.Handler]:
    """Yield those of all loggers."""
    yield from list(logging.root.handlers)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from list(logger.handlers)


class CopiedStream:
    """A text stream whose text is also put into a ring; everything else is the stream's own.

    Around the stream and not in place of it: two streams on one buffer would close it twice, and what an
    application changes of the one, as with ``reconfigure``, would not be true of the other.
    """

    def __init__(self, stream: TextIO, ring: LineRing) -> None:
        self._stream = stream
        self._ring = ring

    def write(self, text: str) -> int:
        """Write, and copy; what cannot be written, because nobody reads it any more, is copied all the same.

        Raises:
            OSError: It cannot be written.
            TypeError: It is no text.
            ValueError: The stream is closed, or cannot encode the text.
        """
        try:
            return self._stream.write(text)
        finally:
            if isinstance(text, str):
                self._ring.write(text.encode("utf-8", "backslashreplace"))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several.

        Raises:
            OSError: One cannot be written.
        """
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
