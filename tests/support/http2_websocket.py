"""A WebSocket on a stream of HTTP/2 (RFC 8441), as a client has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.http2_frames import block, data, headers
from tests.support.websocket_frames import CLOSE, Frame, close

if TYPE_CHECKING:
    from tests.support.http2_answer import Answer
    from tests.support.http2_client import Http2
    from tests.support.http2_frames import Field


def asked(path: str, *fields: Field, scheme: str = "http") -> bytes:
    """Return the fields that ask for a WebSocket (RFC 8441 section 5.1)."""
    return block(
        *((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", scheme)),
        *((":path", path), (":authority", "h"), ("sec-websocket-version", "13"), *fields),
    )


class WebSocket:
    """A WebSocket on a stream of its own."""

    def __init__(self, client: Http2, path: str = "/echo", *fields: Field, scheme: str = "http") -> None:
        self.client = client
        self.stream = client.new_stream()
        self._read = 0
        client.send(headers(self.stream, asked(path, *fields, scheme=scheme), end=False))
        self.opened: Answer = client.wait_head(self.stream)

    def send(self, content: bytes) -> None:
        """Send frames of WebSockets, in as many of HTTP/2 as it takes."""
        self.client.send_body(self.stream, content, end=False)

    def _take(self, size: int) -> bytes:
        while len(self.opened.body) < self._read + size:
            assert not self.opened.is_over, self.opened
            self.client.step()
        self._read += size
        return self.opened.body[self._read - size : self._read]

    def frame(self) -> Frame:
        """Read one frame."""
        first, second = self._take(2)
        size = second
        if second > 125:
            size = int.from_bytes(self._take(8 if second == 127 else 2), "big")
        return Frame(first & 15, self._take(size), bool(first & 128), first >> 4 & 7)

    def check_closed(self, code: int | None) -> None:
        """It is closed, and with it the stream, but not the connection (section 5)."""
        got = self.frame()
        assert (got.opcode, got.code) == (CLOSE, code), got
        self.client.send(data(self.stream, close(code), end=True))
        answer = self.client.answer(self.stream)
        assert answer.has_ended, answer
