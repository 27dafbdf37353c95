"""Keeps the last lines of a log, or the last events, for clients of the control socket.

Owns the memory for that, which is bounded. Nothing is ever sent from here, and nobody is waited for: each
reader has only a place in the feed, and takes from there when it has room. What is dropped before it came
that far is counted, and it is told the number. Must not know sockets. Filled by whoever has news; read by
`admin`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from srvctl.ipc.control import MAX_REPLY, encode_item

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What an item costs beside its bytes: the tuple, the header of the bytes, a place in the deque.
_OVERHEAD: Final = 150
#: Items that one `Reader.take` looks at, those of other slots included: it is a piece of the master's time.
_MOST_LOOKED_AT: Final = 2000


class _Kept(NamedTuple):
    slot: object
    nth: int  #: of its slot, from 0
    line: bytes


class Feed:
    """The last items, as lines of the control protocol.

    Args:
        most_bytes: Memory they may have.
    """

    __slots__ = ("_begins", "_counts", "_items", "_most_bytes", "_size")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._items: deque[_Kept] = deque()
        self._begins = 0  #: number of the first item that is kept
        self._size = 0
        self._counts: dict[object, int] = {}

    def push(self, item: Mapping[str, Any]) -> None:
        """Add an item, JSON; one with a ``slot`` can be asked for by that. The oldest make room."""
        slot = item.get("slot")
        line = encode_item(item)
        if len(line) + _OVERHEAD > min(self._most_bytes, MAX_REPLY):
            line = left_out(1)
        nth = self._counts.get(slot, 0)
        self._counts[slot] = nth + 1
        self._add(_Kept(slot, nth, line))

    def _add(self, kept: _Kept) -> None:
        self._items.append(kept)
        self._size += len(kept.line) + _OVERHEAD
        while self._size > self._most_bytes:
            self._size -= len(self._items.popleft().line) + _OVERHEAD
            self._begins += 1

    @property
    def end(self) -> int:
        """Number that the next item will have."""
        return self._begins + len(self._items)

    def count(self, slot: int | None) -> int:
        """Return how many items there ever were, of one slot or of all."""
        return self.end if slot is None else self._counts.get(slot, 0)

    def read(self, last: int, slot: int | None = None, *, is_following: bool = False) -> Reader:
        """Return a reader of the last items.

        Args:
            last: How many.
            slot: Only those of this slot.
            is_following: And of those still to come.
        """
        start = self.end
        for number in range(self.end - 1, self._begins - 1, -1):
            if last <= 0:
                break
            if slot is None or self._items[number - self._begins].slot == slot:
                start, last = number, last - 1
        return Reader(self, start, slot, None if is_following else self.end)

    def get(self, number: int) -> _Kept | None:
        """Return an item; None for one that is not kept any more."""
        return self._items[number - self._begins] if self._begins <= number < self.end else None

    @property
    def begins(self) -> int:
        """Number of the oldest item that is kept."""
        return self._begins

    # -- an upgrade in place ---------------------------------------------------------------------------

    def export(self, most_bytes: int) -> dict[str, Any]:
        """Return the newest items as JSON, of no more than so many bytes, for `restore`."""
        items: list[list[object]] = []
        size = 0
        for kept in reversed(self._items):
            size += len(kept.line) + _OVERHEAD
            if size > most_bytes:
                break
            items.append([kept.slot, kept.nth, kept.line.decode()])
        counts = [[slot, count] for slot, count in self._counts.items()]
        return {"begins": self.end - len(items), "items": items[::-1], "counts": counts}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Have the items of the program that this process ran before, instead of what is here.

        Raises:
            Exception: They cannot be understood; nothing has changed.
        """
        items = [_Kept(slot, int(nth), line.encode()) for slot, nth, line in values["items"]]
        begins, counts = int(values["begins"]), {slot: int(count) for slot, count in values["counts"]}
        self._items.clear()
        self._begins, self._counts, self._size = begins, counts, 0
        for kept in items:
            self._add(kept)

    def __repr__(self) -> str:
        return f"Feed({len(self._items)} of {self.end} items, {self._size} bytes)"


class Reader:
    """A place in a feed.

    Args:
        feed: The feed.
        start: Number of the item to read next.
        slot: Only those of this slot.
        until: Number of the item to end before; None follows the feed.
    """

    __slots__ = ("_feed", "_limit", "_next", "_nth", "_slot", "_until")

    def __init__(self, feed: Feed, start: int, slot: int | None, until: int | None) -> None:
        self._feed = feed
        self._slot = slot
        self._until = until
        self._next = start
        self._limit = None if until is None else feed.count(slot)
        self._nth = self._first_from(start)  #: of the slot, or of all: the one that comes next

    def _first_from(self, start: int) -> int:
        """Return the number, among those that are read, of the first item from there on."""
        if self._slot is None:
            return start
        for number in range(start, self._feed.end):
            kept = self._feed.get(number)
            if kept is not None and kept.slot == self._slot:
                return kept.nth
        return self._feed.count(self._slot)

    @property
    def is_following(self) -> bool:
        """Whether it has no end."""
        return self._until is None

    @property
    def has_news(self) -> bool:
        """Whether `take` has something to look at."""
        return self._next < self._feed.end

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return self._until is not None and self._next >= self._until

    def take(self, most: int) -> bytes:
        """Return the next lines of the control protocol, about so many bytes; none where there is no news.

        In the place of items that have been dropped meanwhile there is one that says how many.
        """
        lines: list[bytes] = []
        size = 0
        self._next = max(self._next, self._feed.begins)
        end = self._feed.end if self._until is None else self._until
        stop = min(end, self._next + _MOST_LOOKED_AT)
        while self._next < stop and size < most:
            kept = self._feed.get(self._next)
            if kept is not None and (self._slot is None or kept.slot == self._slot):
                lines += self._up_to(self._next if self._slot is None else kept.nth)
                lines.append(kept.line)
                size += len(kept.line)
                self._nth += 1
            self._next += 1
        if self._next >= end:
            lines += self._up_to(self._feed.count(self._slot) if self._limit is None else self._limit)
        return b"".join(lines)

    def _up_to(self, nth: int) -> list[bytes]:
        """Return what is said of the items before this one that were dropped; mostly there are none."""
        missed, self._nth = nth - self._nth, max(nth, self._nth)
        return [left_out(missed)] if missed > 0 else []

    def export(self) -> dict[str, Any]:
        """Return the place as JSON."""
        return {
            "next": self._next,
            "nth": self._nth,
            "slot": self._slot,
            "until": self._until,
            "limit": self._limit,
        }

    @classmethod
    def restore(cls, feed: Feed, values: Mapping[str, Any]) -> Reader:
        """Return the place that `export` told of; at the end, in a feed that is another one."""
        until = None if values["until"] is None else min(values["until"], feed.end)
        reader = cls(feed, feed.end, values["slot"], until)
        if values["next"] <= feed.end:
            reader._next, reader._nth = values["next"], values["nth"]
            reader._limit = values["limit"]
        return reader

    def __repr__(self) -> str:
        return f"Reader(next={self._next}, slot={self._slot}, until={self._until})"


def left_out(number: int) -> bytes:
    """Return the line that says how many items are missing."""
    return encode_item({"left_out": number})
