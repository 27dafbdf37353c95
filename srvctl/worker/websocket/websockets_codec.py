"""Frames read and written with the tools of the library websockets: the codec unless another is asked for.

Data frames are read here, because the way through the library's own reader costs more than all the rest of an
echo (ADR 9): those that hold a whole message in a few steps, all others piece by piece as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from websockets.exceptions import ProtocolError
from websockets.frames import Close

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without a compiler
    from websockets.utils import apply_mask

from srvctl.worker.websocket.assembly import Assembly, not_text
from srvctl.worker.websocket.deflate import Deflater, Inflater
from srvctl.worker.websocket.frame_head import (
    BINARY,
    CLOSE,
    COMPRESSED,
    CONTINUATION,
    FINAL,
    PING,
    PONG,
    TEXT,
    FrameHead,
    parse_frame_head,
)
from srvctl.worker.websocket.protocol import INVALID_DATA, Violation, protocol_error
from srvctl.worker.websocket.writing import close_payload, frame

if TYPE_CHECKING:
    from srvctl.worker.websocket.deflate import Agreement
    from srvctl.worker.websocket.protocol import Data, FrameSink, MessageLimits

#: The first bytes of frames that are whole messages, and of those that are compressed ones.
_WHOLE: Final = bytes((FINAL | TEXT, FINAL | BINARY))
_WHOLE_COMPRESSED: Final = bytes(first | COMPRESSED for first in _WHOLE)
_TEXT_HEADS: Final = [bytes((FINAL | TEXT, size)) for size in range(126)]  #: of short texts, by their size
_MASKED: Final = 0x80
_IN_TWO: Final = 126  #: of the second byte, without the mask bit: the length is in the next two bytes
_LONGEST_HEAD: Final = 14  #: bytes
_LARGEST_KEPT: Final = 1 << 16  #: bytes


class _Latest:
    """The last frame that was made: what is sent to many WebSockets is made once.

    Attributes:
        message: What it was made of.
        frame: It.
    """

    __slots__ = ("frame", "message")

    def __init__(self) -> None:
        self.message: Data | None = None
        self.frame = b""

    def keep(self, message: Data, made: bytes) -> None:
        """Remember a frame, unless it would take much memory for as long as no other is sent."""
        if len(made) <= _LARGEST_KEPT:
            self.message, self.frame = message, made


_latest: Final = _Latest()


class WebsocketsCodec:
    """Reads and writes the frames of one WebSocket.

    Args:
        sink: Takes what is read.
        limits: How large a message may be.
        agreement: How messages are compressed; None for not at all.
    """

    __slots__ = (
        "_agreement",
        "_control",
        "_deflater",
        "_head",
        "_inflater",
        "_is_between",
        "_largest",
        "_limits",
        "_message",
        "_read_size",
        "_sink",
        "_unfinished",
        "_whole",
    )

    def __init__(self, sink: FrameSink, limits: MessageLimits, agreement: Agreement | None = None) -> None:
        self._sink = sink
        self._limits = limits
        self._largest = limits.size
        self._agreement = agreement
        self._whole = _WHOLE if agreement is None else _WHOLE + _WHOLE_COMPRESSED
        # Each takes tens of KiB, so a WebSocket gets them with its first compressed message.
        self._inflater: Inflater | None = None
        self._deflater: Deflater | None = None
        self._is_between = True  #: the next byte begins a message, or a control frame
        self._unfinished = b""  #: a part of a frame's head
        self._head: FrameHead | None = None  #: of the frame that is being read
        self._read_size = 0  #: bytes of its payload that were read
        self._control = b""  #: those, if it is a control frame
        self._message: Assembly | None = None  #: to which the frame belongs, or the next one will

    # -- reading ---------------------------------------------------------------------------------------

    def feed(self, data: bytes, start: int = 0) -> int:
        """Read on, up to the end of one frame at most; return where reading stopped.

        Raises:
            Violation: The client broke a rule; the codec must not be fed again.
        """
        if self._is_between and len(data) > start + 3 and data[start] in self._whole:
            length, begin = data[start + 1] - _MASKED, start + 6
            if length == _IN_TWO:
                length, begin = data[start + 2] << 8 | data[start + 3], start + 8
                if length < _IN_TWO:  # not in its shortest form
                    length = -1
            elif length > _IN_TWO:  # in eight bytes
                length = -1
            end = begin + length
            if 0 <= length <= self._largest and end <= len(data):
                payload = apply_mask(data[begin:end], data[begin - 4 : begin])
                first = data[start]
                if first & COMPRESSED:
                    payload = self._inflate(payload, is_last=True)
                try:
                    message = payload.decode() if first & TEXT else payload
                except UnicodeDecodeError:
                    raise not_text() from None
                self._sink.message_received(message)
                return end
        return self._read_piece(data, start)

    def _read_piece(self, data: bytes, start: int) -> int:
        """Read as much as there is of a frame; return where reading stopped."""
        head = self._head
        if head is None:
            known = len(self._unfinished)
            begun = self._unfinished + data[start : start + _LONGEST_HEAD - known]
            head = parse_frame_head(begun)
            self._is_between = False
            if head is None:
                self._unfinished = begun
                return len(data)
            self._unfinished = b""
            start += head.size - known
            self._begin(head)
        piece = data[start : start + head.length - self._read_size]
        if piece:
            offset = self._read_size % 4
            payload = apply_mask(piece, head.mask[offset:] + head.mask[:offset])
        else:
            payload = b""
        self._read_size += len(piece)
        is_last = self._read_size == head.length
        if head.opcode >= CLOSE:
            self._control += payload
        elif self._message is not None:
            self._add(self._message, payload, is_last=is_last and head.is_final)
        if is_last:
            self._head = None
            self._end(head)
        return start + len(piece)

    def _begin(self, head: FrameHead) -> None:
        """Begin a frame.

        Raises:
            Violation: It is out of order, or too large.
        """
        self._head, self._read_size, self._control = head, 0, b""
        if head.opcode >= CLOSE:
            return
        if head.is_compressed and self._agreement is None:
            raise protocol_error("reserved bits are set")
        message = self._message
        if head.opcode == CONTINUATION:
            if message is None:
                raise protocol_error("a continuation of no message")
        elif message is not None:
            raise protocol_error("a message begins inside another")
        else:
            message = Assembly(self._limits, is_text=head.opcode == TEXT, is_compressed=head.is_compressed)
            self._message = message
        message.expect(head.length)

    def _add(self, message: Assembly, payload: bytes, *, is_last: bool) -> None:
        if message.is_compressed:
            payload = self._inflate(payload, is_last=is_last)
        if payload:
            message.add(payload)

    def _inflate(self, payload: bytes, *, is_last: bool) -> bytes:
        if self._inflater is None:
            assert self._agreement is not None  # noqa: S101 - the callers have looked
            self._inflater = Inflater(self._agreement, self._limits)
        return self._inflater.inflate(payload, is_last=is_last)

    def _end(self, head: FrameHead) -> None:
        """End a frame."""
        if head.opcode == PING:
            self._is_between = self._message is None
            self._sink.ping_received(self._control)
        elif head.opcode == PONG:
            self._is_between = self._message is None
        elif head.opcode == CLOSE:
            self._sink.close_received(*_parse_close(self._control))
        elif head.is_final and self._message is not None:
            message, self._message = self._message, None
            self._is_between = True
            self._sink.message_received(message.finish())

    # -- writing ---------------------------------------------------------------------------------------

    def text(self, data: str) -> bytes:
        """Return the bytes of a text message."""
        if self._agreement is not None:
            return self._compressed(TEXT, data.encode())
        if data == _latest.message:
            return _latest.frame
        payload = data.encode()
        size = len(payload)  # as `frame` does, but for the most usual of all frames
        made = _TEXT_HEADS[size] + payload if size < len(_TEXT_HEADS) else frame(TEXT, payload)
        _latest.keep(data, made)
        return made

    def binary(self, data: bytes) -> bytes:
        """Return the bytes of a binary message."""
        if self._agreement is not None:
            return self._compressed(BINARY, data)
        if data == _latest.message:
            return _latest.frame
        made = frame(BINARY, data)
        _latest.keep(data, made)
        return made

    def _compressed(self, opcode: int, payload: bytes) -> bytes:
        if self._deflater is None:
            assert self._agreement is not None  # noqa: S101 - the callers have looked
            self._deflater = Deflater(self._agreement)
        return frame(opcode, self._deflater.deflate(payload), COMPRESSED)

    def ping(self) -> bytes:
        """Return a ping."""
        return frame(PING, b"")

    def pong(self, payload: bytes) -> bytes:
        """Return the answer to a ping."""
        return frame(PONG, payload)

    def close(self, code: int, reason: str) -> bytes:
        """Return a close frame."""
        return frame(CLOSE, close_payload(code, reason))


def _parse_close(payload: bytes) -> tuple[int, str]:
    """Return the code and the reason of a close frame.

    Raises:
        Violation: It is malformed.
    """
    try:
        close = Close.parse(payload)
    except ProtocolError as error:
        raise protocol_error(str(error)) from None
    except UnicodeDecodeError:
        raise Violation(INVALID_DATA, "the reason of a close is not valid UTF-8") from None
    return int(close.code), close.reason
