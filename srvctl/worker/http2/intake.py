"""The windows of uploads: what clients may send ahead, and when they get it back. Pure.

RFC 9113 section 5.2. A stream has room for so much as its request may hold in memory, and gets it back as
the application takes it. The connection has room for all of them together.
"""

from __future__ import annotations

from srvctl.worker.http2.frames import WINDOW


class Intake:
    """One window.

    Args:
        size: Bytes that may be on their way, or held, at a time.
        known: As many as the client believes to have.

    Attributes:
        left: Bytes that the client may still send.
    """

    __slots__ = ("_owed", "_size", "left")

    def __init__(self, size: int, known: int | None = None) -> None:
        self._size = size
        self.left = size if known is None else known
        self._owed = 0  #: bytes that are taken, and not given back yet

    @classmethod
    def of_connection(cls, size: int) -> tuple[Intake, int]:
        """Return the window of a connection, which begins with 65,535, and what to enlarge it by."""
        size = max(size, WINDOW)
        return cls(size), size - WINDOW

    def received(self, size: int) -> bool:
        """Count what came; return whether the client was allowed to send it."""
        self.left -= size
        return self.left >= 0

    def taken(self, size: int) -> int:
        """Count what nobody holds any more; return what to give back now, often 0."""
        self._owed += size
        if self._owed * 2 < self._size:
            return 0
        owed, self._owed = self._owed, 0
        self.left += owed
        return owed

    @property
    def is_tight(self) -> bool:
        """Whether so little is left that the client may have to wait for us."""
        return self.left * 2 <= self._size
