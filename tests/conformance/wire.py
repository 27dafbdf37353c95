"""A client that reads strictly, and keeps what belongs to no response."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

OPEN = "open"
CLOSED = "closed"
PROBE = b"GET /ok HTTP/1.1\r\nHost: h\r\n\r\n"


@dataclass
class Answer:
    """One response, read as RFC 9112 section 6.3 says."""

    version: str
    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[bytes] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for other, value in self.fields if other.lower() == name]

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Wire:
    """A connection that reads strictly and keeps what belongs to no response."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def more(self) -> bool:
        """Read on; return whether there was anything."""
        data = self.socket.recv(65536)
        self.received += data
        return bool(data)

    def take(self, size: int) -> bytes:
        while len(self.received) < size:
            assert self.more(), f"the connection ended after {self.received!r}"
        data, self.received = self.received[:size], self.received[size:]
        return data

    def take_until(self, end: bytes) -> bytes:
        while end not in self.received:
            assert self.more(), f"the connection ended after {self.received!r}"
        return self.take(self.received.index(end) + len(end))[: -len(end)]

    def answer(self, method: str = "GET") -> Answer:
        """Read one response."""
        first, *lines = self.take_until(b"\r\n\r\n").split(b"\r\n")
        version, status, _ = first.decode().split(" ", 2)
        fields = []
        for line in lines:
            name, colon, value = line.partition(b": ")
            assert colon, line
            assert b"\n" not in line
            assert b"\r" not in line
            fields.append((name.decode(), value.decode()))
        answer = Answer(version, int(status), fields)
        lengths, codings = answer.all("content-length"), answer.all("transfer-encoding")
        assert len(lengths) + len(codings) <= 1, "two ways to tell the length"
        if method == "HEAD" or answer.status < 200 or answer.status in {204, 304}:
            return answer
        if codings:
            assert codings == ["chunked"]
            while (size := int(self.take_until(b"\r\n"), 16)) > 0:
                answer.chunks.append(self.take(size))
                assert self.take(2) == b"\r\n"
            while line := self.take_until(b"\r\n"):
                answer.trailers.append(line)
            answer.body = b"".join(answer.chunks)
        elif lengths:
            answer.body = self.take(int(lengths[0]))
        else:
            assert answer.all("connection") == ["close"]
            answer.body = self.rest()
        return answer

    def rest(self) -> bytes:
        """Read until the end."""
        while self.more():
            pass
        rest, self.received = self.received, b""
        return rest

    def check_end(self, end: str) -> None:
        """The connection is kept, with nothing more on it; or it is at its end."""
        if end == OPEN:
            assert self.received == b"", "more than was asked for"
            self.send(PROBE)
            answer = self.answer()
            assert (answer.status, answer.body) == (200, b"ok")
        else:
            with contextlib.suppress(ConnectionResetError):
                assert self.rest() == b""


def notes(server: ServerProcess, count: int, about: str = "") -> list[str]:
    """Return what the application noted since the last time, of one matter or of all, once it is so much."""
    found: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while True:
        with Wire(server) as wire:
            wire.send(b"GET /notes HTTP/1.1\r\nHost: h\r\n\r\n")
            found += [note for note in wire.answer().json if about in note]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def send_quietly(wire: Wire, data: bytes) -> None:
    """Send; a server that refuses may not want to see it all."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        wire.send(data)
