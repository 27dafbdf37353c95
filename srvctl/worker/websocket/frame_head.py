"""The head of a frame (RFC 6455 section 5.2), from bytes to `FrameHead`. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from srvctl.worker.websocket.protocol import protocol_error

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FINAL: Final = 0x80  #: in the first byte: the last frame of a message
COMPRESSED: Final = 0x40  #: in the first byte, named RSV1: a compressed message (RFC 7692 section 6)
_RESERVED: Final = 0x30  #: in the first byte: RSV2 and RSV3, of extensions that nobody offers here
_MASKED: Final = 0x80  #: in the second byte
_OPCODE: Final = 0x0F
_LENGTH: Final = 0x7F

_SHORT: Final = 125  #: bytes; the longest payload whose length the second byte says itself
_IN_TWO: Final = 126  #: the length is in the next two bytes
_MOST_IN_TWO: Final = 0xFFFF
_MOST: Final = 2**63 - 1
_MASK_SIZE: Final = 4


class FrameHead(NamedTuple):
    """The head of a frame.

    Attributes:
        opcode: What the frame is.
        is_final: It is the last of its message.
        is_compressed: It is the first of a compressed message.
        length: Bytes of payload.
        mask: What those are masked with.
        size: Bytes of the head.
    """

    opcode: int
    is_final: bool
    is_compressed: bool
    length: int
    mask: bytes
    size: int


def parse_frame_head(data: bytes) -> FrameHead | None:
    """Return the head that the data begins with; None when it is not all there.

    Raises:
        Violation: It cannot be the head of a client's frame.
    """
    if len(data) < 2:  # noqa: PLR2004 - the two bytes that every head has
        return None
    first, second = data[0], data[1]
    _check(first, second)
    opcode, length = first & _OPCODE, second & _LENGTH
    mask_at = 2
    if length > _SHORT:
        mask_at, least = (4, _SHORT + 1) if length == _IN_TWO else (10, _MOST_IN_TWO + 1)
        if len(data) < mask_at:
            return None
        length = int.from_bytes(data[2:mask_at])
        if not least <= length <= _MOST:
            raise protocol_error("a length is not in its shortest form")
    size = mask_at + _MASK_SIZE
    if len(data) < size:
        return None
    return FrameHead(opcode, bool(first & FINAL), bool(first & COMPRESSED), length, data[mask_at:size], size)


def _check(first: int, second: int) -> None:
    """Compare the two bytes that every head begins with with what clients may send.

    Raises:
        Violation: They must not send this.
    """
    opcode = first & _OPCODE
    if first & _RESERVED:
        raise protocol_error("reserved bits are set")
    if not second & _MASKED:
        raise protocol_error("a frame is not masked")
    if opcode in {CLOSE, PING, PONG}:
        if not first & FINAL:
            raise protocol_error("a control frame is fragmented")
        if second & _LENGTH > _SHORT:
            raise protocol_error("a control frame is too long")
    elif opcode not in {CONTINUATION, TEXT, BINARY}:
        raise protocol_error("unknown opcode")
    if first & COMPRESSED and opcode not in {TEXT, BINARY}:
        raise protocol_error("the compression bit is not on the first frame of a message")
