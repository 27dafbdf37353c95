"""What a WebSocket's application has not taken yet, and who waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from srvctl.worker.parked import Parked

if TYPE_CHECKING:
    Message = dict[str, Any]


class MessageInbox:
    """Holds ASGI messages in their order.

    Args:
        loop: The running loop.
    """

    __slots__ = ("_loop", "_messages", "_parked", "_waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: list[Message] = []  # short, and smaller than a deque, which thousands would have
        self._waiters: list[Parked] = []
        self._parked: Parked | None = None  #: spare

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Take a message; who waits for one goes on with it at once."""
        self._messages.append(message)
        if self._waiters:
            self.wake()

    def take(self) -> Message:
        """Return the first message."""
        return self._messages.pop(0)

    async def wait(self) -> None:
        """Wait until something happens."""
        waiter = self._parked or Parked(self._loop)
        self._parked = None
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise
        self._parked = waiter

    def wake(self) -> None:
        """Let everyone who waits look again."""
        waiters, self._waiters = self._waiters, []
        # Within a task, nobody else can go on before it waits.
        is_in_task = asyncio.current_task(self._loop) is not None
        for waiter in waiters:
            if is_in_task:
                self._loop.call_soon(waiter.resume)
            else:
                waiter.resume()
