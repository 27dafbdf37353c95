"""All clients of the control socket: how many there may be, what is watched of each, who is dropped when.

Must not know what they ask for. Held by `admin`.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from srvctl.supervisor.admin_client import AdminClient
from srvctl.supervisor.admin_roles import Role

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from srvctl.supervisor.admin_client import Guest
    from srvctl.supervisor.events import Event

MOST_CLIENTS: Final = 64
#: Of these, for those who may only look; and for each user of them.
MOST_READERS: Final = 24
MOST_OF_ONE_READER: Final = 8


class Watcher(Protocol):
    """What the admin needs of the poller."""

    def watch(self, sock: socket.socket, handler: Callable[[int], Iterable[Event]], mask: int) -> None:
        """Call ``handler`` with what the socket is ready for, of ``mask`` (``selectors.EVENT_*``)."""

    def change(self, sock: socket.socket, mask: int) -> None:
        """Watch for something else."""

    def unwatch(self, sock: socket.socket) -> None:
        """Forget a socket."""


class AdminClients:
    """The clients, by number.

    Args:
        poller: Tells when something can be done.
        serve: Called with a client and what it is ready for (``selectors.EVENT_*``).
    """

    def __init__(self, poller: Watcher, serve: Callable[[AdminClient, int], Iterable[Event]]) -> None:
        self._poller = poller
        self._serve = serve
        self._clients: dict[int, AdminClient] = {}
        self._masks: dict[int, int] = {}
        self._next = 1

    def get(self, number: int) -> AdminClient | None:
        """Return a client that is still there."""
        return self._clients.get(number)

    def __iter__(self) -> Iterator[AdminClient]:
        """Iterate over those that are there now."""
        return iter(list(self._clients.values()))

    def add(self, sock: socket.socket, guest: Guest, now: float) -> AdminClient:
        """Take a new connection; `has_room` must have said so, or it is one of our own."""
        client = self._clients[self._next] = AdminClient(sock, self._next, guest, now)
        self._next += 1
        self.settle(client)
        return client

    def rename(self, client: AdminClient) -> None:
        """Give a client another number: what is said of the old one reaches nobody any more."""
        before, client.number = client.number, self._next
        self._next += 1
        self._clients[client.number] = self._clients.pop(before)
        if before in self._masks:
            self._masks[client.number] = self._masks.pop(before)

    def has_room(self, guest: Guest) -> bool:
        """Return whether there is room for one more, after the one that is missed least has made some.

        Who may only look has few places, and drives out only others who look: the owner always finds one
        that is not his own.
        """
        guests = [client for client in self if not client.guest.is_own]
        if guest.role is Role.ACT:
            return len(guests) < MOST_CLIENTS or self._make_room(guests)
        readers = [client for client in guests if client.guest.role is Role.READ]
        theirs = [client for client in readers if client.guest.uid == guest.uid]
        if len(theirs) >= MOST_OF_ONE_READER:
            return self._make_room(theirs)
        if len(readers) >= MOST_READERS or len(guests) >= MOST_CLIENTS:
            return self._make_room(readers)
        return True

    def _make_room(self, clients: Iterable[AdminClient]) -> bool:
        """Drop one that nothing is lost with; return whether there was one."""
        # Whoever connects and says nothing must not keep out who asks, not even between two requests.
        spare = [
            client
            for client in clients
            if not client.is_waiting or client.has_hung_up or (client.is_following and client.has_unsent)
        ]
        if not spare:
            return False
        self.drop(min(spare, key=lambda client: (client.is_waiting, client.has_asked)))
        return True

    def settle(self, client: AdminClient) -> None:
        """Have the poller watch for what the client is good for now, or drop it; after each use of one."""
        if client.is_over:
            self.drop(client)
            return
        before, mask = self._masks.get(client.number, 0), client.mask
        if before == mask:
            return
        if not before:
            self._poller.watch(client.socket, partial(self._handle, client), mask)
        elif mask:
            self._poller.change(client.socket, mask)
        else:
            self._poller.unwatch(client.socket)
        self._masks[client.number] = mask

    def drop(self, client: AdminClient) -> None:
        """Close a connection; harmless for one that was dropped before."""
        if self._clients.pop(client.number, None) is not None:
            if self._masks.pop(client.number, 0):
                self._poller.unwatch(client.socket)
            client.socket.close()

    def next_deadline(self) -> float | None:
        """Return when the next client has taken too long (monotonic seconds)."""
        moments = (
            moment
            for client in self._clients.values()
            for moment in (client.deadline, client.answers_until, client.rests_until)
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def expire(self, now: float) -> None:
        """Drop those that have taken too long, and listen again to those that have rested."""
        for client in self:
            if client.deadline is not None and client.deadline <= now:
                self.drop(client)
            elif client.rests_until is not None and client.rests_until <= now:
                client.rests_until = None
                self.settle(client)

    def overdue(self, now: float) -> list[AdminClient]:
        """Return those whose command takes too long."""
        return [one for one in self if one.answers_until is not None and one.answers_until <= now]

    def fds(self) -> list[int]:
        """Return the descriptors of all connections."""
        return [client.socket.fileno() for client in self._clients.values()]

    def state(self) -> dict[str, Any]:
        """Return what `inherit` must know, as JSON."""
        return {"next": self._next, "clients": [client.export() for client in self._clients.values()]}

    def inherit(
        self, state: dict[str, Any], now: float, go_on: Callable[[AdminClient, Mapping[str, Any]], bool]
    ) -> None:
        """Take over the clients of the program that this process ran before.

        Args:
            state: What `state` was.
            now: Monotonic seconds.
            go_on: Has one read its feed where it was; returns whether that is possible.
        """
        self._next = state["next"]
        for values in state["clients"]:
            with contextlib.suppress(OSError, ValueError):  # its client has to ask again
                client = AdminClient.inherit(values, now)
                if values.get("reader") is not None and not go_on(client, values["reader"]):
                    client.socket.close()
                    continue
                self._clients[client.number] = client
                self.settle(client)

    def close(self) -> None:
        """Close every connection, and leave the poller alone: a forked child shares it with the master."""
        for client in self._clients.values():
            client.socket.close()
        self._clients.clear()
        self._masks.clear()

    def _handle(self, client: AdminClient, mask: int) -> Iterable[Event]:
        # It may have been dropped in the same turn of the loop.
        return self._serve(client, mask) if client.number in self._clients else ()

    def __repr__(self) -> str:
        return f"AdminClients({list(self._clients.values())})"
