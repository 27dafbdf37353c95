"""Three readers of one stream: our parser, h11 beside our rules, and llhttp.

A difference is either a bug or a way to smuggle requests past somebody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

from srvctl.worker.http.protocol import ProtocolError
from tests.unit.worker.recording import CODECS, Head, Outcome, RecordingSink, make_codec, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What llhttp knows of the methods used here; of any other it only says that it does not know it.
KNOWN_METHODS = frozenset(
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "PROPPATCH", "QUERY"]
)


def agreed(pieces: Sequence[bytes], *, size: int, line_size: int | None = None, fields: int) -> Outcome:
    """Return what every codec makes of a stream, and check that llhttp would have accepted it."""
    outcomes = {
        name: read(*pieces, size=size, line_size=line_size, fields=fields, codec_class=codec_class)
        for name, codec_class in CODECS.items()
    }
    native = outcomes["native"]
    for name, outcome in outcomes.items():
        assert outcome == native, (name, outcome, native)
    for raw, request in zip(complete_requests(b"".join(pieces)), native.requests, strict=False):
        check_with_llhttp(raw, request.head, request.body)
    return native


def complete_requests(stream: bytes) -> Iterator[bytes]:
    """Cut a stream into its requests, as far as it is acceptable."""
    sink = RecordingSink()
    codec = make_codec(sink, size=1 << 20, fields=1000)
    start = 0
    while start < len(stream) and not sink.is_over:
        try:
            end = codec.feed(stream, start)
        except ProtocolError:
            return
        if sink.requests and sink.requests[-1].is_complete and not codec.is_inside_head:
            yield stream[start:end]
        start = end


class Message:
    """What llhttp found, by the names it calls."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.target = self.body = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.in_head = True
        self.keep_alive = self.is_complete = False

    def on_url(self, data: bytes) -> None:
        self.target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # else a trailer
            self.fields.append((name.lower(), value.rstrip(b" \t")))  # it strips the left side alone

    def on_headers_complete(self) -> None:
        self.in_head = False
        self.keep_alive = self.parser.should_keep_alive()  # it forgets with the end

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        assert not self.is_complete, "two requests"
        self.is_complete = True


def check_with_llhttp(raw: bytes, head: Head, body: bytes) -> None:
    """Whatever we accept, llhttp accepts with the same meaning and the same end."""
    raw = raw.lstrip(b"\r\n")
    method, target = head.method, head.target
    if method not in KNOWN_METHODS:
        raw, method = raw.replace(method.encode(), b"POST", 1), "POST"
    if not target.startswith(b"/"):  # of the other forms the scope judges, and llhttp more strictly
        raw, target = raw.replace(b" " + target, b" /", 1), b"/"
    message = Message()
    parser = message.parser
    takes_over = False
    try:
        parser.feed_data(raw[:-1])
        assert not message.is_complete, "llhttp sees an earlier end"
        parser.feed_data(raw[-1:])
    except httptools.HttpParserUpgrade:
        takes_over = True  # and skips the body, which is not right (RFC 9110 section 7.8)
    assert message.is_complete, "llhttp sees a later end"
    assert parser.get_method().decode() == method
    assert parser.get_http_version() == head.version
    assert message.target == target
    assert tuple(message.fields) == head.headers
    if (
        head.keep_alive or head.version == "1.1"
    ):  # in 1.0 it lets keep-alive win over close (RFC 9112 section 9.3)
        assert message.keep_alive == head.keep_alive
    assert takes_over or message.body == body
