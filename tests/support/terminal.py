"""A program on a terminal of its own: what it draws, the keys it gets, and what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Final, Self

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Makes the terminal the one that Ctrl-C and changes of the size are of, ioctl_tty(2).
_ON_TERMINAL: Final = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class TerminalProcess:
    """Runs a program on a new terminal.

    Args:
        argv: The program.
        columns: Size of the terminal.
        lines: Likewise.
        cwd: Its working directory.
        env: Its environment.
    """

    def __init__(self, argv: list[str], columns: int, lines: int, cwd: Path, env: Mapping[str, str]) -> None:
        self._argv = argv
        self._size = columns, lines
        self._cwd = cwd
        self._env = {**env, "TERM": "xterm-256color"}
        self.drawn = b""

    def __enter__(self) -> Self:
        self._ours, self._theirs = pty.openpty()
        self.resize(*self._size)
        self.attributes_before = termios.tcgetattr(self._theirs)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *self._argv],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            cwd=self._cwd,
            env=self._env,
            start_new_session=True,
        )
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def attributes(self) -> list[object]:
        """How the terminal is set up."""
        return termios.tcgetattr(self._theirs)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size."""
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def wait(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until something of this kind is drawn, after what was waited for before."""
        deadline = time.monotonic() + PATIENCE
        while (match := re.search(pattern, self.drawn, re.DOTALL)) is None:
            self._read(deadline, pattern)
        self.drawn = self.drawn[match.end() :]
        return match

    def wait_exit(self) -> int:
        """Wait for the end, and for all that is drawn; return the exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            self._read(min(deadline, time.monotonic() + 0.05), b"")  # it may wait for room to write
            if time.monotonic() > deadline:
                raise NeverHappened(f"it has not ended; drawn was {self.drawn[-2000:]!r}")
        while select.select([self._ours], [], [], 0)[0]:
            self.drawn += os.read(self._ours, 65536)
        return self._process.returncode

    def _read(self, deadline: float, pattern: bytes) -> None:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if ready:
            self.drawn += os.read(self._ours, 65536)
        elif pattern:
            raise NeverHappened(f"nothing like {pattern!r} was drawn, but {self.drawn[-2000:]!r}")
