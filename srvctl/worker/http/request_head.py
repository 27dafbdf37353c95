r"""The head of a request, from bytes to `RequestHead`: strict, pure, whole.

Every rule that decides where a message ends or who it is for stands here once, and each codec applies it:
servers that read the same bytes differently are how requests are smuggled.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from srvctl.worker.http.protocol import Headers, ProtocolError, RequestHead, bad_request

if TYPE_CHECKING:
    from collections.abc import Sequence

_CRLF: Final = b"\r\n"
_BLANKS: Final = b" \t"
# As numbers: CPython counts a byte several times faster than a bytes object of length one.
_LF: Final = 0x0A
_CR: Final = 0x0D
_TAB: Final = 0x09
TCHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110 section 5.6.2
_TOKEN: Final = re.compile(TCHAR + rb"+")
#: Everything a head may hold: visible characters, blank, tab, obs-text, and the line ends between lines.
_ALLOWED: Final = bytes({_TAB, _LF, _CR, *range(0x20, 0x7F), *range(0x80, 0x100)})
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
_PARTS_OF_LINE: Final = 3
_MOST_DIGITS: Final = 18  #: of a length; more do not fit 63 bits
#: RFC 3986 section 3.2.2 (reg-name, IPv4 or bracketed IP-literal) with an optional port; may be empty.
VALID_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.vV]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)

#: Fields that decide about framing, routing or the connection; all others pass through unread.
_SPECIAL: Final = frozenset(
    {b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"te"}
)
#: Names as sent, found valid before, in lower case. Filled by `_learn`.
_names: Final[dict[bytes, bytes]] = {}
_hosts: Final[set[bytes]] = set()  #: found valid before; most requests of a worker share a few
_REMEMBERED: Final = 1024
_methods: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
}

RequestLine = tuple[str, bytes, str]


def parse_line(line: bytes) -> RequestLine:
    """Return method, target and version of a request line, without its line end.

    Raises:
        ProtocolError: It is malformed, or of an HTTP version that is not spoken here.
    """
    parts = line.split(b" ")  # RFC 9112 section 3: single blanks
    if len(parts) != _PARTS_OF_LINE:
        raise bad_request("malformed request line")
    raw_method, target, version = parts
    method = _methods.get(raw_method) or _unusual_method(raw_method)
    if not target.isascii() or not target.decode().isprintable() or not target:
        raise bad_request("invalid request target")
    if version == b"HTTP/1.1":
        return method, target, "1.1"
    if version == b"HTTP/1.0":
        return method, target, "1.0"
    if _VERSION.fullmatch(version):
        raise ProtocolError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"{version.decode()} is not supported")
    raise bad_request("malformed HTTP version")


def _unusual_method(method: bytes) -> str:
    """Any token is a method; one with small letters is no word of HTTP, and ASGI could not tell it apart."""
    if not _TOKEN.fullmatch(method) or method != method.upper():
        raise bad_request("invalid method")
    return method.decode()


def parse_fields(section: bytes, most: int) -> Headers:
    """Return the fields of a header or trailer section.

    Args:
        section: Its lines, each but the last with its line end.
        most: Most fields allowed.

    Raises:
        ProtocolError: A line is not a field, or there are too many.
    """
    if not section:
        return []
    lines = section.split(_CRLF)
    breaks = len(lines) - 1
    if section.count(_LF) != breaks or section.count(_CR) != breaks or section.translate(None, _ALLOWED):
        raise bad_request("a header field contains a control character")  # RFC 9110 section 5.5
    if breaks >= most:
        raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields")
    fields: Headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise bad_request("a header field without a colon")
        fields.append((_names.get(name) or _learn(name), value.strip(_BLANKS)))
    return fields


def _learn(name: bytes) -> bytes:
    """Return a field name in lower case. A folded line (RFC 9112 section 5.2) begins with no token either."""
    if not _TOKEN.fullmatch(name):
        raise bad_request("invalid header field name")
    lowered = name.lower()
    if len(_names) < _REMEMBERED and len(name) < _REMEMBERED:
        _names[name] = lowered = _names.setdefault(lowered, lowered)
    return lowered


def make_head(line: RequestLine, headers: Sequence[tuple[bytes, bytes]]) -> RequestHead:
    """Judge the fields that matter to the server, and return the head.

    Raises:
        ProtocolError: The request is ambiguous, or asks for what is not done here.
    """
    method, target, version = line
    special: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _SPECIAL:
            special.setdefault(name, []).append(value)
    _check_host(special.pop(b"host", []), version)
    if method == "CONNECT":
        raise ProtocolError(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is for proxies")
    head = RequestHead(method, target, version, headers, version == "1.1")
    if special:
        _take_special(head, special)
    return head


def _take_special(head: RequestHead, special: dict[bytes, list[bytes]]) -> None:
    head.length = _length(special, head.version)
    head.takes_trailers = b"trailers" in _list(special.get(b"te", []))
    options = _list(special.get(b"connection", []))
    # RFC 9112 section 9.3: of two options that contradict each other, close wins.
    head.keep_alive = b"close" not in options and (head.keep_alive or b"keep-alive" in options)
    expectations = _list(special.get(b"expect", []))
    if expectations and head.version != "1.0":  # which knows none: RFC 9110 section 10.1.1
        if set(expectations) != {b"100-continue"}:
            raise ProtocolError(HTTPStatus.EXPECTATION_FAILED, "unknown expectation")
        head.expects_continue = head.length != 0


def _list(values: list[bytes]) -> list[bytes]:
    """Return the members of a list in lower case (RFC 9110 section 5.6.1)."""
    return [member.strip(_BLANKS) for value in values for member in value.lower().split(b",")]


def _check_host(hosts: list[bytes], version: str) -> None:
    # RFC 9112 section 3.2: exactly one valid Host, which only HTTP/1.0 may leave out.
    if len(hosts) != 1:
        if hosts or version == "1.1":
            raise bad_request("not exactly one Host")
    elif hosts[0] not in _hosts:
        if not VALID_HOST.fullmatch(hosts[0]):
            raise bad_request("invalid Host")
        if len(_hosts) < _REMEMBERED:
            _hosts.add(hosts[0])


def _length(special: dict[bytes, list[bytes]], version: str) -> int | None:
    """Return how long the body is; None for chunks (RFC 9112 section 6.3)."""
    lengths = special.get(b"content-length", [])
    if b"transfer-encoding" in special:
        if version == "1.0":  # RFC 9112 section 6.1: a sign of smuggling
            raise bad_request("Transfer-Encoding in HTTP/1.0")
        if lengths:
            raise bad_request("Content-Length beside Transfer-Encoding")
        _check_codings(_list(special[b"transfer-encoding"]))
        return None
    if not lengths:
        return 0
    if len(lengths) != 1:
        raise bad_request("more than one Content-Length")
    if not lengths[0].isdigit() or len(lengths[0]) > _MOST_DIGITS:
        raise bad_request("invalid Content-Length")
    return int(lengths[0])


def _check_codings(codings: list[bytes]) -> None:
    if codings == [b"chunked"]:
        return
    if codings == [b""]:
        raise bad_request("empty Transfer-Encoding")
    if b"chunked" in codings[:-1]:  # applied twice, or not last: the end of the body is anyone's guess
        raise bad_request("chunked is not the last transfer coding")
    raise ProtocolError(HTTPStatus.NOT_IMPLEMENTED, "transfer coding other than chunked")
