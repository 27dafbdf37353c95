"""The opening handshake (RFC 6455 section 4.2): what a client has to say, and what it is told. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from srvctl.worker.http.protocol import ProtocolError, bad_request
from srvctl.worker.http.request_head import is_token
from srvctl.worker.websocket.deflate import Agreement, agree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.http.protocol import RequestHead

_VERSION: Final = b"13"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  #: of section 1.3
_KEY_SIZE: Final = 16  #: bytes
_UPGRADE: Final = b"upgrade: websocket\r\nconnection: Upgrade\r\n"

#: What the server says itself, and no application may say beside it.
OWN_FIELDS: Final = frozenset(
    {b"upgrade", b"sec-websocket-accept", b"sec-websocket-extensions", b"sec-websocket-version"}
    | {b"content-length"}
)
SUBPROTOCOL: Final = b"sec-websocket-protocol"


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a client wants.

    Attributes:
        key: Tells its request from all others; None with HTTP/2, which knows that itself (RFC 8441).
        subprotocols: It speaks these, and likes the first ones best.
        agreement: How messages are compressed; None for not at all.
    """

    key: bytes | None
    subprotocols: tuple[str, ...]
    agreement: Agreement | None

    @classmethod
    def read(cls, head: RequestHead, *, compress: bool) -> Handshake:
        """Read a request.

        Args:
            head: Asks for a WebSocket.
            compress: Agree to compression, if the client offers it.

        Raises:
            ProtocolError: It is no valid handshake.
        """
        is_stream = head.method == "CONNECT"  # of HTTP/2, whose body is the WebSocket
        if not is_stream and (head.method != "GET" or head.length != 0):
            raise bad_request("a WebSocket is opened with GET, and without a body")
        if is_stream and head.length is not None:
            raise bad_request("a WebSocket whose end is announced")
        fields: dict[bytes, list[bytes]] = {}
        for name, value in head.headers:
            if name.startswith(b"sec-websocket-"):
                fields.setdefault(name, []).append(value)
        _check_version(fields.get(b"sec-websocket-version", []))
        key = None if is_stream else _key(fields.get(b"sec-websocket-key", []))
        agreement = None
        if compress:
            offers = (value.decode("latin-1") for value in fields.get(b"sec-websocket-extensions", ()))
            try:
                agreement = agree(offers)
            except ValueError:
                raise bad_request("invalid Sec-WebSocket-Extensions") from None
        return cls(key, _subprotocols(fields.get(SUBPROTOCOL, ())), agreement)

    def answer(self, subprotocol: str | None) -> bytes:
        """Return the fields that accept the WebSocket, as lines.

        Args:
            subprotocol: One of those that the client speaks, or None.
        """
        lines: list[bytes] = []
        if self.key is not None:
            digest = hashlib.sha1(self.key + _GUID, usedforsecurity=False).digest()
            lines += (_UPGRADE, b"sec-websocket-accept: ", base64.b64encode(digest), b"\r\n")
        if subprotocol is not None:
            lines += (SUBPROTOCOL, b": ", subprotocol.encode(), b"\r\n")
        if self.agreement is not None:
            lines += (b"sec-websocket-extensions: ", self.agreement.answer.encode(), b"\r\n")
        return b"".join(lines)


def _check_version(versions: list[bytes]) -> None:
    if versions == [_VERSION]:
        return
    if len(versions) != 1:
        raise bad_request("not exactly one Sec-WebSocket-Version")
    # Section 4.2.2, step 4; RFC 9110 section 15.5.22 wants the Upgrade field.
    fields = _UPGRADE + b"sec-websocket-version: %b\r\n" % _VERSION
    raise ProtocolError(HTTPStatus.UPGRADE_REQUIRED, "unknown Sec-WebSocket-Version", fields)


def _key(keys: list[bytes]) -> bytes:
    if len(keys) != 1:
        raise bad_request("not exactly one Sec-WebSocket-Key")
    try:
        decoded = base64.b64decode(keys[0], validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != _KEY_SIZE:
        raise bad_request("invalid Sec-WebSocket-Key")
    return keys[0]


def _subprotocols(values: Iterable[bytes]) -> tuple[str, ...]:
    names = [name.strip(b" \t") for value in values for name in value.split(b",")]
    names = [name for name in names if name]  # RFC 9110 section 5.6.1: empty members are passed over
    if not all(map(is_token, names)) or len(set(names)) != len(names):
        raise bad_request("invalid Sec-WebSocket-Protocol")  # section 4.1, item 10
    return tuple(name.decode() for name in names)
