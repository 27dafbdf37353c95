"""What waits to be written: a queue of lines with a limit, beyond which they are lost and counted. Pure."""

from __future__ import annotations

from collections import deque


class Backlog:
    """Lines in the order they came.

    Args:
        limit: Bytes that are kept; one line is, whatever its size.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lost = 0  #: lines that did not fit, ever
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._taken = 0  #: lines that were taken last
        self._joined = 0  #: lines that the first piece has beyond one: it was taken before, with others

    def __len__(self) -> int:
        """Return how many bytes wait."""
        return self._size

    @property
    def pieces(self) -> list[bytes]:
        """What waits; the first may be the rest of a line that is written in part."""
        return list(self._pieces)

    def put(self, line: bytes) -> None:
        """Take a line, or lose it: what waits already is older, and tells how it began."""
        if self._pieces and self._size + len(line) > self.limit:
            self.lost += 1
        else:
            self._pieces.append(line)
            self._size += len(line)

    def take(self, most: int) -> bytes:
        """Return whole lines, joined, of at most so many bytes; one line, if it alone has more.

        Args:
            most: 0 returns one line at a time.
        """
        if not self._pieces:
            return b""
        self._taken, self._joined = self._joined, 0
        taken = [self._pieces.popleft()]
        size = len(taken[0])
        while self._pieces and size + len(self._pieces[0]) <= most:
            taken.append(self._pieces.popleft())
            size += len(taken[-1])
        self._size -= size
        self._taken += len(taken)
        return b"".join(taken)

    def give_back(self, rest: bytes) -> None:
        """Put back what could not be written of what was taken; it is never lost."""
        self._pieces.appendleft(rest)
        self._size += len(rest)
        if self._taken > 1:  # lines were joined, so each ends with a newline
            self._joined = max(rest.count(b"\n"), 1) - 1

    def lose_all(self) -> None:
        """Give up what waits: nobody will ever read it."""
        self.lost += len(self._pieces) + self._joined
        self._pieces.clear()
        self._size = self._joined = 0
