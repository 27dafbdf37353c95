"""HTTP/1.1 requests that two parsers read alike: `http.codec = "h11"`.

Our rules judge each request first, as they do in `NativeCodec`, because h11 is laxer. Then h11 reads the same
bytes, finds out by itself where the body ends, and has to come to the same result; a request that two careful
readers understand differently is an attack until proven otherwise. The only file that knows h11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11

from srvctl.worker.http.chunked import ChunkedBody
from srvctl.worker.http.protocol import bad_request
from srvctl.worker.http.raw_head import END, check_unfinished, parse_head, skip_empty_lines

if TYPE_CHECKING:
    from srvctl.settings.groups import LimitSettings
    from srvctl.worker.http.protocol import RequestHead, RequestSink


class H11Codec:
    """Reads requests and hands them to a `RequestSink`.

    Args:
        sink: Takes the requests.
        limits: How large a head may be.
    """

    __slots__ = ("_chunks", "_content", "_limits", "_sink", "_unfinished", "_witness", "is_inside_head")

    def __init__(self, sink: RequestSink, limits: LimitSettings) -> None:
        self._sink = sink
        self._limits = limits
        self.is_inside_head = False
        self._unfinished = b""  #: what was received of a head, or of a line inside a chunked body
        self._witness: _Witness | None = None  #: of the request whose body is being read
        self._chunks: ChunkedBody | None = None  #: judges that body, if it comes in chunks
        self._content = b""  #: what was found in the chunks of one read

    def feed(self, data: bytes, start: int = 0) -> int:
        """Read on, up to the end of one request at most; return where reading stopped.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
        kept, self._unfinished = self._unfinished, b""
        if kept:  # part of no message's end, so reading stops behind it
            return self._read(kept + data[start:], 0, len(kept)) - len(kept) + start
        return self._read(data, start)

    def _read(self, data: bytes, start: int, seen: int = 0) -> int:
        if self._witness is None:
            start = skip_empty_lines(data, start)
            found = data.find(END, max(start, seen - len(END) + 1))
            if found < 0:
                self._unfinished = data[start:]
                self.is_inside_head = check_unfinished(self._unfinished, self._limits, seen)
                return len(data)
            end = found + len(END)
            self._witness = self._read_head(data[start:end])
            start = end
        if self._witness is None or start == len(data):
            return start
        if self._chunks is not None:
            return self._read_chunks(self._witness, self._chunks, data, start)
        return self._read_content(self._witness, data, start)

    def _read_head(self, raw: bytes) -> _Witness | None:
        limits = self._limits
        head = parse_head(raw, limits)
        witness = _Witness(limits.request_head_size)
        witness.read(raw)
        witness.confirm(head)
        self.is_inside_head = False
        self._sink.head_received(head)
        if head.length == 0:
            return None
        if head.length is None:
            self._chunks = ChunkedBody(self._take, limits.request_head_size, limits.request_fields)
        return witness

    def _read_content(self, witness: _Witness, data: bytes, start: int) -> int:
        self._sink.body_received(witness.read(data[start:]))
        if witness.is_over:
            self._end()
        return len(data) - witness.left

    def _read_chunks(self, witness: _Witness, chunks: ChunkedBody, data: bytes, start: int) -> int:
        self._content = b""
        reached = chunks.feed(data, start)
        if reached > start:
            content = witness.read(data[start:reached])
            if (content, witness.is_over, witness.left) != (self._content, chunks.is_over, 0):
                raise bad_request("chunks that can be read in two ways")
        if chunks.is_over:
            self._chunks = None
            self._end()
        else:
            self._unfinished = data[reached:]
            reached = len(data)
        return reached

    def _take(self, content: bytes) -> None:
        self._content = content
        self._sink.body_received(content)

    def _end(self) -> None:
        self._witness = None
        self._sink.request_ended()


class _Witness:
    """What h11 understands of one request.

    Args:
        max_head_size: Most bytes it may have to keep.
    """

    __slots__ = ("_connection", "_request", "is_over")

    def __init__(self, max_head_size: int) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=max_head_size)
        self._request: h11.Request | None = None
        self.is_over = False

    def read(self, data: bytes) -> bytes:
        """Read on, and return the content found.

        Raises:
            ProtocolError: h11 does not accept it.
        """
        pieces: list[bytes] = []
        self._connection.receive_data(data)
        try:
            while not self.is_over and (event := self._connection.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Request):
                    self._request = event
                elif isinstance(event, h11.Data):
                    pieces.append(bytes(event.data))
                else:
                    self.is_over = isinstance(event, h11.EndOfMessage)
        except h11.RemoteProtocolError as error:
            raise bad_request(str(error)) from None
        return b"".join(pieces)

    @property
    def left(self) -> int:
        """How many bytes lie behind the end of the request."""
        return len(self._connection.trailing_data[0]) if self.is_over else 0

    def confirm(self, head: RequestHead) -> None:
        """Compare what was read with our reading of the head.

        Raises:
            ProtocolError: It is not the same.
        """
        request = self._request
        if (
            request is None
            or (request.method.decode(), request.target) != (head.method, head.target)
            or request.http_version.decode() != head.version
            # h11 changes transfer codings to lower case; what comes of them is compared chunk by chunk.
            or [(name, value.lower()) for name, value in request.headers]
            != [(name, value.lower()) for name, value in head.headers]
            or self.is_over != (head.length == 0)
        ):
            raise bad_request("a request that can be read in two ways")
