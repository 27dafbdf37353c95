"""Response heads: status lines, header fields checked and joined.

Field sections that were sent before are found whole. In others, names are looked up in a table that
remembers which were found valid, and values are checked all at once in the joined block.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_REMEMBERED_NAMES: Final = 1024

_FIRST_FINAL: Final = 200
_LAST: Final = 999
_NO_CONTENT: Final = 204
# As numbers: CPython looks for a byte several times faster than for a bytes object of length one.
_NUL: Final = 0x00
_LF: Final = 0x0A
_CR: Final = 0x0D
STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in HTTPStatus
    if status >= _FIRST_FINAL
}


def status_line(status: int) -> bytes:
    """Return the status line; an unknown status has an empty reason after its blank (RFC 9112 section 4).

    Raises:
        ValueError: It is not the status of a final response.
    """
    if not _FIRST_FINAL <= status <= _LAST:
        raise ValueError(f"{status!r} is not the status of a final response")
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


# What a response header field means to the server. DATE, SERVER and CLOSE are flags of what
# `encode_fields` returns.
_PLAIN: Final = 0
DATE: Final = 1
SERVER: Final = 2
OWN_GENERAL: Final = DATE | SERVER
CLOSE: Final = 4
_CONNECTION: Final = 8
_CONTENT_LENGTH: Final = 16
_TRANSFER_ENCODING: Final = 32

_MEANINGS: Final = {
    b"content-length": _CONTENT_LENGTH,
    b"transfer-encoding": _TRANSFER_ENCODING,
    b"connection": _CONNECTION,
    b"date": DATE,
    b"server": SERVER,
}
_known: Final[dict[bytes, int]] = {}

EncodedFields = tuple[bytes, int | None, int]
#: Field sections sent lately: applications repeat themselves. Forgotten all at once when there are too many.
_encoded: Final[dict[tuple[tuple[bytes, bytes], ...], EncodedFields]] = {}
_REMEMBERED_SECTIONS: Final = 512
_REMEMBERED_SIZE: Final = 512  #: bytes; a longer section is hardly the same twice


class HeaderError(ValueError):
    """The application gave a header field that must not be sent."""


def encode_fields(headers: Iterable[tuple[bytes, bytes]], status: int) -> EncodedFields:
    """Check and join the header fields of a response.

    Names go out as the application spelled them, in its order; Connection and Transfer-Encoding are left
    out, because they are the server's to say (ASGI: HTTP response start).

    Returns:
        The fields as bytes; the Content-Length among them, or None; and what they say to the server:
        flags for a `DATE` or `SERVER` of their own and for the wish to `CLOSE` the connection.

    Raises:
        HeaderError: A name is not a token, a value has CR, LF or NUL, or there are two lengths.
    """
    key = tuple(headers)
    try:
        encoded = _encoded.get(key)
    except TypeError:  # a pair that is a list
        return _encode(key, status)
    if encoded is None or status == _NO_CONTENT:
        encoded = _encode(key, status)
        if len(encoded[0]) <= _REMEMBERED_SIZE and status != _NO_CONTENT:
            if len(_encoded) >= _REMEMBERED_SECTIONS:
                _encoded.clear()
            _encoded[key] = encoded
    return encoded


def _encode(headers: Iterable[tuple[bytes, bytes]], status: int) -> EncodedFields:
    says = 0
    length: int | None = None
    parts: list[bytes] = []
    for name, value in headers:
        meaning = _known.get(name)
        if meaning is None:
            meaning = _learn(name)
        if meaning > SERVER:
            if meaning == _CONNECTION and b"close" in value.lower():
                says |= CLOSE
            if meaning != _CONTENT_LENGTH:
                continue
            if not value.isdigit() or length is not None:
                raise HeaderError(f"content-length {value!r} is not one number")
            length = int(value)
            if status == _NO_CONTENT:  # RFC 9110 section 8.6
                continue
        else:
            says |= meaning
        parts += (name, b": ", value, b"\r\n")
    block = b"".join(parts)
    lines = len(parts) // 4
    if block.count(_LF) != lines or block.count(_CR) != lines or _NUL in block:
        raise HeaderError("a header field contains CR, LF or NUL")
    return block, length, says


def _learn(name: bytes) -> int:
    if not _TOKEN.fullmatch(name):  # anything but bytes: TypeError
        raise HeaderError(f"{name!r} is not a header field name")
    meaning = _MEANINGS.get(name.lower(), _PLAIN)
    if len(_known) < _REMEMBERED_NAMES:
        _known[name] = meaning
    return meaning
