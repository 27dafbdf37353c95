"""Frames of RFC 6455 as a client writes and reads them, and messages compressed after RFC 7692. Pure.

Only what the client needs: whole messages of one frame, one mask for all.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from benchmarks.errors import WrongAnswerError

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_FINAL: Final = 0x80
_COMPRESSED: Final = 0x40  #: RSV1, of RFC 7692 section 6
_OPCODE: Final = 0x0F
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
#: Any but zero: a server might find out that there is nothing to do.
_MASK: Final = b"\x37\xfa\x21\x3d"
#: What a flush leaves at the end, and every message does without (RFC 7692 section 7.2.1).
_FLUSHED: Final = b"\x00\x00\xff\xff"


class Frame(NamedTuple):
    """One frame as it came from the server."""

    opcode: int
    is_compressed: bool
    payload: bytes


def masked(payload: bytes, *, opcode: int = TEXT, is_compressed: bool = False) -> bytes:
    """Return the frame a client sends."""
    key = (_MASK * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    head = _head(opcode, len(payload), is_compressed=is_compressed, mask=_MASKED)
    return head + _MASK + mixed.to_bytes(len(payload), "big")


def plain(payload: bytes, *, opcode: int = TEXT, is_compressed: bool = False) -> bytes:
    """Return the frame a server sends."""
    return _head(opcode, len(payload), is_compressed=is_compressed, mask=0) + payload


def _head(opcode: int, length: int, *, is_compressed: bool, mask: int) -> bytes:
    first = _FINAL | opcode | (_COMPRESSED if is_compressed else 0)
    if length < 126:
        return bytes((first, mask | length))
    if length < 65536:
        return struct.pack("!BBH", first, mask | 126, length)
    return struct.pack("!BBQ", first, mask | 127, length)


def deflated(payload: bytes) -> bytes:
    """Return a compressed message that refers to none before it.

    With context takeover the server's inflater still has those in its window, but nothing obliges a client to
    make use of them. So a message can be compressed once and sent as often as one likes. No distance is
    beyond the message, so that any window of at least its length will do.
    """
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_FLUSHED)


class Inflater:
    """Reads the compressed messages of one server, all and in order: each may refer to those before."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=-zlib.MAX_WBITS)

    def inflate(self, payload: bytes) -> bytes:
        """Return a message as it was.

        Raises:
            WrongAnswerError: It cannot be inflated.
        """
        try:
            return self._inflater.decompress(payload + _FLUSHED)
        except zlib.error as error:
            raise WrongAnswerError(f"A message cannot be inflated: {error}.") from error


class FrameReader:
    """Cuts what a server sends into frames."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_amid_frame(self) -> bool:
        """Whether a part of a frame is waiting for the others."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are now complete.

        Raises:
            WrongAnswerError: A frame is masked, or a part of a message, which no server here has reason for.
        """
        data = self._rest + data if self._rest else data
        frames = []
        at = 0
        while (cut := _frame(data, at)) is not None:
            frame, at = cut
            frames.append(frame)
        self._rest = data[at:]
        return frames


def _frame(data: bytes, at: int) -> tuple[Frame, int] | None:
    """Return the frame that begins there, and where it ends; None if not all of it has come."""
    have = len(data) - at
    if have < 2:
        return None
    first, second = data[at], data[at + 1]
    if not first & _FINAL or second & _MASKED:
        raise WrongAnswerError(f"A frame begins with {data[at : at + 2].hex()}: fragmented, or masked.")
    length, start = second & _LENGTH, at + 2
    if length >= 126:
        form, size = ("!H", 2) if length == 126 else ("!Q", 8)
        if have < 2 + size:
            return None
        length, start = struct.unpack_from(form, data, start)[0], start + size
    end = start + length
    if len(data) < end:
        return None
    return Frame(first & _OPCODE, bool(first & _COMPRESSED), data[start:end]), end
