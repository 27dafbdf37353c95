"""The response of one request: which ASGI message may follow which, and how its bytes are framed.

The order of messages stands in tables at the end of this file: one for each state of a response, from the
type of a message to what it does. A response that cannot be completed ends the connection, so that no client
ever takes the bytes of one response for another's.

The order is the same for every version of HTTP. What a version frames in its own way stands apart, in the
methods under "framing": here for HTTP/1, in `srvctl.worker.http2.framing` for HTTP/2.
"""
# ruff: noqa: SLF001 - the tables are part of the class

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.http.extensions import DEBUG, EARLY_HINT, PATHSEND, TRAILERS, ZEROCOPYSEND
from srvctl.worker.http.file_body import FileBody
from srvctl.worker.http.headers import CLOSE, OWN_GENERAL, STATUS_LINES, encode_fields, status_line
from srvctl.worker.http.request_id import NAME as REQUEST_ID
from srvctl.worker.http.roles import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from srvctl.worker.http.inbox import Inbox
    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http.roles import CycleHost, CycleServer
    from srvctl.worker.http.scope import Scope

    Message = dict[str, Any]

_EARLY_HINTS: Final = b"HTTP/1.1 103 Early Hints\r\n"
_LAST_CHUNK: Final = b"0\r\n"
_CONNECTION_CLOSE: Final = b"connection: close\r\n"
_CONNECTION_KEEP_ALIVE: Final = b"connection: keep-alive\r\n"  # for HTTP/1.0, where closing is the default
_TRANSFER_ENCODING: Final = b"transfer-encoding: chunked\r\n"
_LARGE: Final = 16 * 1024  #: bodies from here on are not copied behind their head
_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304
_BODILESS_STATUS: Final = frozenset({_NO_CONTENT, _NOT_MODIFIED})  # RFC 9112 section 6.3
_CRLF: Final = b"\r\n"
#: What a client has to know before the body (RFC 9110 section 6.5.1): framing, routing, authentication,
#: control and content format.
_NO_TRAILERS: Final = frozenset(
    {
        *(b"content-length", b"transfer-encoding", b"connection", b"trailer", b"upgrade", b"te"),
        *(b"host", b"location", b"set-cookie", b"www-authenticate", b"proxy-authenticate", b"authorization"),
        *(b"cache-control", b"expires", b"age", b"vary", b"retry-after"),
        *(b"content-encoding", b"content-type", b"content-range"),
    }
)
_EVENT_STREAM: Final = b"text/event-stream"
_PLAIN_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class Response:
    """The half of a `RequestCycle` that sends.

    Attributes:
        head: The head of the request.
        scope: The request as the application sees it.
        inbox: The request's body; None while neither client nor application cared for one.
        keep_alive: Whether the connection may go on behind the response.
        is_disconnected: The client is gone: nothing that is sent would reach it.
        request_id: What the response calls the request; None for nothing.
        status: Of the response; 0 before it has one.
        fields: The application's fields of the response, as lines; once it has a status.
        body_sent: Bytes of its content.
    """

    __slots__ = (
        "_accepts",
        "_has_trailers",
        "_host",
        "_length",
        "_remaining",
        "_says",
        "_server",
        "_status_line",
        "body_sent",
        "fields",
        "head",
        "inbox",
        "is_disconnected",
        "keep_alive",
        "request_id",
        "scope",
        "status",
    )

    head: RequestHead
    scope: Scope
    inbox: Inbox | None
    keep_alive: bool
    is_disconnected: bool
    request_id: bytes | None
    status: int
    fields: bytes
    body_sent: int
    _host: CycleHost
    _server: CycleServer
    _accepts: Steps
    _status_line: bytes
    _length: int | None  #: the Content-Length the application announced
    _remaining: int  #: bytes it still allows
    _says: int
    _has_trailers: bool

    @property
    def is_response_begun(self) -> bool:
        """Whether bytes of the response were handed to the transport."""
        return self._accepts is not BEFORE_START and self._accepts is not _STARTED

    @property
    def is_response_complete(self) -> bool:
        """Whether the response has ended, one way or another."""
        return self._accepts is COMPLETE

    @property
    def ends_with_connection(self) -> bool:
        """Whether only the end of the connection tells the client where the body ends."""
        return self._accepts is UNSIZED

    @property
    def is_event_stream(self) -> bool:
        """Whether the response goes on for as long as the client likes."""
        return self.is_response_begun and _EVENT_STREAM in self.fields.lower()

    def give_up(self) -> None:
        """Answer 500 if nothing was sent yet; else break the connection, so that the client notices."""
        if self._accepts is COMPLETE or self.is_disconnected:
            return
        if self.is_response_begun:
            self._host.response_broken(self)
            self._accepts = COMPLETE
        else:
            self.answer(500, b"Internal Server Error")

    def answer(self, status: int, text: bytes, *fields: tuple[bytes, bytes]) -> None:
        """Answer in the application's place; only before its response has begun."""
        self._on_start({"status": status, "headers": (_PLAIN_TEXT, *fields)})
        self._on_first_body({"body": text})

    # -- the application -------------------------------------------------------------------------------

    async def send(self, message: Message) -> None:
        """Take an ASGI message.

        Raises:
            ClientDisconnected: The client went away.
            RuntimeError: The message is out of order, or of an extension that the request does not have.
            HeaderError: A header field must not be sent.
            OSError: A file cannot be opened, or became shorter while it was sent.
        """
        if self.is_disconnected:
            raise ClientDisconnected("the client went away")
        step = self._accepts.get(message["type"])
        if step is None:
            raise RuntimeError(self._order_error(message["type"]))
        rest = step(self, message)
        if rest is not None:
            await rest
        if self._host.can_write is not None and self._accepts is not COMPLETE:  # else: nothing can follow
            await asyncio.shield(self._host.can_write)

    def _order_error(self, kind: object) -> str:
        if self._accepts is COMPLETE:
            return f"Unexpected ASGI message {kind!r} sent, after response already completed."
        if self._accepts is _SENDING_FILE:
            return f"Unexpected ASGI message {kind!r} sent, while a file is being sent."
        offered = (repr(name) for name in self._accepts if name in _CORE or self._offers(name))
        return f"Expected ASGI message {' or '.join(offered)}, but got {kind!r}."

    def _offers(self, extension: str) -> bool:
        return extension in self.scope.get("extensions", ())  # a middleware may have taken them away

    def _require(self, extension: str) -> None:
        """Refuse a message of an extension that the request was not offered.

        Raises:
            RuntimeError: It was not.
        """
        if not self._offers(extension):
            raise RuntimeError(self._order_error(extension))

    # -- before the response ---------------------------------------------------------------------------

    def _on_early_hint(self, message: Message) -> None:
        """Send the links of an interim response (RFC 8297) while the application prepares the final one."""
        self._require(message["type"])
        links, _, _ = encode_fields([(b"link", link) for link in message["links"]], 0)
        self._send_hints(links)

    def _on_debug(self, message: Message) -> None:
        self._require(message["type"])
        self._server.debug(message.get("info"))

    # -- the response ----------------------------------------------------------------------------------

    def _on_start(self, message: Message) -> None:
        """Hold the head back: it leaves in one write with the first piece of the body."""
        status, headers = message["status"], message.get("headers", ())
        self._has_trailers = self.head.takes_trailers and bool(message.get("trailers"))
        if self._has_trailers:  # only chunks can carry trailers, and chunks have no Content-Length
            headers = [field for field in headers if field[0].lower() != b"content-length"]
        self._status_line = STATUS_LINES.get(status) or status_line(status)
        self.fields, self._length, self._says = encode_fields(headers, status)
        self.status = status
        self._accepts = _STARTED

    def _on_first_body(self, message: Message) -> None:
        # Not by `_content_of`: most responses pass here, and none but here, so that its cost would be theirs.
        body, more = message.get("body", b""), message.get("more_body", False)
        if body.__class__ is not bytes:
            body = _as_bytes(body)
        if self._length == len(body) and not more and self._is_plain():
            # What most applications send: a whole body of the length it has, and nothing special about it.
            self.body_sent = len(body)
            general = self._server.all_general_fields
            self._host.write(b"".join((self._status_line, general, self.fields, _CRLF, body)))
            self._complete()
            return
        framing, accepts = self._frame(len(body), more)
        if accepts is BODILESS:
            body = b""
        self.body_sent = len(body)
        self._accepts = accepts
        self._begin(framing, body, more)

    def _is_plain(self) -> bool:
        """Return whether nothing is to be added to the application's fields, nor anything to be left out."""
        return (
            self._says == 0
            and self.keep_alive
            and self.head.is_plain
            and self.status not in _BODILESS_STATUS
            and self._length is not None
            and self._length < _LARGE
            and (self.inbox is None or not self.inbox.expects_continue)
            and self.request_id is None
            and not self._server.is_draining
        )

    def _frame(self, size: int, more: bool) -> tuple[bytes, Steps]:
        """Choose how the client learns where the body ends (RFC 9112 section 6).

        Args:
            size: Bytes of the first piece of the body.
            more: Whether others will follow.

        Returns:
            The field that tells, if the application's own do not, and the state this leads to.

        Raises:
            RuntimeError: The piece does not fit the announced length.
        """
        inbox = self.inbox
        if self._says & CLOSE or self._server.is_draining or (inbox is not None and inbox.expects_continue):
            # Answered without 100 Continue, a client may or may not send the body (RFC 9110 section 10.1.1).
            self.keep_alive = False
        if self._is_bodiless():
            return self._describe_absent(0 if more else size), BODILESS
        if self._length is not None:
            self._remaining = self._length
            if size != self._length or more:
                self._spend(size, more)
            return b"", _SIZED
        if not more and not self._has_trailers:
            self._remaining = 0
            return b"content-length: %d\r\n" % size, _SIZED
        return self._frame_unsized()

    def _is_bodiless(self) -> bool:
        """Return whether the response has no body, whatever the application sends."""
        return self.head.method == "HEAD" or self.status in _BODILESS_STATUS

    def _describe_absent(self, size: int) -> bytes:
        """Return the framing of a response without a body, whose length is the one it would have had.

        The body of a HEAD response that the application gave all the same tells that length.
        """
        wants_length = self._length is None and self.head.method == "HEAD" and size
        return b"content-length: %d\r\n" % size if wants_length else b""

    def _general(self) -> bytes:
        """Return the fields that the server adds."""
        server, says = self._server, self._says
        return server.general_fields(says) if says & OWN_GENERAL else server.all_general_fields

    def _id_field(self) -> bytes:
        """Return the field that names the request, if it has a name and the application does not say it."""
        if self.request_id is None or b"\r\n%b:" % REQUEST_ID in _CRLF + self.fields.lower():
            return b""
        return b"%b: %b\r\n" % (REQUEST_ID, self.request_id)

    def _on_sized_body(self, message: Message) -> None:
        body, more = _content_of(message)
        self._spend(len(body), more)
        self._send_on(body, body, more)

    def _on_plain_body(self, message: Message) -> None:
        body, more = _content_of(message)
        self._send_on(body, body, more)

    def _on_chunk(self, message: Message) -> None:
        body, more = _content_of(message)
        if len(body) < _LARGE:
            self._send_on(body, b"".join(_chunk(body)), more)
        else:
            self._host.writelines(_chunk(body))
            self._send_on(body, b"", more)

    def _send_on(self, body: bytes, unsent: bytes, more: bool) -> None:
        """Count a piece of the body, and send what is not sent of it."""
        self.body_sent += len(body)
        if not more:
            self._end_body(unsent)
        elif unsent:
            self._host.write(unsent)

    def _on_absent_body(self, message: Message) -> None:
        _, more = _content_of(message)
        if not more:
            self._end_body()

    def _spend(self, size: int, more: bool) -> None:
        """Hold the application to the length it announced (RFC 9110 section 8.6).

        Raises:
            RuntimeError: The body is longer or shorter.
        """
        remaining = self._remaining - size
        if remaining < 0:
            raise RuntimeError("Response content longer than Content-Length.")
        if remaining > 0 and not more:
            raise RuntimeError("Response content shorter than Content-Length.")
        self._remaining = remaining

    def _on_trailers(self, message: Message) -> None:
        headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
        for name, _ in headers:
            if name.lower() in _NO_TRAILERS:
                raise RuntimeError(f"{name.decode('latin-1')} is no trailer field.")
        fields, _, _ = encode_fields(headers, self.status)
        more = message.get("more_trailers", False)
        self._send_trailers(fields, more)
        if not more:
            self._complete()

    def _on_unsent_trailers(self, message: Message) -> None:
        if not message.get("more_trailers", False):
            self._complete()

    def _complete(self) -> None:
        self._accepts = COMPLETE
        if self.inbox is not None:
            self.inbox.close()
        self._host.response_ended(self)

    # -- framing: how HTTP/1 tells the client all this (RFC 9112 sections 6 and 7) ---------------------

    def _send_hints(self, links: bytes) -> None:
        """Send an interim response with these fields."""
        self._host.write(b"".join((_EARLY_HINTS, links, _CRLF)))

    def _frame_unsized(self) -> tuple[bytes, Steps]:
        """Choose how the client learns where a body of unknown length ends; return as `_frame` does."""
        if self.head.version == "1.1":
            return _TRANSFER_ENCODING, _CHUNKED
        self.keep_alive = False  # HTTP/1.0: only the end of the connection ends the body
        return b"", UNSIZED

    def _finish_head(self, framing: bytes) -> bytes:
        """Return the whole head."""
        if not self.keep_alive:
            framing += _CONNECTION_CLOSE
        elif self.head.version == "1.0":
            framing += _CONNECTION_KEEP_ALIVE
        framing += self._id_field()
        return b"".join((self._status_line, self._general(), self.fields, framing, _CRLF))

    def _begin(self, framing: bytes, body: bytes, more: bool) -> None:
        """Send the head and the first piece of the body, in the state that the response is in by now.

        Args:
            framing: The field that tells where the body ends, if the application's own do not.
            body: May be empty.
            more: Others will follow.
        """
        head = self._finish_head(framing)
        pieces = (head, *_chunk(body)) if self._accepts is _CHUNKED else (head, body)
        if len(body) < _LARGE:
            self._host.write(b"".join(pieces))
        else:
            self._host.writelines(pieces)
        if not more:
            self._end_body()

    def _end_body(self, unsent: bytes = b"") -> None:
        """Send what is left of the body, in one write with what ends it."""
        is_chunked = self._accepts is _CHUNKED
        if is_chunked:
            unsent += _LAST_CHUNK if self._has_trailers else _LAST_CHUNK + _CRLF
        if unsent:
            self._host.write(unsent)
        if self._has_trailers:
            self._accepts = TRAILING if is_chunked else UNSENT_TRAILERS
        else:
            self._complete()

    def _send_trailers(self, fields: bytes, more: bool) -> None:
        """Send trailer fields."""
        self._host.write(fields if more else fields + _CRLF)

    # -- files as bodies -------------------------------------------------------------------------------

    def _on_path(self, message: Message) -> Coroutine[Any, Any, None]:
        self._require(message["type"])
        return self._send_file(FileBody.open(message["path"]), more=False)

    def _on_file(self, message: Message) -> Coroutine[Any, Any, None]:
        self._require(message["type"])
        body = FileBody.from_file(message["file"], message.get("offset"), message.get("count"))
        return self._send_file(body, more=message.get("more_body", False))

    async def _send_file(self, body: FileBody, *, more: bool) -> None:
        with body:
            small = body.take_small()
            if small is not None:
                self._accepts["http.response.body"](self, {"body": small, "more_body": more})
                return
            if self._accepts is _STARTED:
                framing, self._accepts = self._frame(body.count, more)
                self._begin(framing, b"", more=True)
            elif self._accepts is _SIZED:
                self._spend(body.count, more)
            if body.count and self._accepts is not BODILESS:
                await self._send_content(body)
        if not more:
            self._end_body()

    async def _send_content(self, body: FileBody) -> None:
        accepts, self._accepts = self._accepts, _SENDING_FILE
        if accepts is _CHUNKED:
            self._host.write(b"%x\r\n" % body.count)
        try:
            await self._host.send_file(body)
        except ClientDisconnected:
            self.is_disconnected = True  # the connection will say so a turn of the loop later
            raise
        except BaseException:  # cancelled, for instance: a part of the file is on its way
            self._accepts = accepts
            self.give_up()
            raise
        self.body_sent += body.count
        self._accepts = accepts
        if accepts is _CHUNKED:
            self._host.write(_CRLF)


def _content_of(message: Message) -> tuple[bytes, bool]:
    """Return a body and whether more will follow; a view of larger items counts more bytes than items.

    Raises:
        TypeError: The body is not bytes.
    """
    body = message.get("body", b"")
    if body.__class__ is not bytes:
        body = _as_bytes(body)
    return body, message.get("more_body", False)


def _as_bytes(body: object) -> bytes:
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"a body is bytes, not {type(body).__name__}")
    return bytes(body)


def _chunk(body: bytes) -> tuple[bytes, ...]:
    """Return a chunk in pieces; none for nothing, because an empty chunk would end the body."""
    return (b"%x\r\n" % len(body), body, _CRLF) if body else ()


# The order of ASGI messages: which is accepted in which state of the response, and what it does. A missing
# entry is the application's error, and so is an extension that the request was not offered.
Steps = dict[str, Any]
_R: Final = Response
_CORE: Final = frozenset({"http.response.start", "http.response.body"})
BEFORE_START: Final[Steps] = {
    "http.response.start": _R._on_start,
    EARLY_HINT: _R._on_early_hint,
    DEBUG: _R._on_debug,
}
_STARTED: Final[Steps] = {
    "http.response.body": _R._on_first_body,
    PATHSEND: _R._on_path,
    ZEROCOPYSEND: _R._on_file,
}
_SIZED: Final[Steps] = {"http.response.body": _R._on_sized_body, ZEROCOPYSEND: _R._on_file}
_CHUNKED: Final[Steps] = {"http.response.body": _R._on_chunk, ZEROCOPYSEND: _R._on_file}
UNSIZED: Final[Steps] = {"http.response.body": _R._on_plain_body, ZEROCOPYSEND: _R._on_file}
BODILESS: Final[Steps] = {"http.response.body": _R._on_absent_body, ZEROCOPYSEND: _R._on_file}
_SENDING_FILE: Final[Steps] = {}
TRAILING: Final[Steps] = {TRAILERS: _R._on_trailers}
UNSENT_TRAILERS: Final[Steps] = {TRAILERS: _R._on_unsent_trailers}
COMPLETE: Final[Steps] = {}
