"""What a codec hands over, what it is asked for, and how a client breaks the rules. Shared by every codec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from srvctl.settings.groups import WsSettings

#: Close codes (RFC 6455 section 7.4.1, and IANA's registry for 1012).
NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005  #: a close frame without a code; never sent
ABNORMAL: Final = 1006  #: no close frame at all; never sent
INVALID_DATA: Final = 1007
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012

_FREE: Final = 1 << 20  #: bytes that a message may be inflated to whatever its ratio

Data = str | bytes  #: a message: text or binary


class Violation(Exception):  # noqa: N818 - RFC 6455 speaks of failing the connection, not of an error
    """The client sent something that ends the WebSocket.

    Attributes:
        code: The close code that says why.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def protocol_error(reason: str) -> Violation:
    """Return the violation for what has no place in the protocol."""
    return Violation(PROTOCOL_ERROR, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLimits:
    """How large a message may be.

    Attributes:
        size: Bytes, after inflating.
        fragments: Frames; 0 for any number.
        inflate_ratio: Bytes for each byte received, beyond the first MiB; 0 for any number.
    """

    size: int
    fragments: int = 0
    inflate_ratio: int = 0

    @classmethod
    def of(cls, settings: WsSettings) -> MessageLimits:
        """Return those of the settings."""
        return cls(
            size=settings.max_size,
            fragments=settings.max_fragments,
            inflate_ratio=settings.max_inflate_ratio,
        )

    def room(self, received: int) -> int:
        """Return how large a message may be of which so many bytes have come."""
        if not self.inflate_ratio:
            return self.size
        return min(self.size, max(_FREE, self.inflate_ratio * received))


class FrameSink(Protocol):
    """Takes what a codec reads."""

    def message_received(self, data: Data) -> None:
        """Take a whole message."""

    def ping_received(self, payload: bytes) -> None:
        """Take a ping, which is to be answered."""

    def close_received(self, code: int, reason: str) -> None:
        """Learn that the client sends nothing more; the code is `NO_STATUS` when it gave none."""


class FrameCodec(Protocol):
    """Turns the bytes of one WebSocket into messages, and messages into bytes; forgets pongs."""

    def feed(self, data: bytes, start: int = 0) -> int:
        """Read on, a little at a time, so that whoever has enough can stop.

        Args:
            data: What was received.
            start: Where in it to begin.

        Returns:
            Where in it reading stopped; what lies behind is fed when there is room for more.

        Raises:
            Violation: The client broke a rule; the codec must not be fed again.
        """

    def text(self, data: str) -> bytes:
        """Return the bytes of a text message."""

    def binary(self, data: bytes) -> bytes:
        """Return the bytes of a binary message."""

    def ping(self) -> bytes:
        """Return a ping."""

    def pong(self, payload: bytes) -> bytes:
        """Return the answer to a ping."""

    def close(self, code: int, reason: str) -> bytes:
        """Return a close frame; with `NO_STATUS` it has no code.

        Args:
            code: One that may be sent, or `NO_STATUS`.
            reason: What of it does not fit a frame is cut off.
        """
