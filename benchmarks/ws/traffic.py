"""Load on open WebSockets: a closed loop, where what is answered is what sends the next message.

One thread and epoll. At the end nothing more is sent, and what is under way is waited for: every message that
cost the server something is counted.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Final, Protocol

from benchmarks.load import Errors, Load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.ws.connection import Connection

_LAST_REPLIES_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.1


class Traffic(Protocol):
    """Who says what when.

    Attributes:
        awaited: Replies that are still to come.
    """

    awaited: int

    def start(self) -> Sequence[Connection]:
        """Send the first messages, and return the connections that did."""

    def replied(self, connection: Connection, count: int, *, goes_on: bool) -> Connection | None:
        """Take note of replies; if it goes on, send what they give rise to and return on which connection."""


class Echo:
    """Each connection sends a message for every reply."""

    def __init__(self, connections: Sequence[Connection], in_flight: int) -> None:
        self._connections = connections
        self._in_flight = in_flight
        self.awaited = 0

    def start(self) -> Sequence[Connection]:
        """Send the first messages of every connection."""
        for connection in self._connections:
            connection.send(self._in_flight)
        self.awaited = len(self._connections) * self._in_flight
        return self._connections

    def replied(self, connection: Connection, count: int, *, goes_on: bool) -> Connection | None:
        """Send as many on the same connection."""
        if not goes_on:
            self.awaited -= count
            return None
        connection.send(count)
        return connection


class Broadcast:
    """One connection sends, all have the message; when they have, it sends the next one."""

    def __init__(self, sender: Connection, listeners: int, in_flight: int) -> None:
        self._sender = sender
        self._receivers = listeners + 1  # the sender has it as well
        self._in_flight = in_flight
        self.awaited = 0

    def start(self) -> Sequence[Connection]:
        """Send the first messages."""
        self._sender.send(self._in_flight)
        self.awaited = self._in_flight * self._receivers
        return [self._sender]

    def replied(self, connection: Connection, count: int, *, goes_on: bool) -> Connection | None:
        """Send the next message when all have had one."""
        del connection
        self.awaited -= count
        if not goes_on or self.awaited > (self._in_flight - 1) * self._receivers:
            return None
        self._sender.send(1)
        self.awaited += self._receivers
        return self._sender


class Loop:
    """Carries the traffic of some connections for a while, and counts."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = {connection.fileno(): connection for connection in connections}
        self._poll = select.epoll(len(connections))
        for number in self._connections:
            self._poll.register(number, select.EPOLLIN)
        self._lost = 0
        self._messages = 0
        self._last = 0.0

    def run(self, traffic: Traffic, seconds: float) -> Load:
        """Let it run, and return what came of it."""
        received = self._received()
        start = self._last = time.perf_counter()
        for connection in traffic.start():
            self._watch(connection)
        self._carry(traffic, until=start + seconds)
        wrong = sum(connection.wrong for connection in self._connections.values())
        self._poll.close()
        return Load(
            requests=self._messages,
            seconds=self._last - start,
            received_bytes=self._received() - received,
            p50_ms=None,
            p99_ms=None,
            p999_ms=None,
            errors=Errors(read=self._lost, status=wrong, timeout=max(0, traffic.awaited)),
        )

    def _carry(self, traffic: Traffic, until: float) -> None:
        now = self._last
        while self._is_awaiting(traffic) and now < until + _LAST_REPLIES_SECONDS:
            for number, event in self._poll.poll(_POLL_SECONDS):
                connection = self._connections[number]
                if event & select.EPOLLOUT:
                    self._flush(connection)
                if event & ~select.EPOLLOUT:
                    count = self._receive(connection)
                    if count:
                        self._messages += count
                        sent = traffic.replied(connection, count, goes_on=now < until)
                        if sent is not None and sent.outgoing:
                            self._watch(sent)
                        self._last = now
            now = time.perf_counter()

    def _is_awaiting(self, traffic: Traffic) -> bool:
        return traffic.awaited > 0 and self._lost < len(self._connections)

    def _receive(self, connection: Connection) -> int:
        try:
            return connection.receive()
        except BlockingIOError:
            return 0
        except OSError:
            self._lost += 1
            self._poll.unregister(connection)
            return 0

    def _flush(self, connection: Connection) -> None:
        connection.flush()
        if not connection.outgoing:
            self._poll.modify(connection, select.EPOLLIN)

    def _watch(self, connection: Connection) -> None:
        """Have epoll tell when the socket takes what it has not taken yet."""
        if connection.outgoing:
            self._poll.modify(connection, select.EPOLLIN | select.EPOLLOUT)

    def _received(self) -> int:
        return sum(connection.received for connection in self._connections.values())
