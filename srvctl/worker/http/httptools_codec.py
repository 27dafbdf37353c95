"""HTTP/1.1 requests read by httptools (llhttp), and the rules llhttp is too lax about.

The only file that knows httptools. One instance per connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httptools

from srvctl.worker.http.protocol import VALID_HOST, Headers, ProtocolError

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import RequestSink

#: Fields that decide about framing, routing or the connection; all others pass through unread.
_SPECIAL: Final = frozenset(
    {b"host", b"transfer-encoding", b"content-length", b"expect", b"upgrade", b"connection"}
)
_FRAMING: Final = frozenset({b"transfer-encoding", b"content-length"})
_SIMPLE: Final = frozenset({b"host", b"connection"})
_PARTS_OF_LINE: Final = 3
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
        "_expects_continue",
        "_fed",
        "_has_body",
        "_headers",
        "_heads_read",
        "_is_between",
        "_is_last",
        "_is_simple",
        "_last_headers",
        "_last_section",
        "_max_fields",
        "_max_head_size",
        "_parser",
        "_read_headers",
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
        self._headers: Headers = []  #: of a head; after it, of a trailer section
        self._special: Headers = []
        self._target = b""
        self._fed = 0  #: bytes fed since the last read that ended outside a head
        self._is_between = True  #: a request has ended and the next has not begun
        self._heads_read = 0  #: in this call of feed
        self._read_headers: Headers = []  #: of the last request
        self._is_simple = False  #: the last request has no body and nothing special
        self._last_section = b"\r\n\r\n\r\n"  #: bytes of its header section (of no request yet)
        self._last_headers: Headers = []  #: the same, read
        self._has_body = False  #: the request being received has framing fields
        self._expects_continue = False
        self._is_last = False  #: the client's last request; whatever follows is not read
        self.is_inside_head = False

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
        if self._is_between and data.endswith(self._last_section) and self._take_repetition(data):
            return
        began_between, self._heads_read = self._is_between, 0
        self._is_between = False
        self._parse(data)
        if began_between and self._heads_read == 1 and self._is_between and self._is_simple:
            self._last_section = data[data.find(b"\r\n") + 2 :]
            self._last_headers = self._read_headers.copy()

    def _parse(self, data: bytes) -> None:
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._decline_upgrade(data[stop.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self._is_last or self.is_inside_head:
                raise ProtocolError(_BAD_REQUEST, str(error)) from None
            # else: llhttp objects to bytes after the last request, which nobody wants to read
        if self.is_inside_head or self._headers:
            self._check_size()
        else:
            self._fed = 0

    def _take_repetition(self, data: bytes) -> bool:
        """Take a request whose header section is, to the byte, that of the last one; return whether it was.

        Clients that keep a connection repeat themselves, and what llhttp and the rules below found in those
        bytes stays true. Only the request line is new.
        """
        parts = data[: -len(self._last_section)].split(b" ")
        if len(parts) != _PARTS_OF_LINE or parts[2] != b"HTTP/1.1\r\n":
            return False
        method, target = _METHODS.get(parts[0]), parts[1]
        if method is None or not target or not target.isascii() or not target.decode().isprintable():
            return False
        self._sink.head_received(method, target, "1.1", self._last_headers.copy(), True, False, False)
        return True

    # -- called by httptools, by these names -----------------------------------------------------------

    def on_url(self, data: bytes) -> None:
        """Take the request target, or the next part of it."""
        self._target += data
        self.is_inside_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer field."""
        field = (name.lower(), value)
        self._headers.append(field)
        if field[0] in _SPECIAL:
            self._special.append(field)

    def on_headers_complete(self) -> None:
        """Check the head and hand it over."""
        if self._fed > self._max_head_size or len(self._headers) > self._max_fields:
            self._check_size()
        parser, headers, target, special = self._parser, self._headers, self._target, self._special
        method = parser.get_method()
        keep_alive = parser.should_keep_alive()
        if keep_alive and len(special) == 1 and special[0] in _known_hosts:
            version = "1.1"  # what most requests look like: only 1.1 keeps alive without a Connection field
            self._has_body = self._expects_continue = False
            self._is_simple = True
        else:
            version = parser.get_http_version()
            self._check(version)
            self._is_simple = keep_alive and version == "1.1" and {name for name, _ in special} <= _SIMPLE
        self._is_last = not keep_alive
        self._heads_read += 1
        self._read_headers = headers
        self._headers = []
        self._target = b""
        self.is_inside_head = False
        self._sink.head_received(
            _METHODS.get(method) or _unusual(method),
            target,
            version,
            headers,
            keep_alive,
            self._has_body,
            self._expects_continue,
        )

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._sink.body_received(data)

    def on_message_complete(self) -> None:
        """Finish the request, unless llhttp skipped its body for the sake of an upgrade."""
        self._is_between = True
        if not self._has_body:
            self._special = []
        elif len(self._special) == 1 or not self._parser.should_upgrade():
            self._special = []
            self._headers = []  # trailer fields are dropped (RFC 9110 section 6.5.1)
            self._sink.request_ended()

    # -- rules ------------------------------------------------------------------------------------------

    def _check_size(self) -> None:
        """Hold a head, or a trailer section, to the limits."""
        if len(self._headers) > self._max_fields:
            raise ProtocolError(_FIELDS_TOO_LARGE, "too many header fields")
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers)
        if size > self._max_head_size or (not self._headers and self._fed > self._max_head_size):
            raise ProtocolError(_FIELDS_TOO_LARGE, "request head too large")

    def _check(self, version: str) -> None:
        if version not in _VERSIONS:
            raise ProtocolError(_VERSION_NOT_SUPPORTED, f"HTTP version {version} is not supported")
        hosts = [field for field in self._special if field[0] == b"host"]
        # RFC 9112 section 3.2: exactly one valid Host, which only HTTP/1.0 may leave out.
        if len(hosts) != 1 and (hosts or version == "1.1"):
            raise ProtocolError(_BAD_REQUEST, "not exactly one Host")
        if hosts and hosts[0] not in _known_hosts:
            if not VALID_HOST.fullmatch(hosts[0][1]):
                raise ProtocolError(_BAD_REQUEST, "invalid Host")
            if len(_known_hosts) < _REMEMBERED_HOSTS:
                _known_hosts.add(hosts[0])
        self._check_framing(version)

    def _check_framing(self, version: str) -> None:
        self._expects_continue = False
        framing = 0
        for name, value in self._special:
            framing += name in _FRAMING
            if name == b"transfer-encoding":
                if version == "1.0":  # RFC 9112 section 6.1: a sign of smuggling
                    raise ProtocolError(_BAD_REQUEST, "Transfer-Encoding in HTTP/1.0")
                if value.lower() != b"chunked":
                    raise ProtocolError(_NOT_IMPLEMENTED, "transfer coding other than chunked")
            elif name == b"expect" and value.lower() == b"100-continue" and version == "1.1":
                self._expects_continue = True
        if framing > 1:
            raise ProtocolError(_BAD_REQUEST, "ambiguous message length")
        self._has_body = framing == 1

    # -- upgrades ---------------------------------------------------------------------------------------

    def _decline_upgrade(self, rest: bytes) -> None:
        """Go on after a request for another protocol, which is answered in HTTP (RFC 9110 section 7.8).

        llhttp stops there and takes the request's body for the other protocol, so a fresh parser is put in
        the same place by a head with the same framing.
        """
        lines = b"".join(b"%b: %b\r\n" % field for field in self._special if field[0] in _FRAMING)
        self._special = []
        if not self._has_body:
            self._parser = httptools.HttpRequestParser(self)
        else:
            self._parser = httptools.HttpRequestParser(_Replay(self))
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % lines)
        if rest:
            self.feed(rest)


class _Replay:
    """Takes the callbacks of a parser whose first head is known already."""

    def __init__(self, codec: HttptoolsCodec) -> None:
        self._codec = codec
        self._is_first = True

    def on_url(self, data: bytes) -> None:
        if not self._is_first:
            self._codec.on_url(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_first:
            self._codec.on_header(name, value)

    def on_headers_complete(self) -> None:
        if not self._is_first:
            self._codec.on_headers_complete()

    def on_body(self, data: bytes) -> None:
        self._codec.on_body(data)

    def on_message_complete(self) -> None:
        self._is_first = False
        self._codec.on_message_complete()


def _unusual(method: bytes) -> str:
    if method == b"CONNECT":
        raise ProtocolError(_NOT_IMPLEMENTED, "CONNECT is not supported")
    return method.decode("ascii")
