"""Messages to every worker: ``publish`` in one, ``subscribe`` in any.

    from srvctl.broadcast import publish, subscribe

    await publish("room", "hello")

    async with subscribe("room") as messages:
        async for message in messages:
            ...

What is exported here is public; the modules are private. Without a server, in tests and scripts, it works
inside the event loop that runs: each loop has its own channels.
"""

from __future__ import annotations

import asyncio

from srvctl.broadcast.hub import Stats
from srvctl.broadcast.hubs import current as _current
from srvctl.broadcast.subscription import Subscription

__all__ = ["Stats", "Subscription", "publish", "stats", "subscribe"]


async def publish(channel: str, data: str | bytes) -> None:
    """Send a message to everyone who has subscribed to a channel, in this worker and all others.

    It does not wait for anyone: subscribers in this worker have it in their queues on return, those in other
    workers soon. What one worker publishes on a channel arrives in this order. A task that publishes
    a lot at once lets others run in between.

    Args:
        channel: Its name: 1 to 1024 bytes in UTF-8.
        data: The message; a str arrives as str, bytes as bytes.

    Raises:
        TypeError: The message is neither str nor bytes.
        ValueError: No channel can have this name, or the message is larger than ``broadcast.max_size``.
        RuntimeError: A worker's application calls this from another event loop than the worker's.
    """
    if _current().publish(channel, data):
        await asyncio.sleep(0)


def subscribe(channel: str) -> Subscription:
    """Return a subscription to a channel, which begins when it is entered or iterated over."""
    return Subscription(channel, _current)


def stats() -> Stats:
    """Return the counts of this worker."""
    return _current().stats()
