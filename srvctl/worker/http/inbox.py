"""The body of one request on its way from the client to the application, and who waits for it."""

from __future__ import annotations

import asyncio


class Inbox:
    """Holds what was received and not taken yet.

    Args:
        is_complete: The request has no body, so nothing will come.
        expects_continue: The client waits for ``100 Continue``.

    Attributes:
        size: Bytes held.
        total: Bytes received since the beginning.
        is_complete: The request has ended.
        expects_continue: The client still waits for ``100 Continue``.
    """

    __slots__ = ("_is_end_taken", "_pieces", "_waiters", "expects_continue", "is_complete", "size", "total")

    def __init__(self, *, is_complete: bool, expects_continue: bool = False) -> None:
        self._pieces: list[bytes] = []
        self._is_end_taken = False
        self._waiters: list[asyncio.Future[None]] = []
        self.size = self.total = 0
        self.is_complete = is_complete
        self.expects_continue = expects_continue

    def put(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.expects_continue = False  # nobody waits who sends
        self._pieces.append(data)
        self.size += len(data)
        self.total += len(data)
        self.wake()

    def end(self) -> None:
        """Learn that the request is complete."""
        self.is_complete = True
        self.expects_continue = False
        self.wake()

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell the application: bytes, or once, that no more will come."""
        return bool(self._pieces) or (self.is_complete and not self._is_end_taken)

    def take(self) -> bytes:
        """Return all that is held."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        self.size = 0
        self._is_end_taken = self.is_complete
        return data

    def close(self) -> None:
        """Forget what is held: nobody will take it any more."""
        self._pieces = []
        self.size = 0
        self.wake()

    async def wait(self) -> None:
        """Wait until something happens."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:  # cancelled: who only looks now and then leaves nothing behind
                self._waiters.remove(waiter)

    def wake(self) -> None:
        """Let everyone who waits look again."""
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():  # else: cancelled
                    waiter.set_result(None)
