"""Compressed messages (RFC 7692): what is agreed on, and the two compression contexts of one WebSocket."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

from srvctl.worker.websocket.protocol import INVALID_DATA, TOO_BIG, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.websocket.protocol import MessageLimits

_NAME: Final = "permessage-deflate"
_WINDOW_BITS: Final = 12  #: 4 KiB; larger windows cost much memory on each WebSocket, and gain little
_MEMORY_LEVEL: Final = 5  #: of zlib, for the same reason
_SLICE: Final = 64  #: bytes that are given at once to streams that may be short
_SYNC: Final = b"\x00\x00\xff\xff"  #: what ends a flushed block, and is left out (section 7.2.1)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What client and server agreed on.

    Attributes:
        answer: The value of Sec-WebSocket-Extensions that says so.
        client_bits: Size of the window of what the client sends, as a power of two.
        server_bits: And of what the server sends.
        client_resets: The client begins each message with an empty window.
        server_resets: And so does the server.
    """

    answer: str
    client_bits: int = _WINDOW_BITS
    server_bits: int = _WINDOW_BITS
    client_resets: bool = False
    server_resets: bool = False


def agree(offers: Iterable[str]) -> Agreement | None:
    """Return what is agreed on when a client offers this; None for no compression.

    Args:
        offers: The values of Sec-WebSocket-Extensions.

    Raises:
        ValueError: They are malformed.
    """
    factory = ServerPerMessageDeflateFactory(
        server_max_window_bits=_WINDOW_BITS, client_max_window_bits=_WINDOW_BITS
    )
    try:
        parsed = [extension for offer in offers for extension in parse_extension(offer)]
    except InvalidHeader as error:
        raise ValueError(str(error)) from None
    for name, offered in parsed:
        if name != _NAME:
            continue
        try:
            parameters, agreed = factory.process_request_params(offered, [])
        except (NegotiationError, ValueError):  # older versions of the library stumble over windows of 8 bits
            continue  # section 7: an offer that cannot be met is passed over
        return Agreement(
            build_extension([(agreed.name, parameters)]),
            client_bits=agreed.remote_max_window_bits,
            server_bits=agreed.local_max_window_bits,
            client_resets=agreed.remote_no_context_takeover,
            server_resets=agreed.local_no_context_takeover,
        )
    return None


class Inflater:
    """Inflates what a client sends, which may be little and become much.

    Args:
        agreement: How it is compressed.
        limits: How large a message may become.
    """

    __slots__ = ("_bits", "_inflated", "_limits", "_received", "_resets", "_stream")

    def __init__(self, agreement: Agreement, limits: MessageLimits) -> None:
        self._bits = agreement.client_bits
        self._resets = agreement.client_resets
        self._limits = limits
        self._stream = zlib.decompressobj(-self._bits)
        self._received = self._inflated = 0  #: bytes of the current message

    def inflate(self, piece: bytes, *, is_last: bool) -> bytes:
        """Return the next part of a message.

        Args:
            piece: Bytes of its payload.
            is_last: Whether the message ends with it.

        Raises:
            Violation: The message becomes too large, or it is no compressed data.
        """
        self._received += len(piece)
        room = self._limits.room(self._received) - self._inflated
        try:
            data = self._inflate(piece + _SYNC if is_last else piece, room)
        except zlib.error:
            raise Violation(INVALID_DATA, "invalid compressed data") from None
        self._inflated += len(data)
        if is_last:
            self._received = self._inflated = 0
            if self._resets:
                self._stream = zlib.decompressobj(-self._bits)
        return data

    def _inflate(self, piece: bytes, room: int) -> bytes:
        data = self._stream.decompress(piece, room + 1)
        if self._stream.eof:
            data = self._inflate_on(data, room)
        if len(data) > room:
            raise Violation(TOO_BIG, "a message is too large once inflated")
        return data

    def _inflate_on(self, data: bytes, room: int) -> bytes:
        """Return what was inflated with what is behind the end of its stream.

        A client may end a block for good (section 7.2.3.4); what follows begins a new stream, and knows
        nothing of the old one, as zlib has it. There can be an end every other byte.
        """
        rest, parts, room = self._stream.unused_data, [data], room - len(data)
        self._stream = zlib.decompressobj(-self._bits)
        for start in range(0, len(rest), _SLICE):
            piece = rest[start : start + _SLICE]
            while piece and room >= 0:
                parts.append(self._stream.decompress(piece, room + 1))
                room -= len(parts[-1])
                piece = self._stream.unused_data  # a copy; none without an end
                if self._stream.eof:
                    self._stream = zlib.decompressobj(-self._bits)
        return b"".join(parts)


class Deflater:
    """Compresses what the server sends.

    Args:
        agreement: How to.
    """

    __slots__ = ("_bits", "_resets", "_stream")

    def __init__(self, agreement: Agreement) -> None:
        self._bits = agreement.server_bits
        self._resets = agreement.server_resets
        self._stream = self._new_stream()

    def deflate(self, data: bytes) -> bytes:
        """Return the payload of a compressed message."""
        if self._resets:
            self._stream = self._new_stream()
        return (self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH))[: -len(_SYNC)]

    def _new_stream(self) -> zlib._Compress:
        return zlib.compressobj(wbits=-self._bits, memLevel=_MEMORY_LEVEL)
