"""How HTTP/2 tells a client what HTTP/1 tells by status lines, chunks and the end of a connection.

A mixin for everything that answers: it overrides the methods under "framing" of `Response` and of
`RequestCycle`. Fields come here as the lines that `encode_fields` has checked, and leave as HPACK; most
sections are sent again and again, so their blocks are remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.worker.http.cycle import RequestCycle
from srvctl.worker.http.response import TRAILING, UNSIZED, Response
from srvctl.worker.http2.hpack import encode_field
from srvctl.worker.http2.request import CONNECTION_SPECIFIC
from srvctl.worker.websocket.session import WebSocketSession

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import ProtocolError
    from srvctl.worker.http.response import Steps
    from srvctl.worker.http2.stream import Stream

_CRLF: Final = b"\r\n"
_REMEMBERED: Final = 512  #: sections, before they are forgotten and learned anew
_REMEMBERED_SIZE: Final = 512  #: bytes; a longer section is hardly the same twice
_blocks: Final[dict[bytes, bytes]] = {}
_statuses: Final = {status: encode_field(b":status", b"%d" % status) for status in range(100, 1000)}
_CONTINUE: Final = _statuses[100]
_EARLY_HINTS: Final = _statuses[103]
_ACCEPTED: Final = _statuses[200]


def block_of(lines: bytes) -> bytes:
    """Return the HPACK of fields that were checked and joined as HTTP/1 has them, each with its line end."""
    block = _blocks.get(lines)
    if block is None:
        block = _encode(lines)
        if len(lines) <= _REMEMBERED_SIZE:
            if len(_blocks) >= _REMEMBERED:
                _blocks.clear()
            _blocks[lines] = block
    return block


def _encode(lines: bytes) -> bytes:
    block: list[bytes] = []
    for line in lines.split(_CRLF)[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name not in CONNECTION_SPECIFIC:  # section 8.2.2: to be left out on the way to HTTP/2
            block.append(encode_field(name, value.strip(b" \t")))  # section 8.2.1
    return b"".join(block)


def refusal_block(error: ProtocolError, general: bytes, body: bytes) -> bytes:
    """Return the head of the answer to what is not served.

    Args:
        error: Why.
        general: The fields that the server adds, as lines.
        body: What will be said.
    """
    fields = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
    return _statuses[error.status] + _encode(general + error.fields + fields)


class Framing(Response):
    """Answers on a stream."""

    __slots__ = ()

    _host: Stream

    def _is_plain(self) -> bool:
        return False  # what is plain to HTTP/1 leaves in one piece here as well, but not in that form

    @property
    def ends_with_connection(self) -> bool:
        """Whether only the end of the connection tells the client where the body ends: never."""
        return False

    def _send_hints(self, links: bytes) -> None:
        self._host.send_interim(_EARLY_HINTS + _encode(links))

    def _frame_unsized(self) -> tuple[bytes, Steps]:
        return b"", UNSIZED  # section 8.1: the flag END_STREAM ends every body

    def _begin(self, framing: bytes, body: bytes, more: bool) -> None:
        lines = framing + self._id_field()
        block = _statuses[self.status] + block_of(self.fields) + block_of(self._general())
        if lines:
            block += _encode(lines)
        has_ended = not more and not self._has_trailers
        self._host.send_head(block, body, ends=has_ended)
        if has_ended:
            self._complete()
        elif not more:
            self._accepts = TRAILING

    def _end_body(self, unsent: bytes = b"") -> None:
        if self._has_trailers:
            if unsent:
                self._host.write(unsent)
            self._accepts = TRAILING
        else:
            self._host.end(unsent)
            self._complete()

    def _send_trailers(self, fields: bytes, more: bool) -> None:
        if not self._is_bodiless():
            self._host.send_trailers(_encode(fields), is_last=not more)
        elif not more:
            self._host.end()  # trailers are part of a body

    def _send_continue(self) -> None:
        self._host.send_interim(_CONTINUE)


class StreamSession(Framing, WebSocketSession):
    """Runs the application for one WebSocket over HTTP/2 (RFC 8441)."""

    __slots__ = ()

    _host: Stream

    def _send_acceptance(self, answer: bytes) -> None:
        # Section 5: 200 is what 101 is in HTTP/1.1, and what it still is in the log.
        block = (
            _ACCEPTED + block_of(self.fields) + block_of(self._general()) + _encode(answer + self._id_field())
        )
        self._host.send_head(block, b"", ends=False)


class StreamCycle(Framing, RequestCycle):
    """Runs the application for one request of HTTP/2."""

    __slots__ = ()
