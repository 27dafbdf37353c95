"""Sends clients of the control socket what they read of a feed: as much as they take, when they take it.

Owns when that is. Must not know what the items are, nor who pushes them. Held by `admin`. A push costs no
system call: news are sent together, a few times a second, and by as much as fits into the connection.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.control import Command, Done, Reason, encode_reply, refusal
from srvctl.supervisor.admin_commands import arguments_of
from srvctl.supervisor.feeds import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.ipc.control import Request
    from srvctl.supervisor.admin_client import AdminClient
    from srvctl.supervisor.admin_clients import AdminClients
    from srvctl.supervisor.feeds import Feed

#: Followers wait for ever, and nobody drives them out as long as they read: half of the places is for others.
MOST_FOLLOWERS: Final = 32
#: Seconds between two looks for news.
_INTERVAL: Final = 0.02
#: Bytes for each client in one turn of the master's loop; there are more turns.
_CHUNK: Final = 64 * 1024
#: What goes over an upgrade in place of each feed.
_MOST_EXPORTED: Final = 256 * 1024


class AdminFeeds:
    """The feeds, and who reads them.

    Args:
        feeds: By the command that reads each.
        clients: All clients.
    """

    def __init__(self, feeds: Mapping[Command, Feed], clients: AdminClients) -> None:
        self._feeds = feeds
        self._clients = clients
        self._next_look = 0.0

    def begin(self, client: AdminClient, request: Request, now: float) -> bool:
        """Have a client read the feed of its command; return whether there is one: then it is answered.

        Raises:
            ControlError: It has arguments that the command does not take.
        """
        feed = self._feeds.get(request.command)
        if feed is None:
            return False
        args = arguments_of(request)
        if args["follow"] and not client.guest.is_own and self._is_crowded():
            text = f"{MOST_FOLLOWERS} others follow logs and events of this instance; try again later"
            client.send(encode_reply(refusal(text, reason=Reason.BUSY)), now)
            client.end(now)
            return True
        slot = args.get("slot", -1)
        last = args["lines"] if "lines" in args else args["last"]
        client.reader = feed.read(last, None if slot < 0 else slot, is_following=args["follow"])
        self.pump(client, now)
        return True

    def _is_crowded(self) -> bool:
        return sum(one.is_following and not one.guest.is_own for one in self._clients) >= MOST_FOLLOWERS

    def pump(self, client: AdminClient, now: float) -> None:
        """Send a client what it has room for; `AdminClients.settle` is to follow."""
        reader = client.reader
        if reader is None or client.has_unsent:
            return
        data = reader.take(_CHUNK)
        if data:
            client.send(data, now)
        if reader.is_done:
            client.send(encode_reply(Done(ok=True)), now)
            client.end(now)

    def next_deadline(self) -> float | None:
        """Return when `expire` has something to do (monotonic seconds); None for not before a push."""
        return self._next_look if any(_is_due(client) for client in self._clients) else None

    def expire(self, now: float) -> None:
        """Send what is new, if it is time."""
        if now < self._next_look:
            return
        self._next_look = now + _INTERVAL
        for client in self._clients:
            if _is_due(client):
                self.pump(client, now)
                self._clients.settle(client)
                if _is_due(client):  # there is more than one turn may take
                    self._next_look = now

    def finish(self, now: float) -> None:
        """Send followers what there is, and the end: the instance stops. Nobody is waited for."""
        for client in self._clients:
            if client.is_following:
                self.pump(client, now)
                client.send(encode_reply(Done(ok=True, message="The instance has stopped.")), now)

    # -- an upgrade in place ---------------------------------------------------------------------------

    def export(self) -> dict[str, Any]:
        """Return the newest items of each as JSON."""
        return {command: feed.export(_MOST_EXPORTED) for command, feed in self._feeds.items()}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Have the items of the program that this process ran before; what cannot be had is no error."""
        for command, feed in self._feeds.items():
            with contextlib.suppress(Exception):
                feed.restore(values[command])

    def go_on(self, client: AdminClient, values: Mapping[str, Any]) -> bool:
        """Have an inherited client read where it was; return whether that is possible."""
        feed = self._feeds.get(client.command) if client.command is not None else None
        if feed is None:
            return False
        client.reader = Reader.restore(feed, values)
        return True


def _is_due(client: AdminClient) -> bool:
    reader = client.reader
    return reader is not None and not client.has_unsent and (reader.has_news or reader.is_done)
