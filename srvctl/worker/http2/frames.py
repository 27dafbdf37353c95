"""The words of HTTP/2 (RFC 9113 sections 4, 6 and 7), the frames a server sends, and what a client may break.

Pure, and knows nothing of connections.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  #: what a client begins with (section 3.4)
HEAD_SIZE: Final = 9  #: bytes of the head of a frame
FRAME_SIZE: Final = 16384  #: bytes of the largest payload that is taken here, and the least any peer takes
LARGEST_FRAME: Final = 2**24 - 1
WINDOW: Final = 65535  #: bytes of a flow-control window, unless somebody says otherwise
LARGEST_WINDOW: Final = 2**31 - 1
LAST_STREAM: Final = 2**31 - 1  #: the highest identifier there can be

# Types of frames; as plain numbers, because each frame is compared with them.
DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

# Flags. ACK and END_STREAM are the same bit, of different frames.
END_STREAM: Final = 1
ACK: Final = 1
END_HEADERS: Final = 4
PADDED: Final = 8
PRIORITISED: Final = 32

# Settings (section 6.5.2, and RFC 8441 section 3).
HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6
ENABLE_CONNECT_PROTOCOL: Final = 8

_HEAD: Final = Struct(">HBBBI")
_LONG: Final = Struct(">I")
_SETTING: Final = Struct(">HI")

pack_head = _HEAD.pack
unpack_head = _HEAD.unpack_from
unpack_long = _LONG.unpack_from
unpack_settings = _SETTING.iter_unpack


class Code(IntEnum):
    """Why a stream or a connection ends (section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionFault(Exception):  # noqa: N818 - RFC 9113 section 5.4.1 calls this a connection error
    """The client broke a rule in a way that ends the connection.

    Attributes:
        code: Why, as the client is told.
    """

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class StreamFault(Exception):  # noqa: N818 - section 5.4.2 calls this a stream error
    """The client broke a rule in a way that ends one stream.

    Attributes:
        stream: Its identifier.
        code: Why, as the client is told.
    """

    def __init__(self, stream: int, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.stream = stream
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame; the payload must not be larger than the peer takes."""
    size = len(payload)
    return pack_head(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings_frame(settings: Iterable[tuple[int, int]]) -> bytes:
    """Return what tells a client these settings."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(name, value) for name, value in settings))


def window_update(stream: int, size: int) -> bytes:
    """Return what lets a client send so many bytes more, on a stream or (0) on the connection."""
    return frame(WINDOW_UPDATE, 0, stream, _LONG.pack(size))


def reset(stream: int, code: int) -> bytes:
    """Return what ends a stream."""
    return frame(RST_STREAM, 0, stream, _LONG.pack(code))


def goaway(last: int, code: int, reason: str = "") -> bytes:
    """Return what ends a connection.

    Args:
        last: The highest stream that was, or may still be, served; what is above may be sent anew elsewhere.
        code: Why.
        reason: The same in words, for whoever looks at the client's log.
    """
    return frame(GOAWAY, 0, 0, _LONG.pack(last) + _LONG.pack(code) + reason.encode("ascii", "replace"))


def headers_frames(stream: int, block: bytes, flags: int, most: int) -> bytes:
    """Return a field block, in as many frames as it takes.

    Args:
        stream: Whose.
        block: HPACK.
        flags: `END_STREAM`, or none.
        most: Bytes of payload that the peer takes in one frame.
    """
    size = len(block)
    if size <= most:
        return pack_head(size >> 8, size & 0xFF, HEADERS, flags | END_HEADERS, stream) + block
    pieces = [frame(HEADERS, flags, stream, block[:most])]
    for start in range(most, size, most):
        is_last = start + most >= size
        pieces.append(frame(CONTINUATION, END_HEADERS if is_last else 0, stream, block[start : start + most]))
    return b"".join(pieces)
