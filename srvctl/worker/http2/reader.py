"""The bytes of a client, from the preface on, to frames: sizes, padding, the order of fragments. Pure.

What a frame means where it comes is for the `FrameSink` to judge. Field blocks are handed over whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from srvctl.worker.http2.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE,
    GOAWAY,
    HEAD_SIZE,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITISED,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Code,
    ConnectionFault,
    StreamFault,
    unpack_head,
    unpack_long,
    unpack_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_IDENTIFIER: Final = 0x7FFFFFFF  #: without the bit that is reserved
_PRIORITY_SIZE: Final = 5
_SETTING_SIZE: Final = 6
_PING_SIZE: Final = 8
_LONG_SIZE: Final = 4
_MOST_FRAGMENTS: Final = 64  #: of a field block; a client needs one for each 16 KiB


class FrameSink(Protocol):
    """Takes what a `FrameReader` reads; may raise `ConnectionFault` and `StreamFault`."""

    def on_head(self, stream: int, block: bytes, ends: bool) -> None:
        """Take a field block; `ends` says that the client sends nothing behind it."""

    def on_data(self, stream: int, data: bytes, size: int, ends: bool) -> None:
        """Take a piece of a body that counts so many bytes, with its padding, in windows."""

    def on_reset(self, stream: int, code: int) -> None:
        """Learn that the client gives a stream up."""

    def on_settings(self, settings: list[tuple[int, int]]) -> None:
        """Take the client's settings."""

    def on_settings_ack(self) -> None:
        """Learn that it knows ours."""

    def on_ping(self, payload: bytes, *, is_answer: bool) -> None:
        """Take a ping, or the answer to one."""

    def on_goaway(self, last: int, code: int) -> None:
        """Learn that the client begins no more streams of ours; it may begin its own."""

    def on_window(self, stream: int, size: int) -> None:
        """Send more, on a stream or (0) on the connection."""

    def on_idle_frame(self) -> None:
        """Learn of a frame that moves nothing."""

    def on_fault(self, fault: StreamFault) -> None:
        """Learn that a frame broke a rule, and end its stream; reading goes on."""


class FrameReader:
    """Reads one connection.

    Args:
        sink: Takes the frames.
        most: Bytes that a field block may have as it comes; one that never ends goes beyond any number.
    """

    __slots__ = ("_block", "_block_ends", "_block_stream", "_handlers", "_kept", "_most", "_phase", "_sink")

    def __init__(self, sink: FrameSink, most: int) -> None:
        self._sink = sink
        self._most = most
        self._kept = PREFACE[:0]  #: received, and not a whole frame yet
        self._phase = 0  #: 0: the preface is to come, 1: the first SETTINGS, 2: anything
        self._block: list[bytes] | None = None  #: fragments of a field block that goes on
        self._block_stream = 0
        self._block_ends = False
        self._handlers: dict[int, Callable[[int, int, bytes], None]] = {
            PRIORITY: self._read_priority,
            RST_STREAM: self._read_reset,
            SETTINGS: self._read_settings,
            PUSH_PROMISE: self._read_push,
            PING: self._read_ping,
            GOAWAY: self._read_goaway,
            WINDOW_UPDATE: self._read_window,
            CONTINUATION: self._read_continuation,
        }

    @property
    def is_inside_head(self) -> bool:
        """Whether the preface, a field block, or a frame other than DATA has begun and is not complete."""
        if self._block is not None or self._phase != 2:  # noqa: PLR2004 - see there
            return True
        kept = self._kept
        return bool(kept) and not (len(kept) > 3 and kept[3] == DATA)  # noqa: PLR2004 - where the type is

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ConnectionFault: The client broke a rule; the reader must not be fed again.
        """
        if self._kept:
            data = self._kept + data
        position, size = 0, len(data)
        if self._phase == 0:
            position = self._read_preface(data)
            if not position:
                return
        while size - position >= HEAD_SIZE:
            high, low, kind, flags, stream = unpack_head(data, position)
            length = high << 8 | low
            if length > FRAME_SIZE:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame larger than was agreed on")
            end = position + HEAD_SIZE + length
            if end > size:
                break
            payload = data[position + HEAD_SIZE : end]
            position = end
            try:
                self._read_frame(kind, flags, stream & _IDENTIFIER, payload)
            except StreamFault as fault:
                self._sink.on_fault(fault)
        self._kept = data[position:] if position < size else b""

    def _read_preface(self, data: bytes) -> int:
        """Return where the first frame begins; 0 if the preface is not complete."""
        if not data.startswith(PREFACE):
            if not PREFACE.startswith(data):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "no connection preface")  # section 3.4
            self._kept = data
            return 0
        self._phase = 1
        return len(PREFACE)

    def _read_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._phase == 1:
            if kind != SETTINGS or flags & ACK:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._phase = 2
        if self._block is not None and kind != CONTINUATION:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame inside a field block")  # section 4.3
        if kind == HEADERS:
            self._read_headers(flags, stream, payload)
        elif kind == DATA:
            self._read_data(flags, stream, payload)
        elif kind in self._handlers:
            self._handlers[kind](flags, stream, payload)
        else:
            self._sink.on_idle_frame()  # section 4.1: unknown ones are passed over

    def _read_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream & 1:  # also 0: section 5.1.1
            raise ConnectionFault(Code.PROTOCOL_ERROR, "HEADERS on a stream that no client opens")
        if flags & (PADDED | PRIORITISED):
            if flags & PADDED:
                payload = _unpadded(payload)
            if flags & PRIORITISED:
                if len(payload) < _PRIORITY_SIZE:
                    code = Code.PROTOCOL_ERROR if flags & PADDED else Code.FRAME_SIZE_ERROR  # section 6.2
                    raise ConnectionFault(code, "HEADERS without its priority")
                payload = payload[_PRIORITY_SIZE:]
        if flags & END_HEADERS:
            self._sink.on_head(stream, payload, flags & END_STREAM != 0)
        else:
            self._block, self._block_stream = [payload], stream
            self._block_ends = flags & END_STREAM != 0

    def _read_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        block = self._block
        if block is None or stream != self._block_stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of no field block")
        block.append(payload)
        if len(block) > _MOST_FRAGMENTS or sum(map(len, block)) > self._most:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a field block that has no end")
        if not payload:
            self._sink.on_idle_frame()
        if flags & END_HEADERS:
            self._block = None
            self._sink.on_head(stream, b"".join(block), self._block_ends)

    def _read_data(self, flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "DATA on stream 0")
        size = len(payload)
        if flags & PADDED:
            payload = _unpadded(payload)
        if not payload and not flags & END_STREAM:
            self._sink.on_idle_frame()
        self._sink.on_data(stream, payload, size, flags & END_STREAM != 0)

    def _read_priority(self, _flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY on stream 0")
        self._sink.on_idle_frame()
        if len(payload) != _PRIORITY_SIZE:
            raise StreamFault(stream, Code.FRAME_SIZE_ERROR, "PRIORITY of a wrong size")  # section 6.3

    def _read_reset(self, _flags: int, stream: int, payload: bytes) -> None:
        if not stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "RST_STREAM on stream 0")
        if len(payload) != _LONG_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "RST_STREAM of a wrong size")
        self._sink.on_reset(stream, unpack_long(payload)[0])

    def _read_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & ACK:
            if payload:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "an answer to SETTINGS that says something")
            self._sink.on_settings_ack()
            return
        if len(payload) % _SETTING_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
        self._sink.on_settings([*unpack_settings(payload)])

    def _read_push(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "a client cannot push")  # section 8.4

    def _read_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != _PING_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "PING of a wrong size")
        self._sink.on_ping(payload, is_answer=flags & ACK != 0)

    def _read_goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 2 * _LONG_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "GOAWAY of a wrong size")
        self._sink.on_goaway(unpack_long(payload)[0] & _IDENTIFIER, unpack_long(payload, _LONG_SIZE)[0])

    def _read_window(self, _flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != _LONG_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size")
        size = unpack_long(payload)[0] & _IDENTIFIER
        if not size:
            if not stream:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")  # section 6.9
            raise StreamFault(stream, Code.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
        self._sink.on_window(stream, size)


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "padding that is longer than its frame")  # section 6.1
    return payload[1 : len(payload) - payload[0]]
