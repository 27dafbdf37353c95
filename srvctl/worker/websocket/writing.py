"""The frames a server sends: whole messages, unmasked (RFC 6455 section 5.1). Pure."""

from __future__ import annotations

from typing import Final

from srvctl.worker.websocket.frame_head import FINAL
from srvctl.worker.websocket.protocol import NO_STATUS

_SHORT: Final = 126  #: bytes; from here on the length stands in two bytes of its own
_LONG: Final = 65536  #: and from here on in eight
_MOST_REASON: Final = 123  #: bytes of UTF-8: what a control frame has room for beside a code


def frame(opcode: int, payload: bytes, flags: int = 0) -> bytes:
    """Return a frame that is a whole message.

    Args:
        opcode: What it is.
        payload: What it holds.
        flags: Of the first byte, beside that of the last frame.
    """
    size = len(payload)
    first = FINAL | opcode | flags
    if size < _SHORT:
        return bytes((first, size)) + payload
    if size < _LONG:
        return b"%c\x7e%b%b" % (first, size.to_bytes(2), payload)
    return b"".join((b"%c\x7f" % first, size.to_bytes(8), payload))


def close_payload(code: int, reason: str) -> bytes:
    """Return what a close frame says; of a reason that is too long as much as fits."""
    if code == NO_STATUS:
        return b""
    text = reason.encode()
    if len(text) > _MOST_REASON:
        text = text[:_MOST_REASON].decode(errors="ignore").encode()
    return code.to_bytes(2) + text
