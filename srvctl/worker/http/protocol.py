"""What a codec hands over, and how a client breaks the rules. Shared by every codec."""

from __future__ import annotations

import re
from typing import Final, Protocol

#: RFC 3986 section 3.2.2 (reg-name, IPv4 or bracketed IP-literal) with an optional port; may be empty.
VALID_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.vV]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)

Headers = list[tuple[bytes, bytes]]


class ProtocolError(Exception):
    """The client sent something that is answered with an error and the end of the connection.

    Attributes:
        status: The status to answer with.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RequestSink(Protocol):
    """Takes what a codec reads, for each request: a head and, if it has a body, its pieces and an end."""

    def head_received(
        self,
        method: str,
        target: bytes,
        version: str,
        headers: Headers,
        keep_alive: bool,
        has_body: bool,
        expects_continue: bool,
    ) -> None:
        """Take the head of the next request, checked.

        Args:
            method: The method as sent, e.g. ``GET``.
            target: The request target as sent.
            version: ``1.0`` or ``1.1``.
            headers: Names in lower case; order and repetitions as sent.
            keep_alive: The client lets the connection go on after this request.
            has_body: The message has a body, maybe empty; without one it is complete, and no end follows.
            expects_continue: The client waits for ``100 Continue`` before it sends the body.

        Raises:
            ProtocolError: The target cannot be understood.
        """

    def body_received(self, data: bytes) -> None:
        """Take a piece of its body, never empty."""

    def request_ended(self) -> None:
        """Learn that the request is complete."""


class Codec(Protocol):
    """Turns the bytes of one connection into requests."""

    is_inside_head: bool  #: a head has begun and is not complete

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
