"""The body of a chunked message (RFC 9112 section 7.1), strictly read."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

from srvctl.worker.http.protocol import ProtocolError, bad_request
from srvctl.worker.http.request_head import TCHAR, parse_fields

if TYPE_CHECKING:
    from collections.abc import Callable

_CRLF: Final = b"\r\n"
_CR: Final = 0x0D
_MOST_DIGITS: Final = 15  #: of a chunk's size; more do not fit 63 bits
_QUOTED: Final = rb'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
#: RFC 9112 section 7.1.1, without the blanks that only old senders put there.
_EXTENSIONS: Final = re.compile(b"(?:;%b+(?:=(?:%b+|%b))?)*" % (TCHAR, TCHAR, _QUOTED))
_HEX_DIGITS: Final = b"0123456789ABCDEFabcdef"
#: What can still become such a line, as far as it matters to see that early.
_SIZE_SO_FAR: Final = re.compile(rb"(?:[0-9A-Fa-f]+(?:;[\t -~]*)?\r?)?")
_LONGEST_LINE: Final = 4096
#: Nobody uses chunk extensions, and chunks of one byte with long ones are a way to keep a server busy.
_MOST_EXTENSIONS: Final = 16 * 1024
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


#: Reads one element of a body from data, at start, into pieces, and returns how far it got.
_Step: TypeAlias = "Callable[[ChunkedBody, bytes, int, list[bytes]], int]"


class ChunkedBody:
    """Takes the chunks of one body apart.

    Args:
        take: Is called with content, never empty.
        max_trailer_size: Largest trailer section, in bytes.
        max_fields: Most fields in it.
    """

    __slots__ = (
        "_extensions",
        "_max_fields",
        "_max_trailer_size",
        "_remaining",
        "_step",
        "_take",
        "_trailer",
        "is_over",
    )

    def __init__(self, take: Callable[[bytes], None], max_trailer_size: int, max_fields: int) -> None:
        self._take = take
        self._max_trailer_size = max_trailer_size
        self._max_fields = max_fields
        self._step: _Step = ChunkedBody._read_size  # not bound: that would be a reference cycle
        self._remaining = 0  #: bytes of the current chunk that are to come
        self._extensions = 0  #: bytes of extensions so far
        self._trailer = 0  #: bytes of the trailer section before the line being read
        self.is_over = False

    def feed(self, data: bytes, start: int) -> int:
        """Read on, up to the end of the body at most.

        Returns:
            Where in ``data`` reading stopped. An unfinished line is not taken: it must be there again, in
            full, at the next call.

        Raises:
            ProtocolError: The bytes are no chunks; or `take` has refused the content.
        """
        pieces: list[bytes] = []
        position = start
        try:
            while not self.is_over:
                reached = self._step(self, data, position, pieces)
                if reached == position:
                    break
                position = reached
        finally:  # what came before an error counts, as it does when they come in two reads
            if pieces:
                self._take(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        return position

    def _read_size(self, data: bytes, start: int, _pieces: list[bytes]) -> int:
        end = data.find(_CRLF, start, start + _LONGEST_LINE)
        if end < 0:
            if len(data) - start >= _LONGEST_LINE or not _SIZE_SO_FAR.fullmatch(data, start):
                raise bad_request("invalid chunk size")
            return start
        size = data[start:end]
        if size.translate(None, _HEX_DIGITS):
            size = self._without_extensions(size)
        if not 0 < len(size) <= _MOST_DIGITS:
            raise bad_request("invalid chunk size")
        self._remaining = int(size, 16)
        self._step = ChunkedBody._read_data if self._remaining else ChunkedBody._read_trailer
        return end + 2

    def _without_extensions(self, line: bytes) -> bytes:
        size, semicolon, extensions = line.partition(b";")
        if size.translate(None, _HEX_DIGITS) or not _EXTENSIONS.fullmatch(semicolon + extensions):
            raise bad_request("invalid chunk size")
        self._extensions += len(extensions)
        if self._extensions > _MOST_EXTENSIONS:
            raise bad_request("too many chunk extensions")
        return size

    def _read_data(self, data: bytes, start: int, pieces: list[bytes]) -> int:
        piece = data[start : start + self._remaining]
        if piece:
            pieces.append(piece)
            self._remaining -= len(piece)
        if not self._remaining:
            self._step = ChunkedBody._read_data_end
        return start + len(piece)

    def _read_data_end(self, data: bytes, start: int, _pieces: list[bytes]) -> int:
        end = data[start : start + 2]
        if end == _CRLF:
            self._step = ChunkedBody._read_size
            return start + 2
        if not _CRLF.startswith(end):
            raise bad_request("a chunk is longer than its size")
        return start

    def _read_trailer(self, data: bytes, start: int, _pieces: list[bytes]) -> int:
        """Read one line of the trailer section, which is dropped (RFC 9110 section 6.5.1)."""
        line_feed = data.find(b"\n", start)
        size = self._trailer + (line_feed + 1 or len(data)) - start
        if size > self._max_trailer_size:
            raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "trailer section too large")
        if line_feed < 0:
            return start
        end = line_feed - 1
        if end < start or data[end] != _CR:
            raise bad_request("a line ends in LF alone")
        self._trailer = size
        if end == start:
            self.is_over = True
            return end + 2
        self._max_fields -= 1
        if self._max_fields < 0:
            raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many trailer fields")
        [(name, _)], _ = parse_fields(data[start:end], 1)
        if name in _FRAMING:
            raise bad_request("a trailer field about the length")
        return end + 2
