"""WebSocket frames as bytes, right and wrong ones; RFC 6455 section 5.2. No server shares this code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 4, 2, 1
KEY: Final = b"\x37\xfa\x21\x3d"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was read, or the fragments of a message together."""

    opcode: int
    payload: bytes
    is_final: bool = True
    rsv: int = 0

    @property
    def code(self) -> int | None:
        """What a close frame says of the reason, in a number."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else None

    @property
    def reason(self) -> str:
        """What a close frame says of the reason, in words."""
        return self.payload[2:].decode()


def masked(data: bytes, key: bytes = KEY) -> bytes:
    """Return data masked, or unmasked (section 5.3)."""
    pad = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(len(data), "big")


def head(
    opcode: int,
    size: int,
    *,
    is_final: bool = True,
    rsv: int = 0,
    key: bytes | None = KEY,
    length_bytes: int | None = None,
) -> bytes:
    """Return the head of a frame.

    Args:
        opcode: What kind it is.
        size: How long the payload is said to be.
        is_final: Whether it is the last of its message.
        rsv: The three reserved bits.
        key: What the payload is masked with; None for not at all.
        length_bytes: How many bytes (0, 2 or 8) tell a length; None for as few as can.
    """
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    length = {0: size, 2: 126, 8: 127}[length_bytes]
    first = is_final << 7 | rsv << 4 | opcode
    second = (key is not None) << 7 | length
    extended = size.to_bytes(length_bytes, "big") if length_bytes else b""
    return bytes([first, second]) + extended + (key or b"")


def frame(
    opcode: int, payload: bytes = b"", *, is_final: bool = True, rsv: int = 0, key: bytes | None = KEY
) -> bytes:
    """Return a frame of a client."""
    start = head(opcode, len(payload), is_final=is_final, rsv=rsv, key=key)
    return start + (payload if key is None else masked(payload, key))


def text(content: str) -> bytes:
    """Return a text message in one frame."""
    return frame(TEXT, content.encode())


def fragments(opcode: int, *pieces: bytes, rsv: int = 0) -> list[bytes]:
    """Return the frames of a message that comes in these pieces."""
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if at else opcode, piece, is_final=at == last, rsv=0 if at else rsv)
        for at, piece in enumerate(pieces)
    ]


def close(code: int | None = None, reason: str | bytes = b"") -> bytes:
    """Return a close frame."""
    words = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + words)
