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
_PLAIN: Final = frozenset({b"host", b"connection"})
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
        "_has_body",
        "_headers",
        "_heads_read",
        "_is_between",
        "_is_last",
        "_is_over",
        "_line",
        "_line_method",
        "_line_target",
        "_max_fields",
        "_max_head_size",
        "_parser",
        "_read_size",
        "_repeatable",
        "_section",
        "_section_headers",
        "_sink",
        "_special",
        "_target",
        "_unproductive",
        "is_inside_head",
    )

    def __init__(self, sink: RequestSink, max_head_size: int, max_fields: int) -> None:
        self._sink = sink
        self._max_head_size = max_head_size
        self._max_fields = max_fields
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: Headers = []  #: of a head; after it, of a trailer section
        self._special: Headers = []
        self._has_body = False  #: the request being received has framing fields
        self._expects_continue = False
        self._is_last = False  #: the client wants the connection closed after the request being received
        self._is_over = False  #: that request has ended; whatever follows is not read
        self._read_size = 0  #: bytes of the current read
        self._unproductive = 0  #: bytes of the reads since a request, or a piece of a body, ended
        self._is_between = True  #: a request has ended and the next has not begun
        self._repeatable: tuple[bytes, Headers] | None = None  #: last request line and headers, if plain
        self._heads_read = 0  #: in the current read
        self._section: bytes | None = None  #: header section of the last plain request, to the byte
        self._section_headers: Headers = []  #: the same, read
        self._line: bytes | None = None  #: the request line last seen before it
        self._line_method, self._line_target = "", b""
        self.is_inside_head = False

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ProtocolError: The bytes are not acceptable HTTP; the codec must not be fed again.
        """
        if self._is_between and self._take_repetition(data):
            return
        self._repeatable, self._heads_read = None, 0
        began_between = self._is_between
        rest = data
        while rest and not self._is_over:
            rest = self._parse(rest)
        if began_between and self._is_between and self._heads_read == 1:
            self._remember_section(data)

    def _remember_section(self, data: bytes) -> None:
        if self._repeatable is not None:
            line, headers = self._repeatable
            if data.startswith(line):  # else: it stands behind an empty line
                self._section, self._section_headers = data[len(line) :], headers
                self._line = None  # its length was judged beside another section

    def _take_repetition(self, data: bytes) -> bool:
        """Take a request whose header section is, to the byte, that of the last one; return whether it was.

        Clients that keep a connection repeat themselves, and what llhttp and the rules below found in those
        bytes stays true. Only the request line is new.
        """
        section = self._section
        if section is None or not data.endswith(section):
            return False
        line = data[: -len(section)]
        if line != self._line:
            parts = line.split(b" ")
            if len(parts) != _PARTS_OF_LINE or parts[2] != b"HTTP/1.1\r\n" or len(data) > self._max_head_size:
                return False
            method, target = _METHODS.get(parts[0]), parts[1]
            if method is None or not target or not target.isascii() or not target.decode().isprintable():
                return False
            self._line, self._line_method, self._line_target = line, method, target
        headers = self._section_headers.copy()
        self._sink.head_received(self._line_method, self._line_target, "1.1", headers, True, False, False)
        return True

    def _parse(self, data: bytes) -> bytes:
        """Give bytes to llhttp; return those it left."""
        self._read_size = len(data)
        self._unproductive += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._decline_upgrade()
            return data[stop.args[0] :]
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if not self._is_over:  # else: llhttp objects to bytes behind the last request
                raise ProtocolError(_BAD_REQUEST, str(error)) from None
        if self._unproductive > self._max_head_size:
            raise ProtocolError(_FIELDS_TOO_LARGE, "request head too large")
        if self._headers:
            self._check_size(self._target, self._headers)
        return b""

    # -- called by httptools, by these names -----------------------------------------------------------

    def on_message_begin(self) -> None:
        """Start a request with its first byte."""
        self._is_between = False
        self.is_inside_head = True

    def on_url(self, data: bytes) -> None:
        """Take the request target, or the next part of it."""
        self._target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer field."""
        field = (name.lower(), value.rstrip(b" \t"))  # RFC 9112 section 5.1; llhttp strips the left side
        self._headers.append(field)
        if field[0] in _SPECIAL and self.is_inside_head:
            self._special.append(field)
        if len(self._headers) > self._max_fields:
            raise ProtocolError(_FIELDS_TOO_LARGE, "too many header fields")

    def on_headers_complete(self) -> None:
        """Check the head and hand it over."""
        parser, headers, target, special = self._parser, self._headers, self._target, self._special
        if self._unproductive + self._read_size > self._max_head_size:
            self._check_size(target, headers)
        keep_alive = parser.should_keep_alive()
        raw_method = parser.get_method()
        method = _METHODS.get(raw_method) or _unusual(raw_method)
        if keep_alive and len(special) == 1 and special[0] in _known_hosts:
            version = "1.1"  # what most requests look like: only 1.1 keeps alive without a Connection field
            self._has_body = self._expects_continue = False
            is_plain = True
        else:
            version = parser.get_http_version()
            self._check(version)
            is_plain = keep_alive and version == "1.1" and {name for name, _ in special} <= _PLAIN
        if is_plain:  # copied before anyone changes them
            self._repeatable = (b"%b %b HTTP/1.1\r\n" % (raw_method, target), headers.copy())
        self._heads_read += 1
        self._is_last = not keep_alive
        self._headers = []
        self._target = b""
        self.is_inside_head = False
        self._sink.head_received(
            method, target, version, headers, keep_alive, self._has_body, self._expects_continue
        )

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._unproductive = 0
        self._sink.body_received(data)

    def on_message_complete(self) -> None:
        """Finish the request, unless llhttp skipped its body for the sake of an upgrade."""
        if self._has_body:
            if len(self._special) > 1 and self._parser.should_upgrade():
                return
            self._check_size(b"", self._headers)  # trailer fields, which are dropped (RFC 9110 section 6.5.1)
            self._headers = []
            self._sink.request_ended()
        self._special = []
        self._unproductive = 0
        self._is_over = self._is_last
        self._is_between = not self._is_last

    # -- rules ------------------------------------------------------------------------------------------

    def _check_size(self, target: bytes, headers: Headers) -> None:
        if len(target) + sum(len(name) + len(value) + 4 for name, value in headers) > self._max_head_size:
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
        self._expects_continue = self._expects_continue and self._has_body

    # -- upgrades ---------------------------------------------------------------------------------------

    def _decline_upgrade(self) -> None:
        """Go on after a request for another protocol, which is answered in HTTP (RFC 9110 section 7.8).

        llhttp stops there and takes the request's body for the other protocol, so a fresh parser is put in
        the same place by a head with the same framing.
        """
        if self._is_between or self._is_over:
            self._parser = httptools.HttpRequestParser(self)
            return
        lines = [b"%b: %b\r\n" % field for field in self._special if field[0] in _FRAMING]
        if self._is_last:
            lines.append(b"Connection: close\r\n")
        self._special = []
        self._parser = httptools.HttpRequestParser(_Replay(self))
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(lines))


class _Replay:
    """Takes the callbacks of a parser whose first head is known already."""

    def __init__(self, codec: HttptoolsCodec) -> None:
        self._codec = codec
        self._is_known = True

    def on_message_begin(self) -> None:
        if not self._is_known:
            self._codec.on_message_begin()

    def on_url(self, data: bytes) -> None:
        if not self._is_known:
            self._codec.on_url(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_known:
            self._codec.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_known:
            self._is_known = False
        else:
            self._codec.on_headers_complete()

    def on_body(self, data: bytes) -> None:
        self._codec.on_body(data)

    def on_message_complete(self) -> None:
        self._codec.on_message_complete()


def _unusual(method: bytes) -> str:
    if method == b"CONNECT":
        raise ProtocolError(_NOT_IMPLEMENTED, "CONNECT is not supported")
    return method.decode("ascii")
