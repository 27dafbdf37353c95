"""Bytes that wait to be written to one other worker, up to a limit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECE: Final = 262144  #: bytes offered to one write


class Outbox:
    """A queue of bytes that refuses frames beyond its limit; but when it is empty, it takes one of any size.

    Args:
        limit: How many bytes may wait.
    """

    __slots__ = ("_limit", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting = bytearray()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, frames: Sequence[bytes], joined: bytes) -> int:
        """Take frames, as far as there is room; return how many, from the first on, were taken.

        Args:
            frames: One for each message.
            joined: The same in one piece.
        """
        room = self._limit - len(self._waiting)
        if len(joined) <= room:
            self._waiting += joined
            return len(frames)
        for count, frame in enumerate(frames):
            room -= len(frame)
            if room < 0 and self._waiting:  # smaller ones behind it might fit, but would arrive before it
                return count
            self._waiting += frame
        return len(frames)

    def peek(self) -> bytes:
        """Return what is to be written next."""
        return bytes(self._waiting[:_PIECE])

    def written(self, count: int) -> None:
        """Forget the first bytes."""
        del self._waiting[:count]
