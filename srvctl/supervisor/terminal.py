"""The terminal that development happens in: whether it is there, and how it was before somebody changed it.

A debugger has the terminal not echo what is typed (termios(3)), and one that is killed leaves it like that.
Made and asked by the composition root, in the master.
"""

from __future__ import annotations

import contextlib
import os
import termios


class Terminal:
    """The controlling terminal of the master (tty(4)), if it has one."""

    def __init__(self) -> None:
        self._fd: int | None = None
        with contextlib.suppress(OSError, termios.error):
            self._fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
            self._before = termios.tcgetattr(self._fd)

    @property
    def is_gone(self) -> bool:
        """Whether there was one, and somebody has closed its window."""
        if self._fd is None:
            return False
        try:
            termios.tcgetattr(self._fd)
        except termios.error:
            return True
        return False

    def restore(self) -> None:
        """Have it be as it was, unless it is somebody else's for now."""
        with contextlib.suppress(OSError, termios.error):
            # In the background, the kernel would stop the whole process group instead (tcsetattr(3)).
            if self._fd is not None and os.tcgetpgrp(self._fd) == os.getpgrp():
                # At once: output that somebody holds back must not hold up the master.
                termios.tcsetattr(self._fd, termios.TCSANOW, self._before)

    def close(self) -> None:
        """Leave it alone from now on."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
