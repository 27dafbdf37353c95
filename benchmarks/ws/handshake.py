"""The opening handshake of a WebSocket, as a client asks for it and checks the answer. Pure."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from benchmarks.errors import WrongAnswerError

_KEY: Final = base64.b64encode(b"srvctl benchmark")
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  #: RFC 6455, section 1.3
_ACCEPT: Final = base64.b64encode(hashlib.sha1(_KEY + _GUID).digest()).decode()
_DEFLATE: Final = "permessage-deflate"
_SHOWN_CHARACTERS: Final = 60


def request(port: int, path: str, *, offers_deflate: bool) -> bytes:
    """Return the request; it offers compression as browsers do."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {_KEY.decode()}",
    ]
    if offers_deflate:
        lines.append(f"Sec-WebSocket-Extensions: {_DEFLATE}; client_max_window_bits")
    return "\r\n".join([*lines, "", ""]).encode()


def check_response(head: bytes, *, offered_deflate: bool) -> None:
    """Return if the server opens a WebSocket, compressed if that was offered and else not.

    Raises:
        WrongAnswerError: It does not, or its answer is not the right one.
    """
    status, *lines = head.decode("latin-1").rstrip().split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if status.split(" ")[1:2] != ["101"]:
        raise WrongAnswerError(f"No WebSocket: {status[:_SHOWN_CHARACTERS]!r}.")
    if fields.get("sec-websocket-accept") != _ACCEPT:
        raise WrongAnswerError(f"Sec-WebSocket-Accept is {fields.get('sec-websocket-accept')!r}.")
    extensions = fields.get("sec-websocket-extensions", "")
    if offered_deflate and not extensions.startswith(_DEFLATE):
        raise WrongAnswerError("It does not compress messages.")
    if extensions and not offered_deflate:
        raise WrongAnswerError(f"It uses extensions nobody offered: {extensions!r}.")
