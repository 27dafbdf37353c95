"""Stand-ins that note what the worker's HTTP layers say to each other."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srvctl.worker.http.headers import DATE, SERVER
from srvctl.worker.http.httptools_codec import HttptoolsCodec
from srvctl.worker.http.protocol import ProtocolError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.protocol import Headers

HEAD_SIZE = 1024
FIELDS = 10


@dataclass(frozen=True)
class Head:
    """A request head as a codec hands it over."""

    method: str
    target: bytes
    version: str = "1.1"
    headers: tuple[tuple[bytes, bytes], ...] = ((b"host", b"h"),)
    keep_alive: bool = True
    has_body: bool = False
    expects_continue: bool = False


@dataclass
class Request:
    """A head with what came behind it."""

    head: Head
    body: bytes = b""
    is_complete: bool = False


@dataclass
class RecordingSink:
    """Takes the requests of a codec, and checks that they come in an order that makes sense."""

    requests: list[Request] = field(default_factory=list)

    def head_received(
        self,
        method: str,
        target: bytes,
        version: str,
        headers: Headers,
        keep_alive: bool,
        has_body: bool,
        expects_continue: bool,
    ) -> None:
        assert all(request.is_complete for request in self.requests), "a head inside a body"
        head = Head(method, target, version, tuple(headers), keep_alive, has_body, expects_continue)
        self.requests.append(Request(head, is_complete=not has_body))

    def body_received(self, data: bytes) -> None:
        assert data, "an empty piece of a body"
        assert not self.requests[-1].is_complete, "a body behind the end"
        self.requests[-1].body += data

    def request_ended(self) -> None:
        assert not self.requests[-1].is_complete, "two ends"
        self.requests[-1].is_complete = True


@dataclass(frozen=True)
class Outcome:
    """What a codec made of a stream.

    Attributes:
        requests: Every request, the last maybe incomplete.
        error: The status of its refusal; 0 without one.
        is_inside_head: Whether the stream ends inside a head.
    """

    requests: list[Request]
    error: int = 0
    is_inside_head: bool = False

    @property
    def heads(self) -> list[Head]:
        """The heads alone."""
        return [request.head for request in self.requests]


def read(*pieces: bytes, size: int = HEAD_SIZE, fields: int = FIELDS) -> Outcome:
    """Feed a fresh codec."""
    sink = RecordingSink()
    codec = HttptoolsCodec(sink, size, fields)
    error = 0
    try:
        for piece in pieces:
            codec.feed(piece)
    except ProtocolError as refused:
        error = refused.status
    return Outcome(sink.requests, error, codec.is_inside_head and not error)


class FakeServer:
    """What a cycle needs of its server."""

    def __init__(self) -> None:
        self.is_draining = False
        self.all_general_fields = b"date: now\r\nserver: fake\r\n"
        self.reports: list[tuple[BaseException | None, str]] = []

    def general_fields(self, says: int) -> bytes:
        date = b"" if says & DATE else b"date: now\r\n"
        return date + (b"" if says & SERVER else b"server: fake\r\n")

    def report(self, error: BaseException | None, text: str) -> None:
        self.reports.append((error, text))


class FakeHost:
    """What a cycle needs of its connection."""

    def __init__(self) -> None:
        self.can_write: asyncio.Future[None] | None = None
        self.write: Callable[[bytes], None] = self._write
        self.writelines: Callable[[Iterable[bytes]], None] = self._writelines
        self.sent = b""
        self.taken = 0
        self.ended: list[RequestCycle] = []
        self.broken: list[RequestCycle] = []

    def _write(self, data: bytes) -> None:
        self.sent += memoryview(data)

    def _writelines(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._write(piece)

    def body_taken(self) -> None:
        self.taken += 1

    def response_ended(self, cycle: RequestCycle) -> None:
        self.ended.append(cycle)

    def response_broken(self, cycle: RequestCycle) -> None:
        self.broken.append(cycle)


def step(coroutine: Any) -> Any:
    """Run a coroutine that does not have to wait, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    finally:
        with contextlib.suppress(RuntimeError):
            coroutine.close()
    raise AssertionError("it waits")


def is_waiting(coroutine: Any) -> bool:
    """Start a coroutine and return whether it waits; it must be gone on with elsewhere or closed."""
    try:
        coroutine.send(None)
    except StopIteration:
        return False
    return True
