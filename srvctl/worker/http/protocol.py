"""What a codec hands over, and how a client breaks the rules. Shared by every codec."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers = list[tuple[bytes, bytes]]


class ProtocolError(Exception):
    """The client sent something that is answered with an error and the end of the connection.

    Attributes:
        status: The status to answer with.
        fields: What the answer says beside it, as lines.
    """

    def __init__(self, status: HTTPStatus, reason: str, fields: bytes = b"") -> None:
        super().__init__(reason)
        self.status = status
        self.fields = fields


def bad_request(reason: str) -> ProtocolError:
    """Return the error for what has no place in HTTP."""
    return ProtocolError(HTTPStatus.BAD_REQUEST, reason)


@dataclass(slots=True, eq=False)
class RequestHead:
    """The head of a request, checked. Never changed, because a codec may hand it over again.

    Attributes:
        method: As sent, e.g. ``GET``.
        target: The request target as sent.
        version: ``1.0`` or ``1.1``.
        headers: Names in lower case; order and repetitions as sent.
        keep_alive: The client lets the connection go on after this request.
        length: Bytes of the body; None when only its end will tell (RFC 9112 section 6.3).
        expects_continue: The client waits for ``100 Continue`` before it sends the body.
        takes_trailers: The client reads trailer fields (RFC 9110 section 6.5.1).
        asks_websocket: The client wants to go on with a WebSocket (RFC 6455 section 4.1).
        is_plain: Nothing about it makes a response differ from what the application says.
    """

    method: str
    target: bytes
    version: str
    headers: Sequence[tuple[bytes, bytes]]
    keep_alive: bool = True
    length: int | None = 0
    expects_continue: bool = False
    takes_trailers: bool = False
    asks_websocket: bool = False
    is_plain: bool = False


class RequestSink(Protocol):
    """Takes what a codec reads: for each request a head and, unless its length is 0, pieces and an end."""

    def head_received(self, head: RequestHead) -> None:
        """Take the head of the next request; with a length of 0 the request is complete.

        Raises:
            ProtocolError: The target cannot be understood, or the body is too long.
        """

    def body_received(self, data: bytes) -> None:
        """Take a piece of its body, never empty.

        Raises:
            ProtocolError: The body is too long.
        """

    def request_ended(self) -> None:
        """Learn that the request is complete."""


class Codec(Protocol):
    """Turns the bytes of one connection into requests, one at a time."""

    is_inside_head: bool  #: a head has begun and is not complete

    def feed(self, data: bytes, start: int = 0) -> int:
        """Read on, up to the end of one request at most.

        Args:
            data: What was received.
            start: Where in it to begin.

        Returns:
            Where in it reading stopped: its length, or the end of a request. What lies behind belongs to
            the next request and is fed once that may begin.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
