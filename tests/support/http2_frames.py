"""HTTP/2 frames and header blocks as bytes, right and wrong ones (RFC 9113, RFC 7541).

No server shares this code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)
NAMES: Final = (
    *("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS"),
    *("PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"),
)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)
MAX_HEADER_LIST_SIZE, ENABLE_CONNECT_PROTOCOL = 6, 8

MOST: Final = 2**31 - 1  #: of windows and of stream identifiers
WINDOW: Final = 65535  #: what each window is at first
FRAME_SIZE: Final = 16384  #: what a payload may always have

Field = tuple[str, str]
Fields = tuple[Field, ...]


class Code(IntEnum):
    """Why a stream or a connection ends (RFC 9113 section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was read."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def has(self, flag: int) -> bool:
        """Whether a flag is set."""
        return bool(self.flags & flag)

    @property
    def content(self) -> bytes:
        """The payload of a DATA or HEADERS frame, without padding and priority."""
        content = self.payload
        if self.has(PADDED):
            content = content[1 : len(content) - content[0]]
        return content[5:] if self.kind == HEADERS and self.has(HAS_PRIORITY) else content

    @property
    def settings(self) -> dict[int, int]:
        """What a SETTINGS frame says."""
        pairs = [self.payload[at : at + 6] for at in range(0, len(self.payload), 6)]
        return {int.from_bytes(pair[:2], "big"): int.from_bytes(pair[2:], "big") for pair in pairs}

    @property
    def number(self) -> int:
        """The first 31 bits: of a WINDOW_UPDATE the increment, of a GOAWAY the last stream."""
        return int.from_bytes(self.payload[:4], "big") & MOST

    @property
    def code(self) -> Code:
        """Why: of RST_STREAM and GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return Code(int.from_bytes(self.payload[at : at + 4], "big"))

    def __str__(self) -> str:
        name = NAMES[self.kind] if self.kind < len(NAMES) else str(self.kind)
        why = f" {self.code.name}" if self.kind in {RST_STREAM, GOAWAY} else ""
        more = f" {self.payload[8:]!r}" if self.kind == GOAWAY else ""
        return f"<{name} stream={self.stream} flags={self.flags:#x} length={len(self.payload)}{why}{more}>"


def frame(
    kind: int,
    flags: int = 0,
    stream: int = 0,
    payload: bytes = b"",
    *,
    length: int | None = None,
    reserved: bool = False,
) -> bytes:
    """Return a frame.

    Args:
        kind: Its type.
        flags: Its flags.
        stream: Whose it is.
        payload: What it carries.
        length: How long the payload is said to be, if that is not true.
        reserved: Whether the bit before the stream identifier is set.
    """
    size = len(payload) if length is None else length
    first = size.to_bytes(3, "big") + bytes([kind, flags])
    return first + (reserved << 31 | stream).to_bytes(4, "big") + payload


def data(stream: int, content: bytes = b"", *, end: bool = False, padding: int | None = None) -> bytes:
    """Return a DATA frame; it is padded with so many bytes."""
    if padding is None:
        return frame(DATA, END_STREAM * end, stream, content)
    return frame(DATA, END_STREAM * end | PADDED, stream, bytes([padding]) + content + bytes(padding))


def headers(stream: int, block: bytes, *, end: bool = True, is_whole: bool = True, flags: int = 0) -> bytes:
    """Return a HEADERS frame.

    Args:
        stream: Whose it is.
        block: The fields, encoded.
        end: Whether nothing more comes on the stream.
        is_whole: Whether these are all fields; else CONTINUATION frames follow.
        flags: Further flags.
    """
    return frame(HEADERS, END_STREAM * end | END_HEADERS * is_whole | flags, stream, block)


def continuation(stream: int, block: bytes, *, is_last: bool = True) -> bytes:
    """Return a CONTINUATION frame."""
    return frame(CONTINUATION, END_HEADERS * is_last, stream, block)


def settings(values: dict[int, int] | None = None, *, ack: bool = False) -> bytes:
    """Return a SETTINGS frame."""
    pairs = [key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in (values or {}).items()]
    return frame(SETTINGS, ACK * ack, 0, b"".join(pairs))


def window_update(stream: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def rst_stream(stream: int, code: int = Code.CANCEL) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def ping(payload: bytes = b"conform!", *, ack: bool = False) -> bytes:
    """Return a PING frame."""
    return frame(PING, ACK * ack, 0, payload)


def goaway(last: int = 0, code: int = Code.NO_ERROR, more: bytes = b"") -> bytes:
    """Return a GOAWAY frame."""
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + more)


def priority(stream: int, on: int = 0, weight: int = 15) -> bytes:
    """Return a PRIORITY frame."""
    return frame(PRIORITY, 0, stream, on.to_bytes(4, "big") + bytes([weight]))


def dependency(on: int, weight: int = 15) -> bytes:
    """Return the priority fields of a HEADERS frame."""
    return on.to_bytes(4, "big") + bytes([weight])


# -- header blocks (RFC 7541) -------------------------------------------------------------------------


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """Return an integer with a prefix of so many bits, behind the bits ``first`` (section 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    value -= most
    encoded = bytearray([first | most])
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def string(value: str | bytes) -> bytes:
    """Return a string that is not Huffman coded (section 5.2)."""
    raw = value.encode("latin-1") if isinstance(value, str) else value
    return integer(len(raw), 7) + raw


def indexed(index: int) -> bytes:
    """Return a field that is in a table (section 6.1)."""
    return integer(index, 7, 0x80)


def literal(name: str | bytes, value: str | bytes) -> bytes:
    """Return a field that changes no table (section 6.2.2)."""
    return b"\x00" + string(name) + string(value)


def remembered(name: str | bytes, value: str | bytes) -> bytes:
    """Return a field that goes into the table (section 6.2.1)."""
    return b"\x40" + string(name) + string(value)


def table_size(size: int) -> bytes:
    """Return the update of the table's size (section 6.3)."""
    return integer(size, 5, 0x20)


def block(*fields: Field) -> bytes:
    """Return fields that change no table."""
    return b"".join(literal(name, value) for name, value in fields)


def asked(path: str = "/ok", *fields: Field, method: str = "GET", scheme: str = "http") -> Fields:
    """Return the fields of a request."""
    return (
        *((":method", method), (":scheme", scheme), (":path", path), (":authority", "h")),
        *fields,
    )


def get(stream: int, path: str = "/ok", *fields: Field, method: str = "GET", end: bool = True) -> bytes:
    """Return a request in one frame."""
    return headers(stream, block(*asked(path, *fields, method=method)), end=end)


def post(stream: int, path: str = "/echo", *fields: Field) -> bytes:
    """Return the head of a request whose body follows."""
    return get(stream, path, *fields, method="POST", end=False)
