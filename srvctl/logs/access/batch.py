"""Gathers lines and writes many at a time: in order, each once, and whole as far as the system allows.

A reader that is slow is waited for, but only for a moment at a time; one that takes nothing at all has its
lines kept up to a limit. What is beyond is lost, counted and said.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from srvctl.logs.access.sinks import ReaderGoneError

if TYPE_CHECKING:
    from srvctl.logs.access.sinks import Sink

MAX_UNWRITTEN: Final = 1024 * 1024  #: bytes of lines that are kept for a reader that does not take them
_PAUSE: Final = 0.05  #: seconds to wait for such a reader before lines are lost; once, until it reads again


class LossReport(Protocol):
    """What the writer says about lines that do not arrive."""

    def lost(self, lines: int) -> None:
        """So many lines were lost, and that is over: while it lasts, our own log may have the same reader."""

    def gone(self, reason: str) -> None:
        """The reader has left: whatever is written is lost from now on."""


class BatchWriter:
    """Writes lines to a sink, in one thread.

    Args:
        sink: Where they go.
        report: Is told about losses.
        limit: Bytes of lines that are kept for a reader that takes none.
    """

    def __init__(self, sink: Sink, report: LossReport, limit: int = MAX_UNWRITTEN) -> None:
        self._sink = sink
        self._report = report
        self._limit = limit
        self._lines: list[bytes] = []
        self._room = sink.size  #: bytes that still fit beside these lines
        self._unwritten: deque[bytes] = deque()
        self._unwritten_size = 0
        self._lost = 0
        self._is_stuck = False  #: the reader was waited for in vain, and has taken nothing since
        self._is_gone = False

    @property
    def is_empty(self) -> bool:
        """Whether everything added is written or lost."""
        return not self._lines and not self._unwritten

    def add(self, line: str) -> None:
        """Take a line, with its end; it is written when enough are gathered, or at the next `flush`."""
        self.add_encoded(encoded(line))

    def add_encoded(self, data: bytes) -> None:
        """Take a line that is `encoded`."""
        self._room -= len(data)
        if self._room < 0:
            self.flush()
            self._room -= len(data)
        self._lines.append(data)

    def flush(self) -> None:
        """Write what the sink takes without waiting."""
        if self._lines:
            self._gather()
        if self._unwritten:
            self._write()

    def drain(self, seconds: float) -> None:
        """Write everything, waiting for the reader no longer than this; what is left is lost, and said."""
        deadline = time.monotonic() + seconds
        self.flush()
        while self._unwritten and (left := deadline - time.monotonic()) > 0:
            if self._sink.wait(left) and not self._write():
                time.sleep(min(left, 0.01))  # it said it had room, such as a file on a full disk
        while self._unwritten:
            self._lose(self._unwritten.pop())
        self._settle()

    def _gather(self) -> None:
        """Make one piece of the lines, to be written at once."""
        data = b"".join(self._lines)
        self._lines.clear()
        self._room = self._sink.size
        if self._is_over(len(data)) and not self._has_room_after_all(len(data)):
            self._lose(data)
            return
        self._unwritten.append(data)
        self._unwritten_size += len(data)

    def _has_room_after_all(self, size: int) -> bool:
        """Give a slow reader a moment; one that used none of the last is given none."""
        self._write()
        until = time.monotonic() + _PAUSE
        while self._is_over(size) and not self._is_stuck:
            left = until - time.monotonic()
            self._is_stuck = left <= 0 or not (self._sink.wait(left) and self._write())
        return not self._is_over(size)

    def _is_over(self, size: int) -> bool:
        return bool(self._unwritten) and self._unwritten_size + size > self._limit

    def _write(self) -> bool:
        """Write pieces until the sink takes no more; return whether it took any."""
        has_taken = False
        try:
            while self._unwritten:
                data = self._unwritten[0]
                taken = self._sink.write(data)
                if not taken:
                    break
                has_taken = True
                self._unwritten_size -= taken
                if taken < len(data):
                    self._unwritten[0] = data[taken:]
                else:
                    self._unwritten.popleft()
        except ReaderGoneError as error:
            self._unwritten.clear()
            self._unwritten_size = self._lost = 0
            if not self._is_gone:
                self._is_gone = True
                self._report.gone(str(error))
        if has_taken:
            self._is_stuck = self._is_gone = False
        if self._lost and not self._unwritten:
            self._settle()
        return has_taken

    def _lose(self, data: bytes) -> None:
        self._lost += data.count(b"\n")

    def _settle(self) -> None:
        lost, self._lost = self._lost, 0
        self._unwritten_size = sum(map(len, self._unwritten))
        if lost:
            self._report.lost(lost)


def encoded(line: str) -> bytes:
    """Return a line as it is written."""
    return line.encode("utf-8", "backslashreplace")
