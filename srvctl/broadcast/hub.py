"""Brings messages from publishers to the subscribers of one event loop, and to the link beyond it.

Everything here is called in that loop's thread, except `abandon`, which the garbage collector may cause
anywhere and at any time. A message is in the mailboxes of this process when `publish` returns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srvctl.broadcast.codec import MAX_CHANNEL
from srvctl.broadcast.losses import Losses
from srvctl.broadcast.subscription import Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.broadcast.codec import Message
    from srvctl.broadcast.link import Link
    from srvctl.settings.groups.broadcast import BroadcastSettings

#: Messages one turn of the loop publishes, or takes from others, before subscribers have had theirs. So a
#: burst alone fills no subscriber's queue, unless that is shorter.
BURST: Final = 256


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of one worker since it started, and what it has now.

    Attributes:
        published: Messages published here.
        received: Messages that came from other workers.
        delivered: Messages put into queues of subscribers: one published to three of them counts three times.
        dropped: Messages that subscribers here lost because their queue was full.
        unsent: Messages that others did not get because more than ``broadcast.buffer`` waited for them.
        subscriptions: Subscribers.
        channels: Channels that have any.
        peers: Connections to other workers, or to the server.
    """

    published: int
    received: int
    delivered: int
    dropped: int
    unsent: int
    subscriptions: int
    channels: int
    peers: int


class _Channel:
    """The mailboxes of one channel; `all` is a copy that can be walked through whatever happens meanwhile."""

    __slots__ = ("_all", "mailboxes")

    def __init__(self) -> None:
        self.mailboxes: dict[Mailbox, None] = {}
        self._all: tuple[Mailbox, ...] | None = None

    def all(self) -> tuple[Mailbox, ...]:
        found = self._all
        if found is None:
            found = self._all = tuple(self.mailboxes)
        return found

    def changed(self) -> None:
        self._all = None


class Hub:
    """Knows the subscribers of one event loop.

    Args:
        settings: The limits.
    """

    def __init__(self, settings: BroadcastSettings) -> None:
        self.settings = settings
        self.link: Link | None = None
        self.burst = min(BURST, settings.queue)
        self._channels: dict[str, _Channel] = {}
        self._abandoned: deque[Mailbox] = deque()
        self._published = self._received = self._delivered = self._dropped = self._unsent = 0
        self._this_turn = 0  #: messages published since the loop's last turn
        self._slow = Losses(
            "Broadcast: %s for subscribers that were too slow were dropped (broadcast.queue); channels: %s."
        )
        self._full = Losses(
            "Broadcast: %s for other workers were dropped, too many wait (broadcast.buffer); channels: %s."
        )

    # -- subscribers -----------------------------------------------------------------------------------

    def register(self, channel: str) -> Mailbox:
        """Return a mailbox for what is published on a channel from now on.

        Raises:
            ValueError: No channel can have this name.
        """
        _name_of(channel)
        self._forget_abandoned()
        if self.link is not None:
            self.link.listen()
        mailbox = Mailbox(channel, self.settings.queue)
        subscribed = self._channels.setdefault(channel, _Channel())
        subscribed.mailboxes[mailbox] = None
        subscribed.changed()
        return mailbox

    def unregister(self, mailbox: Mailbox) -> None:
        """Forget a mailbox; one that is forgotten already may be forgotten again."""
        subscribed = self._channels.get(mailbox.channel)
        if subscribed is None or subscribed.mailboxes.pop(mailbox, 0) == 0:
            return
        subscribed.changed()
        if not subscribed.mailboxes:
            del self._channels[mailbox.channel]

    def abandon(self, mailbox: Mailbox) -> None:
        """Have a mailbox forgotten soon; unlike all else here, to be called from wherever it may be."""
        self._abandoned.append(mailbox)

    def _forget_abandoned(self) -> None:
        while self._abandoned:
            self.unregister(self._abandoned.popleft())

    # -- messages --------------------------------------------------------------------------------------

    def publish(self, channel: str, data: str | bytes) -> bool:
        """Deliver a message here, and hand it to the link.

        Returns:
            Whether this turn of the loop has published so much that others should run first.

        Raises:
            TypeError: The message is neither str nor bytes.
            ValueError: No channel can have this name, or the message is too large.
        """
        name = _name_of(channel)
        if isinstance(data, str):
            body, is_text = data.encode(), True
        elif isinstance(data, bytes):
            body, is_text = data, False
        else:
            raise TypeError(f"a message is str or bytes, not {type(data).__name__}")
        if len(body) > self.settings.max_size:
            limit = self.settings.max_size
            raise ValueError(f"a message of {len(body)} bytes is too large (broadcast.max_size: {limit})")
        self._published += 1
        if self._this_turn == 0:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._this_turn += 1
        self._deliver(channel, data)
        is_much = self.link is not None and self.link.send(name, body, is_text=is_text)
        return is_much or self._this_turn >= self.burst

    def receive(self, messages: Iterable[Message]) -> None:
        """Deliver what others published."""
        for channel, data in messages:
            self._received += 1
            self._deliver(channel, data)

    def not_sent(self, channel: str) -> None:
        """Count a message that another worker will not get."""
        self._unsent += 1
        self._full.note(channel)

    def _deliver(self, channel: str, data: str | bytes) -> None:
        if self._abandoned:
            self._forget_abandoned()
        subscribed = self._channels.get(channel)
        if subscribed is None:
            return
        for mailbox in subscribed.all():
            if mailbox.put(data):
                self._delivered += 1
            else:
                self._dropped += 1
                self._slow.note(channel)

    def _end_turn(self) -> None:
        self._this_turn = 0
        if self.link is not None:
            self.link.flush()

    # -- the rest --------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        """Return the counts so far."""
        self._forget_abandoned()
        return Stats(
            published=self._published,
            received=self._received,
            delivered=self._delivered,
            dropped=self._dropped,
            unsent=self._unsent,
            subscriptions=sum(len(channel.mailboxes) for channel in self._channels.values()),
            channels=len(self._channels),
            peers=self.link.peers if self.link is not None else 0,
        )

    async def close(self) -> None:
        """End the link and every subscription."""
        if self.link is not None:
            await self.link.close()
        for subscribed in list(self._channels.values()):
            for mailbox in subscribed.all():
                self.unregister(mailbox)
                mailbox.close()
        self._slow.close()
        self._full.close()


def _name_of(channel: str) -> bytes:
    name = channel.encode()
    if not 0 < len(name) <= MAX_CHANNEL:
        raise ValueError(f"a channel's name has 1 to {MAX_CHANNEL} bytes, not {len(name)}")
    return name
