"""Clients that say which worker answered them, and when. They never retry."""

from __future__ import annotations

import random
import selectors
import socket
import statistics
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from benchmarks.balance.model import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 20.0
_GET = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"


class Client:
    """One connection; it counts from its construction."""

    def __init__(self, port: int) -> None:
        self.since = time.perf_counter()
        self.sock = socket.create_connection(("127.0.0.1", port), _PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def ask(self, path: bytes = b"/", *, is_last: bool = False) -> None:
        """Send a request."""
        self.sock.sendall(_GET % (path, b"Connection: close\r\n" if is_last else b""))

    def answer(self) -> int:
        """Return the process that answered."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError("closed before the answer")
            head += data
        return int(head.lower().partition(b"x-pid: ")[2].partition(b"\r\n")[0])


def workers(port: int, number: int) -> list[int]:
    """Return the processes that answer, once there are so many."""
    end = time.monotonic() + _PATIENCE
    found: set[int] = set()
    while len(found) < number and time.monotonic() < end:
        with Client(port) as client:
            client.ask(is_last=True)
            found.add(client.answer())
    return sorted(found)


def burst(port: int, number: int) -> list[int]:
    """Open connections all at once; return how many each worker has."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(number)]
        for client in clients:
            client.ask()
        return list(Counter(client.answer() for client in clients).values())


def one_by_one(port: int, number: int, pause: float = 0.0) -> list[int]:
    """Open each connection when the one before was answered; return how many each worker has."""
    owners: Counter[int] = Counter()
    with ExitStack() as stack:
        for _ in range(number):
            client = stack.enter_context(Client(port))
            client.ask()
            owners[client.answer()] += 1
            if pause:
                time.sleep(pause)
    return list(owners.values())


def variation(counts: list[int], workers: int) -> float:
    """Return the coefficient of variation over so many workers."""
    everybody = [*counts, *[0] * (workers - len(counts))]
    return statistics.pstdev(everybody) / statistics.fmean(everybody)


@dataclass(slots=True)
class Delays:
    """How long each request took, in seconds, with its connection where that was new; and how many failed."""

    seconds: list[float] = field(default_factory=list)
    lost: int = 0

    def percentile(self, share: float) -> float:
        """Return the time within which so many were answered."""
        found = sorted(self.seconds)
        return found[min(int(len(found) * share), len(found) - 1)] if found else float("nan")


def fresh(port: int, seconds: float, pause: float = 0.0) -> Delays:
    """Make one request after the other, each on a new connection."""
    delays = Delays()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        since = time.perf_counter()
        try:
            with Client(port) as client:
                client.ask(is_last=True)
                client.answer()
        except OSError:
            delays.lost += 1
        delays.seconds.append(time.perf_counter() - since)
        if pause:
            time.sleep(pause)
    return delays


def many_fresh(port: int, seconds: float, at_once: int) -> Delays:
    """Make requests on new connections, so many at a time."""
    delays = Delays()
    with selectors.DefaultSelector() as selector:

        def begin() -> None:
            client = Client(port)
            client.ask(is_last=True)
            selector.register(client.sock, selectors.EVENT_READ, client)

        for _ in range(at_once):
            begin()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in selector.select(1):
                client: Client = key.data
                selector.unregister(client.sock)
                try:
                    client.answer()
                except OSError:
                    delays.lost += 1
                client.sock.close()
                delays.seconds.append(time.perf_counter() - client.since)
                begin()
        for key in list(selector.get_map().values()):
            key.data.sock.close()
    return delays


def mixed(
    port: int, is_over: Callable[[], bool], number: int, every: float, slow: bytes = b"/", seed: int = 0
) -> Delays:
    """Keep so many connections, each of which asks about so often, and every tenth time for what is slow."""
    chance, delays = random.Random(seed), Delays()
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        idle = [stack.enter_context(Client(port)) for _ in range(number)]
        due = {client: time.perf_counter() + chance.uniform(0, every) for client in idle}
        while not is_over():
            now = time.perf_counter()
            for client in [client for client, moment in due.items() if moment <= now]:
                client.since = due.pop(client)  # when it was due, however late we are
                client.ask(slow if chance.random() < SLOW else b"/")
                selector.register(client.sock, selectors.EVENT_READ, client)
            for key, _ in selector.select(max(min(due.values(), default=now + 0.1) - now, 0)):
                client = key.data
                selector.unregister(client.sock)
                client.answer()
                now = time.perf_counter()
                delays.seconds.append(now - client.since)
                due[client] = now + chance.uniform(0.5, 1.5) * every
    return delays
