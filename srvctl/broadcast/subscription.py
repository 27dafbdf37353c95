"""What a subscriber holds: messages of one channel, in the order in which they came.

The hub keeps mailboxes only, never subscriptions: a subscription that nobody holds any more takes its
mailbox with it. While a task waits for a message, the mailbox's waiter keeps the task, and so the
subscription, alive.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from srvctl.broadcast.hub import Hub


class Mailbox:
    """The messages that wait for one subscriber.

    Args:
        channel: Where they come from.
        limit: How many may wait.
    """

    __slots__ = ("channel", "dropped", "is_closed", "limit", "messages", "waiter")

    def __init__(self, channel: str, limit: int) -> None:
        self.channel = channel
        self.limit = limit
        self.messages: deque[str | bytes] = deque()
        self.dropped = 0
        self.is_closed = False
        self.waiter: asyncio.Future[None] | None = None

    def put(self, message: str | bytes) -> bool:
        """Take a message; return whether there was room for it."""
        messages = self.messages
        if len(messages) >= self.limit:
            self.dropped += 1
            return False
        messages.append(message)
        if self.waiter is not None:
            self.wake()
        return True

    async def wait(self) -> None:
        """Wait until there is something to take, or nothing more will come.

        Raises:
            RuntimeError: Another task waits already.
        """
        if self.waiter is not None:
            raise RuntimeError(
                f"Another task already waits for channel {self.channel!r}; subscribe once for each task."
            )
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None

    def wake(self) -> None:
        """Let the task that waits look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def close(self) -> None:
        """End the iteration; what was not taken yet is discarded."""
        self.is_closed = True
        self.messages.clear()
        self.wake()


class Subscription:
    """The messages of one channel: ``async with`` it, or iterate over it at once.

    It is registered when ``async with`` is entered or ``async for`` begins, before either waits for anything:
    what is published from then on arrives. It is unregistered when ``async with`` is left, by `close`, or
    when nobody holds it any more, as after a ``break`` out of ``async for message in subscribe(...)``. It
    serves one task at a time, and one time only.

    Args:
        channel: Which channel.
        find_hub: Returns the hub of the loop that runs.
    """

    def __init__(self, channel: str, find_hub: Callable[[], Hub]) -> None:
        self._channel = channel
        self._find_hub = find_hub
        self._hub: Hub | None = None
        self._mailbox: Mailbox | None = None

    @property
    def channel(self) -> str:
        """The name of the channel."""
        return self._channel

    @property
    def dropped(self) -> int:
        """How many messages were lost because this subscriber took them too slowly (``broadcast.queue``)."""
        return self._mailbox.dropped if self._mailbox is not None else 0

    def _register(self) -> Mailbox:
        if self._mailbox is None:
            self._hub = self._find_hub()
            self._mailbox = self._hub.register(self._channel)
        elif self._mailbox.is_closed:
            raise RuntimeError(f"This subscription of channel {self._channel!r} is closed; subscribe again.")
        return self._mailbox

    async def __aenter__(self) -> Self:
        self._register()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        self._register()
        return self

    async def __anext__(self) -> str | bytes:
        mailbox = self._mailbox or self._register()
        while not mailbox.messages:
            if mailbox.is_closed:
                raise StopAsyncIteration
            await mailbox.wait()
        return mailbox.messages.popleft()

    def close(self) -> None:
        """Unregister, and end an iteration that waits; what was not taken yet is discarded."""
        if self._hub is not None and self._mailbox is not None:
            self._hub.unregister(self._mailbox)
            self._mailbox.close()

    def __del__(self) -> None:
        if self._hub is not None and self._mailbox is not None and not self._mailbox.is_closed:
            self._hub.abandon(self._mailbox)

    def __repr__(self) -> str:
        state = "new" if self._mailbox is None else "closed" if self._mailbox.is_closed else "open"
        return f"<Subscription of {self._channel!r}, {state}>"
