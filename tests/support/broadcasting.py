"""Clients of the application that broadcasts: each knows which worker it is connected to."""

from __future__ import annotations

import ast
import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Connection
    from tests.support.server import ServerProcess

BROADCASTING = "tests.support.apps.broadcasting:app"


class Events:
    """An event stream of one channel, in some worker."""

    def __init__(self, connection: Connection, channel: str, query: str = "") -> None:
        self._connection = connection
        connection.send_get(f"/events?channel={channel}{query}")
        connection._read_until(b"\r\n\r\n")
        self.pid = int(self._read())

    def read(self) -> str | bytes:
        """Wait for the next message."""
        message: str | bytes = ast.literal_eval(self._read())
        return message

    def read_many(self, count: int) -> list[str | bytes]:
        """Wait for so many messages."""
        return [self.read() for _ in range(count)]

    def _read(self) -> str:
        return self._connection._read_chunk().decode().removeprefix("data: ").removesuffix("\n\n")


class Publisher:
    """A connection on which messages are handed to one worker."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.pid = connection.get().pid

    def publish(self, channel: str, data: str | bytes) -> None:
        """Publish one message."""
        kind, body = ("", data.encode()) if isinstance(data, str) else ("&bytes=1", data)
        head = f"POST /publish?channel={channel}{kind} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}"
        self._connection.send(head.encode() + b"\r\n\r\n" + body)
        assert self._connection.read_response().status == 200

    def publish_numbers(self, channel: str, count: int, first: int = 0) -> None:
        """Publish so many, in one request."""
        assert self._connection.get(f"/publish?channel={channel}&count={count}&first={first}").status == 200

    def stats(self) -> dict[str, Any]:
        """Return the counts of the worker."""
        counts: dict[str, Any] = json.loads(self._connection.get("/stats").body)
        return counts

    def kept(self) -> list[str]:
        """Return what the worker's lifespan has heard."""
        kept: list[str] = json.loads(self._connection.get("/kept").body)
        return kept

    def wait_stats(self, **wanted: int) -> None:
        """Wait until some of the counts are these."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.stats()).items() >= wanted.items():
            if time.monotonic() > deadline:
                raise NeverHappened(f"{wanted}; it is {found}")


@contextmanager
def in_each(server: ServerProcess, channel: str, pids: list[int], query: str = "") -> Iterator[list[Events]]:
    """Subscribe once in each of these workers."""
    with ExitStack() as stack:
        found: dict[int, Events] = {}
        deadline = time.monotonic() + PATIENCE
        while set(found) != set(pids):
            assert time.monotonic() < deadline, f"no stream in {set(pids) - set(found)}"
            with ExitStack() as attempt:
                events = Events(attempt.enter_context(server.connect()), channel, query)
                if events.pid in pids and events.pid not in found:
                    found[events.pid] = events
                    stack.enter_context(attempt.pop_all())
        yield [found[pid] for pid in pids]


@contextmanager
def publishers(server: ServerProcess, pids: list[int]) -> Iterator[list[Publisher]]:
    """Connect to each of these workers."""
    with ExitStack() as stack:
        found: dict[int, Publisher] = {}
        deadline = time.monotonic() + PATIENCE
        while set(found) != set(pids):
            assert time.monotonic() < deadline, f"no connection to {set(pids) - set(found)}"
            with ExitStack() as attempt:
                publisher = Publisher(attempt.enter_context(server.connect()))
                if publisher.pid in pids and publisher.pid not in found:
                    found[publisher.pid] = publisher
                    stack.enter_context(attempt.pop_all())
        yield [found[pid] for pid in pids]
