"""The fields of a request, from HPACK's pairs to `RequestHead`: strict, pure, whole (RFC 9113 section 8).

What is malformed raises `MalformedError`, and ends its stream; what is well-formed and not served raises
`ProtocolError`, and is answered, as with HTTP/1.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from srvctl.worker.http.protocol import ProtocolError, RequestHead
from srvctl.worker.http.request_head import VALID_HOST, is_token

if TYPE_CHECKING:
    from srvctl.worker.http2.hpack import Fields

VERSION: Final = "2"  #: as ASGI calls it
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")  # RFC 9110 section 5.6.2, in lower case: 8.2.1
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {*b"\t"})  # RFC 9110 section 5.5
_BLANKS: Final = b" \t"
_PATH: Final = re.compile(rb"/[!-~]*")
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+\-.]*")  # RFC 3986 section 3.1
_MOST_DIGITS: Final = 18  #: of a length; more do not fit 63 bits
_COLON: Final = ord(":")
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path", b":protocol"})
#: What is about a connection, and so has no place in a request that shares one (section 8.2.2).
CONNECTION_SPECIFIC: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)


class MalformedError(ValueError):
    """The fields are those of no request (section 8.1.1)."""


def read_request(fields: Fields, *, ends: bool, connects: bool) -> RequestHead:
    """Return the head that these fields are.

    Args:
        fields: As they came.
        ends: The request has no body.
        connects: A request may ask for another protocol on its stream (RFC 8441).

    Raises:
        MalformedError: They are no request.
        ProtocolError: They ask for what is not done here.
    """
    pseudo, others = _split(fields)
    method, target, authority = _target(pseudo, connects=connects)
    for name, value in others:
        _check_field(name, value)
    headers, special = _arrange(authority, others)
    if method == "CONNECT" and b":protocol" not in pseudo:
        raise ProtocolError(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is for proxies")
    head = RequestHead(method, target, VERSION, headers)
    head.length = _length(special.get(b"content-length"), ends=ends)
    if b"te" in special:
        head.takes_trailers = True
    if b"expect" in special:
        if {value.lower() for value in special[b"expect"]} != {b"100-continue"}:
            raise ProtocolError(HTTPStatus.EXPECTATION_FAILED, "unknown expectation")
        head.expects_continue = head.length != 0
    if b":protocol" in pseudo:
        if pseudo[b":protocol"] != b"websocket":
            raise ProtocolError(HTTPStatus.NOT_IMPLEMENTED, "an unknown :protocol")  # RFC 9220 section 3
        head.asks_websocket = True
    return head


def check_trailers(fields: Fields) -> None:
    """See whether these can be the fields behind a body.

    Raises:
        MalformedError: They cannot.
    """
    for name, value in fields:
        if name[:1] == b":":
            raise MalformedError("a pseudo-header field behind the body")  # section 8.1
        _check_field(name, value)


def _split(fields: Fields) -> tuple[dict[bytes, bytes], Fields]:
    """Return the pseudo-header fields, which come first and once each (section 8.3), and the others."""
    pseudo: dict[bytes, bytes] = {}
    count = 0
    for name, value in fields:
        if not name or name[0] != _COLON:
            break
        if name in pseudo or name not in _PSEUDO:
            raise MalformedError("a pseudo-header field that is unknown or there twice")
        if value.translate(None, _CONTROLS) != value:
            raise MalformedError("a pseudo-header field contains a control character")
        pseudo[name] = value
        count += 1
    return pseudo, fields[count:]


def _target(pseudo: dict[bytes, bytes], *, connects: bool) -> tuple[str, bytes, bytes | None]:
    """Return method, target and authority (section 8.3.1).

    Raises:
        MalformedError: One is missing, or is none.
    """
    raw_method, scheme, path = (pseudo.get(name) for name in (b":method", b":scheme", b":path"))
    authority = pseudo.get(b":authority")
    if raw_method is None or not is_token(raw_method) or raw_method != raw_method.upper():
        raise MalformedError("no valid :method")
    if b":protocol" in pseudo and not (connects and raw_method == b"CONNECT"):
        raise MalformedError(":protocol without CONNECT, or where it is not offered")  # RFC 8441 section 4
    if raw_method == b"CONNECT" and b":protocol" not in pseudo:  # section 8.5
        if not authority or scheme is not None or path is not None:
            raise MalformedError("CONNECT with more, or less, than :authority")
        return "CONNECT", b"/", authority
    if scheme is None or not _SCHEME.fullmatch(scheme):
        raise MalformedError("no valid :scheme")
    if path is None or not (_PATH.fullmatch(path) or (path == b"*" and raw_method == b"OPTIONS")):
        raise MalformedError("no valid :path")
    return raw_method.decode(), path, authority


def _check_field(name: bytes, value: bytes) -> None:
    if not _NAME.fullmatch(name):  # pseudo-header fields behind others as well: section 8.3
        raise MalformedError("an invalid field name")
    if value.translate(None, _CONTROLS) != value or value.strip(_BLANKS) != value:
        raise MalformedError("an invalid field value")  # section 8.2.1
    if name in CONNECTION_SPECIFIC or (name == b"te" and value.lower() != b"trailers"):
        raise MalformedError("a field about the connection")


def _arrange(authority: bytes | None, fields: Fields) -> tuple[Fields, dict[bytes, list[bytes]]]:
    """Return the fields as HTTP/1 would have them, and those that the server judges, by name.

    Host comes first, from :authority where there is one; the crumbs of a cookie are one again (8.2.3).
    """
    headers: Fields = []
    special: dict[bytes, list[bytes]] = {}
    crumbs: list[bytes] = []
    for field in fields:
        name = field[0]
        if name == b"cookie":
            crumbs.append(field[1])
            if len(crumbs) == 1:
                place = len(headers)
                headers.append(field)
            continue
        if name in {b"host", b"content-length", b"te", b"expect"}:
            special.setdefault(name, []).append(field[1])
            if name == b"host":
                continue
        headers.append(field)
    if len(crumbs) > 1:
        headers[place] = (b"cookie", b"; ".join(crumbs))
    headers.insert(0, (b"host", _host(authority, special.get(b"host", []))))
    return headers, special


def _host(authority: bytes | None, hosts: list[bytes]) -> bytes:
    """Return who the request is for; two answers are none (section 8.3.1)."""
    names = {host.lower() for host in hosts} | ({authority.lower()} if authority is not None else set())
    if len(names) != 1 or len(hosts) > 1:
        raise MalformedError("not exactly one :authority or Host")
    host = authority if authority is not None else hosts[0]
    if not host or not VALID_HOST.fullmatch(host):
        raise MalformedError("an invalid :authority or Host")
    return host


def _length(lengths: list[bytes] | None, *, ends: bool) -> int | None:
    """Return how long the body is; None when only its end will tell.

    Raises:
        MalformedError: There are two lengths, or one of a body that does not come (section 8.1.1).
    """
    if lengths is None:
        return 0 if ends else None
    if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > _MOST_DIGITS:
        raise MalformedError("invalid content-length")
    length = int(lengths[0])
    if ends and length:
        raise MalformedError("content-length of a body that does not come")
    return length
