"""One request and its response: the ASGI conversation with the application.

Knows the order of ASGI messages (a table) and the framing of responses; knows no parser and no loop API
beyond futures. A response that cannot be completed ends the connection, so that no client ever takes the
bytes of one response for another's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from srvctl.worker.http.headers import CLOSE, OWN_GENERAL, STATUS_LINES, encode_fields, status_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from srvctl.worker.http.scope import Scope

    Message = dict[str, Any]
    Application = Callable[
        [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[object],
    ]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_CONNECTION_CLOSE: Final = b"connection: close\r\n"
_CONNECTION_KEEP_ALIVE: Final = b"connection: keep-alive\r\n"  # for HTTP/1.0, where closing is the default
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_LARGE: Final = 16 * 1024  #: bodies from here on are not copied behind their head
_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304
_BODILESS: Final = frozenset({_NO_CONTENT, _NOT_MODIFIED})  # RFC 9112 section 6.3
_CRLF: Final = b"\r\n"
_ERROR_START: Final = {"status": 500, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}
_ERROR_BODY: Final = {"body": b"Internal Server Error"}


class ClientDisconnected(OSError):  # noqa: N818 - the name Starlette and uvicorn use
    """Raised by ``send()`` after the client went away (ASGI HTTP spec 2.4)."""


class CycleHost(Protocol):
    """What a cycle needs of its connection."""

    can_write: asyncio.Future[None] | None  #: what to wait for before more is sent, or None

    write: Callable[[bytes], None]  #: sends bytes
    writelines: Callable[[Iterable[bytes]], None]  #: sends pieces without joining them

    def body_taken(self) -> None:
        """Learn that the application took what was received of the body."""

    def response_ended(self, cycle: RequestCycle) -> None:
        """Learn that the response is complete."""

    def response_broken(self, cycle: RequestCycle) -> None:
        """Learn that the response can never be completed: the connection must not be used again."""


class CycleServer(Protocol):
    """What a cycle needs of its server."""

    is_draining: bool  #: responses are the last on their connections
    all_general_fields: bytes  #: the fields that the server adds to most responses

    def general_fields(self, says: int) -> bytes:
        """Return those of them that go beside the application's own fields, which say this (flags)."""

    def report(self, error: BaseException | None, text: str) -> None:
        """Log a fault of the application."""


class RequestCycle:
    """Runs the application for one request.

    Args:
        host: The connection.
        server: The server.
        scope: The request as the application sees it.
        method: Its method.
        version: Its HTTP version, ``1.0`` or ``1.1``.
        keep_alive: Whether the connection may go on after it.
        expects_continue: Whether the client waits for ``100 Continue`` before it sends the body.
    """

    __slots__ = (
        "_accepts",
        "_body",
        "_expects_continue",
        "_fields",
        "_has_eof",
        "_host",
        "_is_body_taken",
        "_is_chunked",
        "_length",
        "_remaining",
        "_says",
        "_sends_body",
        "_server",
        "_status_line",
        "_waiters",
        "is_disconnected",
        "is_request_complete",
        "is_response_complete",
        "keep_alive",
        "method",
        "scope",
        "status",
        "unread_size",
        "version",
    )

    _status_line: bytes
    _fields: bytes
    _length: int | None
    _says: int

    def __init__(
        self,
        host: CycleHost,
        server: CycleServer,
        scope: Scope,
        method: str,
        version: str,
        keep_alive: bool,
        expects_continue: bool,
    ) -> None:
        self.scope = scope
        self.method = method
        self.version = version
        self.keep_alive = keep_alive
        self._expects_continue = expects_continue
        self._host = host
        self._server = server
        self._accepts = _BEFORE_START
        self.is_request_complete = False
        self.is_response_complete = False
        self.is_disconnected = False
        self.status = 0
        self.unread_size = 0  #: bytes of the body that are received and not taken by the application
        self._body: list[bytes] | None = None
        self._is_body_taken = False
        self._has_eof = False
        self._waiters: list[asyncio.Future[None]] | None = None
        self._is_chunked = False
        self._sends_body = True
        self._remaining: int | None = None  #: bytes the announced length still allows

    # -- from the connection ---------------------------------------------------------------------------

    @property
    def is_response_begun(self) -> bool:
        """Whether bytes of the response were handed to the transport."""
        return self._accepts is _STREAMING or self._accepts is _COMPLETE

    def body_received(self, data: bytes) -> None:
        """Take a piece of the request body."""
        if self._accepts is _COMPLETE:
            return  # nobody will ask for it
        self._expects_continue = False
        if self._body is None:
            self._body = []
        self._body.append(data)
        self.unread_size += len(data)
        self._wake()

    def request_ended(self) -> None:
        """Learn that the request is complete."""
        self.is_request_complete = True
        self._expects_continue = False
        if self._waiters is not None:
            self._wake()

    def client_left(self) -> None:
        """Learn that the connection is gone: a waiting application is told, and sending fails from now on."""
        self.is_disconnected = True
        self._wake()

    def client_finished(self) -> None:
        """Learn that the client sends nothing more: it left, or it only shut down its sending side.

        A waiting application is told that the client left; one that sends its response may still succeed.
        """
        self.keep_alive = False
        self._has_eof = True
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    # -- the application -------------------------------------------------------------------------------

    def returned(self, result: object) -> None:
        """Take the return of the application; one that left its response unfinished has failed."""
        if result is not None:
            self._server.report(None, f"ASGI callable should return None, but returned {result!r:.100}.")
        if self._accepts is _COMPLETE or self.is_disconnected:
            return
        if self._has_eof:  # it was told that the client left, and may leave as well
            self._host.response_broken(self)
        else:
            started = "completing" if self.is_response_begun else "starting"
            self.failed(None, f"ASGI callable returned without {started} response.")

    def failed(self, error: BaseException | None, text: str) -> None:
        """Log a fault of the application and do with its response what can still be done."""
        self._server.report(error, text)
        self.give_up()

    def give_up(self) -> None:
        """Answer 500 if nothing was sent yet; else break the connection, so that the client notices."""
        if self._accepts is _COMPLETE or self.is_disconnected:
            return
        if self._accepts is _STREAMING:
            self._accepts = _COMPLETE
            self._host.response_broken(self)
        else:
            self._on_start(_ERROR_START)
            self._on_first_body(_ERROR_BODY)

    async def receive(self) -> Message:
        """Return the next ASGI event: a piece of the body, or that the client left or was answered."""
        while self._accepts is not _COMPLETE:
            if self._body or (self.is_request_complete and not self._is_body_taken):
                return self._take_body()
            if self.is_disconnected or self._has_eof:
                break
            if self._expects_continue:
                self._expects_continue = False
                if self._accepts is not _STREAMING:
                    self._host.write(_CONTINUE)
            waiter = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            await waiter
        return {"type": "http.disconnect"}

    def _take_body(self) -> Message:
        parts, self._body = self._body, None
        data = b"" if not parts else parts[0] if len(parts) == 1 else b"".join(parts)
        self.unread_size = 0
        if parts:
            self._host.body_taken()
        self._is_body_taken = self.is_request_complete
        return {"type": "http.request", "body": data, "more_body": not self.is_request_complete}

    async def send(self, message: Message) -> None:
        """Take an ASGI message.

        Raises:
            ClientDisconnected: The client went away.
            RuntimeError: The message is out of order.
            HeaderError: A header field must not be sent.
        """
        if self.is_disconnected:
            raise ClientDisconnected("the client went away")
        step = self._accepts.get(message["type"])
        if step is None:
            raise RuntimeError(self._order_error(message["type"]))
        step(self, message)
        if self._host.can_write is not None:
            await asyncio.shield(self._host.can_write)

    def _order_error(self, kind: object) -> str:
        if self._accepts is _COMPLETE:
            return f"Unexpected ASGI message {kind!r} sent, after response already completed."
        expected = " or ".join(repr(name) for name in self._accepts)
        return f"Expected ASGI message {expected}, but got {kind!r}."

    # -- the response ----------------------------------------------------------------------------------

    def _on_start(self, message: Message) -> None:
        """Hold the head back: it leaves in one write with the first piece of the body."""
        status = message["status"]
        self._status_line = STATUS_LINES.get(status) or status_line(status)
        self._fields, self._length, self._says = encode_fields(message.get("headers", ()), status)
        self.status = status
        self._accepts = _STARTED

    def _on_first_body(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if body.__class__ is not bytes:
            body = _as_bytes(body)
        server, says = self._server, self._says
        if says & CLOSE or server.is_draining or self._expects_continue:
            # Answered without 100 Continue, a client may or may not send the body (RFC 9110 section 10.1.1).
            self.keep_alive = False
        if self.method == "HEAD" or self.status in _BODILESS:
            framing, sent = self._describe_absent(0 if more else len(body)), b""
        elif self._length == len(body) and not more:
            framing, sent = b"", body
        else:
            framing, sent = self._frame(body, more), body
        if not self.keep_alive:
            framing += _CONNECTION_CLOSE
        elif self.version == "1.0":
            framing += _CONNECTION_KEEP_ALIVE
        general = server.general_fields(says) if says & OWN_GENERAL else server.all_general_fields
        if len(sent) < _LARGE:
            if self._is_chunked:
                sent = _chunk(sent, more)
            self._host.write(b"".join((self._status_line, general, self._fields, framing, _CRLF, sent)))
        else:
            head = b"".join((self._status_line, general, self._fields, framing, _CRLF))
            self._host.writelines((head, _chunk(sent, more) if self._is_chunked else sent))
        self._accepts = _STREAMING
        if not more:
            self._complete()

    def _frame(self, body: bytes, more: bool) -> bytes:
        """Choose how the client learns where the body ends (RFC 9112 section 6); return that field."""
        self._sends_body = True  # a failed attempt at another status may have said otherwise
        if self._length is not None:
            self._remaining = self._length
            self._spend(len(body), more)
            return b""
        if not more:
            return b"content-length: %d\r\n" % len(body)
        if self.version == "1.1":
            self._is_chunked = True
            return _CHUNKED
        self.keep_alive = False  # HTTP/1.0: only the end of the connection ends the body
        return b""

    def _describe_absent(self, size: int) -> bytes:
        """Return the framing of a response without a body, whose length is the one it would have had.

        The body of a HEAD response that the application gave all the same tells that length.
        """
        self._sends_body = False
        wants_length = self._length is None and self.method == "HEAD" and size
        return b"content-length: %d\r\n" % size if wants_length else b""

    def _on_next_body(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        if body.__class__ is not bytes:
            body = _as_bytes(body)
        if self._sends_body:
            if self._remaining is not None:
                self._spend(len(body), more)
            data = _chunk(body, more) if self._is_chunked else body
            if data:
                self._host.write(data)
        if not more:
            self._complete()

    def _spend(self, size: int, more: bool) -> None:
        """Hold the application to the length it announced (RFC 9110 section 8.6).

        Raises:
            RuntimeError: The body is longer or shorter.
        """
        remaining = (self._remaining or 0) - size
        if remaining < 0:
            raise RuntimeError("Response content longer than Content-Length.")
        if remaining > 0 and not more:
            raise RuntimeError("Response content shorter than Content-Length.")
        self._remaining = remaining

    def _complete(self) -> None:
        self._accepts = _COMPLETE
        self.is_response_complete = True
        if self._waiters is not None:
            self._wake()
        self._host.response_ended(self)


def _as_bytes(body: object) -> bytes:
    """Return the bytes of what is not plain bytes; a view of larger items counts more bytes than items."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise TypeError(f"a body is bytes, not {type(body).__name__}")


def _chunk(body: bytes, more: bool) -> bytes:
    data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
    return data if more else data + _LAST_CHUNK


# The order of ASGI messages: which is accepted in which state of the response, and what it does. A missing
# entry is the application's error.
_Steps = dict[str, Any]
_BEFORE_START: Final[_Steps] = {"http.response.start": RequestCycle._on_start}  # noqa: SLF001 - part of the class
_STARTED: Final[_Steps] = {"http.response.body": RequestCycle._on_first_body}  # noqa: SLF001 - as above
_STREAMING: Final[_Steps] = {"http.response.body": RequestCycle._on_next_body}  # noqa: SLF001 - as above
_COMPLETE: Final[_Steps] = {}
