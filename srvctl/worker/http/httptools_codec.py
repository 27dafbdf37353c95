"""HTTP/1.1 requests read by httptools (llhttp), and the rules llhttp is too lax about.

The only file that knows httptools. One instance per connection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import httptools

from srvctl.worker.http.protocol import Headers, ProtocolError, RequestHead

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import RequestSink

#: Fields that decide about framing, routing or the connection; all others pass through unread.
_SPECIAL: Final = frozenset({b"host", b"transfer-encoding", b"content-length", b"expect", b"upgrade"})
#: RFC 3986 section 3.2.2 (reg-name, IPv4 or bracketed IP-literal) with an optional port; may be empty.
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Fa-f:.vV]+\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)
#: Host fields that were found valid; most requests of a worker share a few.
_known_hosts: Final[set[tuple[bytes, bytes]]] = set()
_REMEMBERED_HOSTS: Final = 256
_METHODS: Final = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
}
_VERSIONS: Final = frozenset({"1.1", "1.0"})
_BAD_REQUEST: Final = 400
_FIELDS_TOO_LARGE: Final = 431
_NOT_IMPLEMENTED: Final = 501
_VERSION_NOT_SUPPORTED: Final = 505


class HttptoolsCodec:
    """Feeds llhttp and turns its callbacks into calls of a `RequestSink`.

    Args:
        sink: Takes the requests.
        max_head_size: Largest request line plus header fields, in bytes.
        max_fields: Most header fields.
    """

    __slots__ = (
        "_ended",
        "_fed",
        "_headers",
        "_max_fields",
        "_max_head_size",
        "_muted",
        "_parser",
        "_sink",
        "_special",
        "_target",
        "is_inside_head",
    )

    def __init__(self, sink: RequestSink, max_head_size: int, max_fields: int) -> None:
        self._sink = sink
        self._max_head_size = max_head_size
        self._max_fields = max_fields
        self._parser = httptools.HttpRequestParser(self)
        self._headers: Headers = []
        self._special: Headers = []
        self._target = b""
        self._fed = 0  #: bytes fed since the last read that ended outside a head
        self._ended = False  #: the client's last request is in; whatever follows is not read
        self._muted = False  #: a callback concerns a head that is read for the second time
        self.is_inside_head = False

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
        if self._ended:
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._decline_upgrade(data[stop.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self._ended:  # llhttp objects to bytes after the last request; they are not read anyway
                raise ProtocolError(_BAD_REQUEST, str(error)) from None
        if not self.is_inside_head:
            self._fed = 0
        elif self._fed > self._max_head_size:
            raise ProtocolError(_FIELDS_TOO_LARGE, "request head too large")

    def _decline_upgrade(self, rest: bytes) -> None:
        """Go on after a request for another protocol, which is answered in HTTP (RFC 9110 section 7.8).

        llhttp stops there and takes the request's body for the other protocol, so a fresh parser is put in
        the same place by a head with the same framing.
        """
        framing = [field for field in self._special if field[0] in {b"content-length", b"transfer-encoding"}]
        lines = b"".join(b"%b: %b\r\n" % field for field in framing)
        self._parser = httptools.HttpRequestParser(self)
        if framing:
            self._muted = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % lines)
            self._muted = False
        self._special = []
        if rest:
            self.feed(rest)

    # -- called by httptools, by these names -----------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start a request."""
        if not self._muted:
            self.is_inside_head = True

    def on_url(self, data: bytes) -> None:
        """Take the request target, or the next part of it."""
        if not self._muted:
            self._target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; or a trailer field, which is dropped (RFC 9110 section 6.5.1)."""
        if not self.is_inside_head:
            return
        field = (name.lower(), value)
        self._headers.append(field)
        if field[0] in _SPECIAL:
            self._special.append(field)

    def on_headers_complete(self) -> None:
        """Check the head and hand it over."""
        if self._muted:
            return
        parser, headers, target = self._parser, self._headers, self._target
        if self._fed > self._max_head_size or len(headers) > self._max_fields:
            self._check_size(headers, target)
        method = parser.get_method()
        keep_alive = parser.should_keep_alive()
        head = RequestHead(
            _METHODS.get(method) or _unusual(method), target, parser.get_http_version(), headers, keep_alive
        )
        special = self._special
        if len(special) != 1 or special[0] not in _known_hosts or head.version != "1.1":
            self._check(head)  # what most requests need not go through
        self._ended = not keep_alive
        self.is_inside_head = False
        self._headers = []
        self._target = b""
        self._sink.head_received(head)

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._sink.body_received(data)

    def on_message_complete(self) -> None:
        """Finish the request, unless llhttp skipped its body for the sake of an upgrade."""
        if len(self._special) > 1 and self._parser.should_upgrade() and _has_body(self._special):
            return
        if not self._muted:
            self._special = []
            self._sink.request_ended()

    # -- rules ------------------------------------------------------------------------------------------

    def _check_size(self, headers: Headers, target: bytes) -> None:
        if len(headers) > self._max_fields:
            raise ProtocolError(_FIELDS_TOO_LARGE, "too many header fields")
        size = len(target) + sum(len(name) + len(value) + 4 for name, value in headers)
        if size > self._max_head_size:
            raise ProtocolError(_FIELDS_TOO_LARGE, "request head too large")

    def _check(self, head: RequestHead) -> None:
        if head.version not in _VERSIONS:
            raise ProtocolError(_VERSION_NOT_SUPPORTED, f"HTTP version {head.version} is not supported")
        hosts = [field for field in self._special if field[0] == b"host"]
        # RFC 9112 section 3.2: exactly one valid Host, which only HTTP/1.0 may leave out.
        if len(hosts) != 1 and (hosts or head.version == "1.1"):
            raise ProtocolError(_BAD_REQUEST, "not exactly one Host")
        if hosts and hosts[0] not in _known_hosts:
            if not _HOST.fullmatch(hosts[0][1]):
                raise ProtocolError(_BAD_REQUEST, "invalid Host")
            if len(_known_hosts) < _REMEMBERED_HOSTS:
                _known_hosts.add(hosts[0])
        self._check_framing(head)

    def _check_framing(self, head: RequestHead) -> None:
        for name, value in self._special:
            if name == b"transfer-encoding":
                if head.version == "1.0":  # RFC 9112 section 6.1: a sign of smuggling
                    raise ProtocolError(_BAD_REQUEST, "Transfer-Encoding in HTTP/1.0")
                if value.lower() != b"chunked":
                    raise ProtocolError(_NOT_IMPLEMENTED, "transfer coding other than chunked")
            elif name == b"expect" and value.lower() == b"100-continue" and head.version == "1.1":
                head.expects_continue = True
        codings = sum(name == b"transfer-encoding" for name, _ in self._special)
        lengths = sum(name == b"content-length" for name, _ in self._special)
        if codings + lengths > 1:
            raise ProtocolError(_BAD_REQUEST, "ambiguous message length")


def _unusual(method: bytes) -> str:
    if method == b"CONNECT":
        raise ProtocolError(_NOT_IMPLEMENTED, "CONNECT is not supported")
    return method.decode("ascii")


def _has_body(special: Headers) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in special
    )
