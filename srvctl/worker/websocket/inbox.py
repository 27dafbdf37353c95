"""What a WebSocket's application has not taken yet, and who waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from srvctl.worker.parked import Parked

if TYPE_CHECKING:
    from collections.abc import Callable

    Message = dict[str, Any]


class MessageInbox:
    """Holds ASGI messages in their order.

    Args:
        loop: The running loop.
        most: Messages from which on it is full.
        most_data: And what they hold together, in characters or bytes.

    Attributes:
        messages: What it holds.
        is_full: The application has to take some before more are put.
        on_room: Is called when it is not full any more.
    """

    __slots__ = (
        "_loop",
        "_most",
        "_most_data",
        "_others",
        "_parked",
        "_size",
        "is_full",
        "messages",
        "on_room",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int, most_data: int) -> None:
        self._loop = loop
        self._most = most
        self._most_data = most_data
        self.messages: list[Message] = []  # short; thousands of deques would need much more memory
        self._size = 0  #: of what they hold; most are taken at once, and never counted
        self._parked = Parked(loop)  #: what the task that waits waits for
        self._others: list[Parked] = []  #: the same for all but the first of several such tasks
        self.is_full = False
        self.on_room: Callable[[], object] = _nobody_cares

    def put(self, message: Message) -> None:
        """Take a message; who waits for one goes on with it at once. Only from a callback of the loop."""
        messages = self.messages
        messages.append(message)
        if self._parked.is_idle:
            self._parked.resume()
        elif self._others:
            self.wake()
        if messages:
            self._size += _size(messages[-1])
            self.is_full = len(messages) >= self._most or self._size >= self._most_data

    def take(self) -> Message:
        """Return the first message."""
        message = self.messages.pop(0)
        if self._size:
            self._size = self._size - _size(message) if self.messages else 0
        if self.is_full and len(self.messages) < self._most and self._size < self._most_data:
            self.is_full = False
            self.on_room()
        return message

    def arrival(self) -> Parked:
        """Return what to wait for when nothing is there; then look again."""
        parked = self._parked
        if parked.is_idle:
            parked = Parked(self._loop)
            self._others = [*(other for other in self._others if other.is_idle), parked]
        elif parked.is_cancelled:
            self._parked = parked = Parked(self._loop)
        return parked

    def wake(self) -> None:
        """Let everyone who waits look again."""
        waiting, self._others = [self._parked, *self._others], []
        # Within a task, nobody else can go on before it waits.
        is_in_task = asyncio.current_task(self._loop) is not None
        for parked in waiting:
            if is_in_task:
                self._loop.call_soon(parked.resume)
            else:
                parked.resume()


def _size(message: Message) -> int:
    """Return how much a message holds, in characters or bytes."""
    return len(message.get("text") or message.get("bytes") or b"")


def _nobody_cares() -> None:
    """Do nothing: the WebSocket is not open yet."""
