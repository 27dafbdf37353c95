"""HTTP/1.1 requests read by our own parser: the codec that serves unless another is asked for (ADR 7).

One instance per connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.worker.http.chunked import ChunkedBody
from srvctl.worker.http.raw_head import END, check_sizes, check_unfinished, skip_empty_lines
from srvctl.worker.http.request_head import make_head, parse_fields, parse_line

if TYPE_CHECKING:
    from srvctl.settings.groups import LimitSettings
    from srvctl.worker.http.protocol import RequestHead, RequestSink
    from srvctl.worker.http.request_head import Fields, RequestLine

_CR: Final = ord("\r")
_END_SIZE: Final = len(END)
_LONGEST_REMEMBERED: Final = 2048  #: bytes; so much memory an idle connection may cost


class NativeCodec:
    """Reads requests and hands them to a `RequestSink`.

    Args:
        sink: Takes the requests.
        limits: How large a head may be.
    """

    __slots__ = (
        "_chunks",
        "_fields",
        "_head",
        "_head_bytes",
        "_limits",
        "_line",
        "_parsed_line",
        "_remaining",
        "_repeated",
        "_section",
        "_sink",
        "_small",
        "_unfinished",
        "is_inside_head",
    )

    def __init__(self, sink: RequestSink, limits: LimitSettings) -> None:
        self._sink = sink
        self._limits = limits
        self._small = min(limits.request_line_size, limits.request_head_size)  #: no limit is less
        self.is_inside_head = False
        self._unfinished = b""  #: what was received of a head, or of a line inside a chunked body
        self._remaining = 0  #: bytes of the body that are to come
        self._chunks: ChunkedBody | None = None  #: reads the body, if it comes in chunks
        # Clients that keep a connection repeat themselves: the last head is known by its bytes.
        self._head: RequestHead
        self._head_bytes: bytes | tuple[()] = ()  #: the empty tuple: no bytes start with it
        self._repeated: bytes | tuple[()] | None = None  #: the same, while another such request may begin
        self._line = b""  #: its request line
        self._parsed_line: RequestLine
        self._section = b""  #: its header section, with the empty line
        self._fields: Fields

    def feed(self, data: bytes, start: int = 0) -> int:
        """Read on, up to the end of one request at most; return where reading stopped.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
        if data == self._repeated and start == 0:  # the same request again, and nothing else
            self._sink.head_received(self._head)
            return len(data)
        if self._unfinished:
            # What was kept is part of no message's end, so reading stops behind it.
            kept, self._unfinished = self._unfinished, b""
            return self._read(kept + data[start:], 0, len(kept)) - len(kept) + start
        return self._read(data, start)

    def _read(self, data: bytes, start: int, seen: int = 0) -> int:
        if self._remaining:
            return self._read_body(data, start)
        if self._chunks is not None:
            return self._read_chunks(self._chunks, data, start)
        if data.startswith(self._head_bytes, start):
            head, end = self._head, start + len(self._head_bytes)
        else:
            if start < len(data) and data[start] == _CR:
                start = skip_empty_lines(data, start)
            found = data.find(END, start if seen == 0 else max(start, seen - _END_SIZE + 1))
            if found < 0:
                self._unfinished = data[start:]
                self._repeated = None
                self.is_inside_head = check_unfinished(self._unfinished, self._limits, seen)
                return len(data)
            end = found + _END_SIZE
            head = self._parse(data[start:end])
        self.is_inside_head = False
        self._sink.head_received(head)
        self._repeated = self._head_bytes if head.length == 0 else None
        if head.length == 0:
            return end
        if head.length is None:
            limits = self._limits
            self._chunks = ChunkedBody(
                self._sink.body_received, limits.request_head_size, limits.request_fields
            )
        else:
            self._remaining = head.length
        return self._read(data, end) if end < len(data) else end

    def _parse(self, raw: bytes) -> RequestHead:
        line, _, section = raw.partition(b"\r\n")
        if len(raw) > self._small:
            check_sizes(len(line), len(raw), self._limits)
        # Often one of both is that of the last request: clients ask for the same, or send the same fields.
        parsed_line = self._parsed_line if line == self._line else parse_line(line)
        if section == self._section:
            fields = self._fields
        else:
            fields = parse_fields(section[:-_END_SIZE], self._limits.request_fields)
        head = make_head(parsed_line, fields)
        if len(raw) <= _LONGEST_REMEMBERED:
            self._head, self._head_bytes = head, raw
            self._line, self._parsed_line = line, parsed_line
            self._section, self._fields = section, fields
        return head

    def _read_body(self, data: bytes, start: int) -> int:
        piece = data if start == 0 and len(data) <= self._remaining else data[start : start + self._remaining]
        self._remaining -= len(piece)
        self._sink.body_received(piece)
        if not self._remaining:
            self._sink.request_ended()
        return start + len(piece)

    def _read_chunks(self, chunks: ChunkedBody, data: bytes, start: int) -> int:
        position = chunks.feed(data, start)
        if chunks.is_over:
            self._chunks = None
            self._sink.request_ended()
            return position
        self._unfinished = data[position:]
        return len(data)
