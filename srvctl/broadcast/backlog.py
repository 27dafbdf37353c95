"""Messages that wait for a server, up to a limit in bytes. Pure."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final

_OVERHEAD: Final = 64  #: bytes that a waiting message counts beyond its own

#: The name of a channel, and what is published there.
Item = tuple[bytes, bytes]


class Backlog:
    """A queue that refuses items beyond its limit.

    Args:
        limit: Bytes that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> bool:
        """Take an item; return whether there was room. When nothing waits, there is room for any."""
        size = _size_of(item)
        if self._items and self._size + size > self._limit:
            return False
        self._items.append(item)
        self._size += size
        return True

    def first(self, count: int) -> list[Item]:
        """Return the items that have waited longest."""
        return list(islice(self._items, count))

    def done(self, count: int) -> None:
        """Forget so many of them."""
        for _ in range(count):
            self._size -= _size_of(self._items.popleft())


def _size_of(item: Item) -> int:
    channel, payload = item
    return len(channel) + len(payload) + _OVERHEAD
