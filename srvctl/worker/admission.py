"""How many requests a worker answers at once, who waits for a turn, and who is turned away. Pure.

What counts are requests that the application is busy with; connections that idle cost next to nothing.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar


class Waiter(Protocol):
    """What waits for its turn."""

    def answer_now(self) -> None:
        """Have the request that waits answered."""


Request = TypeVar("Request")
Waiting = TypeVar("Waiting")


class Admission(Generic[Request, Waiting]):
    """Counts requests.

    Args:
        limit: Requests answered at once.
        room: Requests that may wait beyond them.
    """

    def __init__(self, limit: int, room: int) -> None:
        self._limit = limit
        self._room = room
        self._active: set[Request] = set()
        self._waiting: dict[Waiting, Request] = {}  #: in the order in which they came

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enters(self, request: Request) -> bool:
        """Return whether a request may be answered now; then it counts until it `leaves`."""
        if len(self._active) >= self._limit:
            return False
        self._active.add(request)
        return True

    def waits(self, waiter: Waiting, request: Request) -> bool:
        """Return whether there is room to wait; then `leaves` will name the waiter, in its turn."""
        if len(self._waiting) >= self._room:
            return False
        self._waiting[waiter] = request
        return True

    def gives_up(self, waiter: Waiting) -> None:
        """Forget one who waits."""
        self._waiting.pop(waiter, None)

    def leaves(self, request: Request) -> Waiting | None:
        """Forget a request that is done; return who waits no longer, because its request has entered."""
        if request not in self._active:
            return None
        self._active.remove(request)
        if not self._waiting:
            return None
        waiter = next(iter(self._waiting))
        self._active.add(self._waiting.pop(waiter))
        return waiter
