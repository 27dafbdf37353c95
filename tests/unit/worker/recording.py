"""Stand-ins that note what the worker's HTTP layers say to each other."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from srvctl.settings.groups import LimitSettings
from srvctl.worker.http.h11_codec import H11Codec
from srvctl.worker.http.headers import DATE, SERVER
from srvctl.worker.http.native_codec import NativeCodec
from srvctl.worker.http.protocol import Codec, ProtocolError, RequestHead

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.file_body import FileBody

HEAD_SIZE = 1024
FIELDS = 10

CodecClass = type[NativeCodec] | type[H11Codec]
CODECS: dict[str, CodecClass] = {"native": NativeCodec, "h11": H11Codec}
default_codec: CodecClass = NativeCodec


@dataclass(frozen=True)
class Head:
    """A request head as a codec hands it over."""

    method: str
    target: bytes
    version: str = "1.1"
    headers: tuple[tuple[bytes, bytes], ...] = ((b"host", b"h"),)
    keep_alive: bool = True
    length: int | None = 0
    expects_continue: bool = False
    takes_trailers: bool = False

    @classmethod
    def of(cls, head: RequestHead) -> Self:
        """Copy what a codec may hand over again."""
        values = {field.name: getattr(head, field.name) for field in fields(cls)}
        return cls(**values | {"headers": tuple(head.headers)})


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

    def head_received(self, head: RequestHead) -> None:
        assert all(request.is_complete for request in self.requests), "a head inside a body"
        self.requests.append(Request(Head.of(head), is_complete=head.length == 0))

    @property
    def is_over(self) -> bool:
        """Whether the last request has come."""
        return bool(self.requests) and self.requests[-1].is_complete and not self.requests[-1].head.keep_alive

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


def read(
    *pieces: bytes,
    size: int = HEAD_SIZE,
    line_size: int | None = None,
    fields: int = FIELDS,
    codec_class: CodecClass | None = None,
) -> Outcome:
    """Feed a fresh codec."""
    sink = RecordingSink()
    codec = make_codec(sink, size=size, line_size=line_size, fields=fields, codec_class=codec_class)
    error = 0
    try:
        for piece in pieces:
            feed(codec, sink, piece)
    except ProtocolError as refused:
        error = refused.status
    return Outcome(sink.requests, error, codec.is_inside_head and not error)


def make_codec(
    sink: RecordingSink,
    *,
    size: int = HEAD_SIZE,
    line_size: int | None = None,
    fields: int = FIELDS,
    codec_class: CodecClass | None = None,
) -> Codec:
    """Return a fresh codec."""
    limits = LimitSettings(request_line_size=line_size or size, request_head_size=size, request_fields=fields)
    return (codec_class or default_codec)(sink, limits)


def feed(codec: Codec, sink: RecordingSink, data: bytes) -> None:
    """Feed it request by request, as a connection does; nothing is read behind the last request."""
    at = 0
    while at < len(data) and not sink.is_over:
        reached = codec.feed(data, at)
        assert at < reached <= len(data), "no progress"
        assert reached == len(data) or sink.requests[-1].is_complete, "it stopped inside a request"
        at = reached


class FakeServer:
    """What a cycle needs of its server."""

    def __init__(self) -> None:
        self.is_draining = False
        self.all_general_fields = b"date: now\r\nserver: fake\r\n"
        self.debugged: list[object] = []
        self.reports: list[tuple[BaseException | None, str]] = []

    def general_fields(self, says: int) -> bytes:
        date = b"" if says & DATE else b"date: now\r\n"
        return date + (b"" if says & SERVER else b"server: fake\r\n")

    def debug(self, info: object) -> None:
        self.debugged.append(info)

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

    async def send_file(self, body: FileBody) -> None:
        self.sent += body.read(body.left)

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
