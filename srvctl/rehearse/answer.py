"""Reads one HTTP/1.1 response, in pieces, as far as a load needs it: its status, and where it ends.

Pure. Its strictness is that of RFC 9112 section 6.3, so an answer that is cut short is never taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LONGEST_HEAD: Final = 256 * 1024
_LONGEST_LINE: Final = 4096
_UNTIL_END: Final = -1
_CHUNKED: Final = -2
_BODILESS: Final = frozenset({204, 304})
_FIRST_FINAL: Final = 200
_SWITCHING: Final = 101
_STATUS_LINE_PARTS: Final = 2


class WrongAnswerError(Exception):
    """What came is no response."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is complete.

    Attributes:
        status: Its code.
        is_last: Nothing more can be asked on this connection.
    """

    status: int
    is_last: bool


class AnswerReader:
    """Reads one response; make another one for the next.

    Attributes:
        has_begun: A byte of it has come.
    """

    __slots__ = ("_buffer", "_is_last", "_left", "_phase", "_status", "has_begun")

    def __init__(self) -> None:
        self._buffer = b""
        self._status = 0
        self._is_last = False
        self._left = 0  # bytes of the body, or _UNTIL_END, or _CHUNKED
        self._phase = self._read_head
        self.has_begun = False

    def feed(self, data: bytes) -> Answer | None:
        """Return the response if these bytes complete it.

        Raises:
            WrongAnswerError: It is none.
        """
        self.has_begun = self.has_begun or bool(data)
        self._buffer += data
        while (done := self._phase()) is None:
            pass
        if not done:
            return None
        # What nobody asked for would be taken for the answer to the next request.
        return Answer(self._status, self._is_last or bool(self._buffer))

    def end(self) -> Answer | None:
        """Take in that the connection is closed: that is how some responses end."""
        if self._status and self._left == _UNTIL_END:
            return Answer(self._status, is_last=True)
        return None

    # Each phase returns True when the response is complete, False when it needs more, None to go on.

    def _read_head(self) -> bool | None:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            if len(head) > _LONGEST_HEAD:
                raise WrongAnswerError("its head has no end")
            return False
        self._buffer = rest
        version, status, fields = _parsed(head)
        if status < _FIRST_FINAL:
            if status == _SWITCHING:
                raise WrongAnswerError("it switches protocols")
            return None  # 100 or 103: the response is still to come
        self._status = status
        options = {word.strip().lower() for word in fields.get(b"connection", b"").split(b",")}
        self._is_last = b"close" in options or (version == b"HTTP/1.0" and b"keep-alive" not in options)
        self._left = _length(status, fields)
        self._phase = self._read_chunk if self._left == _CHUNKED else self._read_body
        return None

    def _read_body(self) -> bool | None:
        if self._left == _UNTIL_END:
            self._buffer = b""
            return False
        taken = min(self._left, len(self._buffer))
        self._buffer = self._buffer[taken:]
        self._left -= taken
        return self._left == 0

    def _read_chunk(self) -> bool | None:
        """Read the line with a chunk's size; the chunk itself is skipped with the line end behind it."""
        line = self._line()
        if line is None:
            return False
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            raise WrongAnswerError("a chunk has no size") from None
        self._left = size + 2
        self._phase = self._skip_chunk if size else self._read_trailer
        return None

    def _skip_chunk(self) -> bool | None:
        if not self._read_body():
            return False
        self._left = _CHUNKED
        self._phase = self._read_chunk
        return None

    def _read_trailer(self) -> bool | None:
        line = self._line()
        if line is None:
            return False
        return True if not line else None

    def _line(self) -> bytes | None:
        line, separator, rest = self._buffer.partition(b"\r\n")
        if not separator:
            if len(line) > _LONGEST_LINE:
                raise WrongAnswerError("a line has no end")
            return None
        self._buffer = rest
        return line


def _parsed(head: bytes) -> tuple[bytes, int, dict[bytes, bytes]]:
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ", _STATUS_LINE_PARTS)
    if len(words) < _STATUS_LINE_PARTS or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise WrongAnswerError(f"it begins with {first[:40]!r}")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    return words[0], int(words[1]), fields


def _length(status: int, fields: dict[bytes, bytes]) -> int:
    if status in _BODILESS:
        return 0
    if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
        return _CHUNKED
    length = fields.get(b"content-length")
    if length is None:
        return _UNTIL_END
    if not length.isdigit():
        raise WrongAnswerError(f"its length is {length[:40]!r}")
    return int(length)
