r"""The head of a request, from bytes to `RequestHead`: strict, pure, whole.

Every rule that decides where a message ends or who it is for stands here once, and each codec applies it:
servers that read the same bytes differently are how requests are smuggled.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from srvctl.worker.http.protocol import Headers, ProtocolError, RequestHead, bad_request

_CRLF: Final = b"\r\n"
_BLANKS: Final = b" \t"
TCHAR: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110 section 5.6.2
_TOKEN: Final = re.compile(TCHAR + rb"+")
#: What no field value may hold (RFC 9110 section 5.5: visible characters, blank, tab, obs-text).
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t"})
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
_PARTS_OF_LINE: Final = 3
_MOST_DIGITS: Final = 18  #: of a length; more do not fit 63 bits
#: RFC 3986 section 3.2.2 (reg-name, IPv4 or bracketed IP-literal) with an optional port; may be empty.
VALID_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.vV]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)

#: Fields that decide about framing, routing or the connection; all others are plain: they pass unread.
_SPECIAL: Final = frozenset(
    {b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"te", b"upgrade"}
)
# Clients say the same things again and again: what was found valid before is known by its bytes.
_plain_fields: Final[dict[bytes, tuple[bytes, bytes]]] = {}  #: by their line
_special_fields: Final[dict[bytes, tuple[bytes, bytes]]] = {}  #: by their line
_names: Final[dict[bytes, bytes]] = {}  #: in lower case, by what was sent
_hosts: Final[set[tuple[bytes, bytes]]] = set()  #: name and value
_MOST_REMEMBERED: Final = 1024  #: of each, before they are forgotten and learned anew
_LONGEST_REMEMBERED: Final = 160
_SECRET: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})  #: not kept in memory
_methods: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
}

RequestLine = tuple[str, bytes, str]
Fields = tuple[Headers, Headers]  #: all, and those of them that are special


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


def is_token(name: bytes) -> bool:
    """Return whether these bytes are a token (RFC 9110 section 5.6.2)."""
    return _TOKEN.fullmatch(name) is not None


def _unusual_method(method: bytes) -> str:
    """Any token is a method; one with small letters is no word of HTTP, and ASGI could not tell it apart."""
    if not is_token(method) or method != method.upper():
        raise bad_request("invalid method")
    return method.decode()


def parse_fields(section: bytes, most: int) -> Fields:
    """Return the fields of a header or trailer section, and apart those that `make_head` has to judge.

    Args:
        section: Its lines, each but the last with its line end.
        most: Most fields allowed.

    Raises:
        ProtocolError: A line is not a field, or there are too many.
    """
    if not section:
        return [], []
    lines = section.split(_CRLF)
    if len(lines) > most:
        raise ProtocolError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many header fields")
    special: Headers = []
    return [_plain_fields.get(line) or _parse_field(line, special) for line in lines], special


def _parse_field(line: bytes, special: Headers) -> tuple[bytes, bytes]:
    """Return the field of a line that is none of those known to be plain; note whether it is special."""
    known = _special_fields.get(line)
    if known is not None:
        special.append(known)
        return known
    sent_name, colon, value = line.partition(b":")
    if not colon:
        raise bad_request("a header field without a colon")
    name = _names.get(sent_name) or _new_name(sent_name)
    if value.translate(None, _CONTROLS) != value:
        raise bad_request("a header field contains a control character")
    field = (name, value.strip(_BLANKS))
    if name in _SPECIAL:
        special.append(field)
        _remember(line, field, _special_fields)
    elif name not in _SECRET:
        _remember(line, field, _plain_fields)
    return field


def _remember(line: bytes, field: tuple[bytes, bytes], known: dict[bytes, tuple[bytes, bytes]]) -> None:
    if len(line) <= _LONGEST_REMEMBERED:
        if len(known) >= _MOST_REMEMBERED:
            known.clear()
        known[line] = field


def _new_name(name: bytes) -> bytes:
    """Return a name in lower case, if it is one."""
    if not is_token(name):  # also a folded line (RFC 9112 section 5.2), as it begins with a blank
        raise bad_request("invalid header field name")
    lower = name.lower()
    if len(name) <= _LONGEST_REMEMBERED:
        if len(_names) >= _MOST_REMEMBERED:
            _names.clear()
        _names[name] = lower
    return lower


def make_head(line: RequestLine, fields: Fields) -> RequestHead:
    """Judge the fields that matter to the server, and return the head.

    Args:
        line: The request line.
        fields: As `parse_fields` returns them.

    Raises:
        ProtocolError: The request is ambiguous, or asks for what is not done here.
    """
    method, target, version = line
    headers, special = fields
    is_usual = len(special) == 1 and special[0] in _hosts  # one valid Host, and nothing else to judge
    if not is_usual:
        _check_host([field for field in special if field[0] == b"host"], version)
    if method == "CONNECT":
        raise ProtocolError(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is for proxies")
    head = RequestHead(method, target, version, headers, version == "1.1")
    if not is_usual:
        _take_special(head, special)
    head.is_plain = version == "1.1" and method != "HEAD" and not head.takes_trailers
    return head


def _take_special(head: RequestHead, fields: Headers) -> None:
    special: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        special.setdefault(name, []).append(value)
    if b"connection" in special:
        options = _list(special[b"connection"])
        # RFC 9112 section 9.3: of two options that contradict each other, close wins.
        head.keep_alive = b"close" not in options and (head.keep_alive or b"keep-alive" in options)
        if b"upgrade" in options and head.version == "1.1":  # RFC 9110 section 7.8: 1.0 knows no upgrades
            head.asks_websocket = b"websocket" in _list(special.get(b"upgrade", []))
    if b"content-length" in special or b"transfer-encoding" in special:
        head.length = _length(special, head.version)
    if b"te" in special:
        head.takes_trailers = b"trailers" in _list(special[b"te"])
    if b"expect" in special and head.version != "1.0":  # which knows none: RFC 9110 section 10.1.1
        if set(_list(special[b"expect"])) != {b"100-continue"}:
            raise ProtocolError(HTTPStatus.EXPECTATION_FAILED, "unknown expectation")
        head.expects_continue = head.length != 0


def _list(values: list[bytes]) -> list[bytes]:
    """Return the members of a list in lower case (RFC 9110 section 5.6.1)."""
    return [member.strip(_BLANKS) for value in values for member in value.lower().split(b",")]


def _check_host(hosts: Headers, version: str) -> None:
    # RFC 9112 section 3.2: exactly one valid Host, which only HTTP/1.0 may leave out.
    if len(hosts) != 1:
        if hosts or version == "1.1":
            raise bad_request("not exactly one Host")
    elif hosts[0] not in _hosts:
        value = hosts[0][1]
        if not VALID_HOST.fullmatch(value):
            raise bad_request("invalid Host")
        if len(value) <= _LONGEST_REMEMBERED:
            if len(_hosts) >= _MOST_REMEMBERED:
                _hosts.clear()
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
