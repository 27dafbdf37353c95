"""Cuts what a process prints into lines, and keeps the last of them. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

#: Bytes of a line; what is longer is cut, so that nobody can fill the master's memory by printing no newline.
LONGEST: Final = 64 * 1024
CUT: Final = b" [...]"  #: at the end of a line whose rest follows as another one

_MOST_LINES: Final = 20
_MOST_BYTES: Final = 16 * 1024


class Cutter:
    """Makes lines of the bytes of one stream.

    Args:
        rest: What another cutter of the same stream had left over.
        longest: Bytes of a line without `CUT`.
    """

    def __init__(self, rest: bytes = b"", longest: int = LONGEST) -> None:
        self.rest = rest  #: what has no newline yet
        self._longest = longest

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their newlines."""
        *complete, self.rest = (self.rest + data).split(b"\n")
        lines: list[bytes] = []
        for line in complete:
            pieces, last = self._pieces(line)
            lines += [*pieces, last]
        pieces, self.rest = self._pieces(self.rest)
        return lines + pieces

    def end(self) -> list[bytes]:
        """Return what had no newline, as a line: there comes no more, or nobody knows when."""
        rest, self.rest = self.rest, b""
        return [rest] if rest else []

    def _pieces(self, line: bytes) -> tuple[list[bytes], bytes]:
        """Return what is to be cut off a line, and what is left."""
        most = self._longest
        if len(line) <= most:
            return [], line
        ends = range(most, len(line), most)
        return [line[end - most : end] + CUT for end in ends], line[ends[-1] :]


class Tail:
    """The last lines of a stream, at most so many and so many bytes.

    Args:
        lines: What it begins with.
    """

    def __init__(self, lines: list[bytes] | None = None) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0
        self.add(lines or [])

    @property
    def lines(self) -> list[bytes]:
        """What is kept, oldest first; only the end of one that is too long."""
        return list(self._lines)

    def add(self, lines: list[bytes]) -> None:
        """Take lines."""
        for line in lines[-_MOST_LINES:]:
            kept = line[-_MOST_BYTES:]
            self._lines.append(kept)
            self._size += len(kept)
        while len(self._lines) > _MOST_LINES or self._size > _MOST_BYTES:
            self._size -= len(self._lines.popleft())
