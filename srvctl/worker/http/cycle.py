"""One request and its response: the ASGI conversation with the application.

Knows no parser and no loop API beyond futures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from srvctl.worker.http.inbox import Inbox
from srvctl.worker.http.response import BEFORE_START, COMPLETE, Response
from srvctl.worker.http.roles import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http.response import Message
    from srvctl.worker.http.roles import CycleHost, CycleServer
    from srvctl.worker.http.scope import Scope

    Application = Callable[
        [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[object],
    ]

__all__ = ["ClientDisconnected", "RequestCycle"]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestCycle(Response):
    """Runs the application for one request.

    Args:
        host: The connection.
        server: The server.
        head: The head of the request.
        scope: The request as the application sees it.

    Attributes:
        is_request_complete: The request has ended.
        began: When the request came, in seconds of `time.monotonic`; only set where someone logs it.
    """

    __slots__ = ("_has_eof", "began", "is_request_complete")

    is_websocket: ClassVar = False  #: it opens a WebSocket, or not

    began: float

    def __init__(self, host: CycleHost, server: CycleServer, head: RequestHead, scope: Scope) -> None:
        self.head = head
        self.scope = scope
        self._host = host
        self._server = server
        self._accepts = BEFORE_START
        self.keep_alive = head.keep_alive
        self.is_request_complete = head.length == 0
        self.is_disconnected = False
        self._has_eof = False
        self.request_id: bytes | None = None
        self.status = self.body_sent = 0
        self.inbox: Inbox | None = None
        if head.length != 0:
            self.inbox = Inbox(is_complete=False, expects_continue=head.expects_continue)

    # -- from the connection ---------------------------------------------------------------------------

    def body_received(self, data: bytes) -> None:
        """Take a piece of the request body."""
        if self.inbox is not None and self._accepts is not COMPLETE:  # else: nobody will ask for it
            self.inbox.put(data)

    def request_ended(self) -> None:
        """Learn that the request is complete."""
        self.is_request_complete = True
        if self.inbox is not None:
            self.inbox.end()

    def client_left(self) -> None:
        """Learn that the connection is gone: a waiting application is told, and sending fails from now on."""
        self.is_disconnected = True
        if self.inbox is not None:
            self.inbox.wake()

    def client_finished(self) -> None:
        """Learn that the client sends nothing more: it left, or it only shut down its sending side.

        A waiting application is told that the client left; one that sends its response may still succeed.
        """
        self._has_eof = True
        if self.inbox is not None:
            self.inbox.wake()

    @property
    def is_told_to_end(self) -> bool:
        """Whether the application was told that its client left, truly or not."""
        return self._has_eof or self.is_disconnected

    # -- the application -------------------------------------------------------------------------------

    def returned(self, result: object) -> None:
        """Take the return of the application; one that left its response unfinished has failed."""
        if result is not None:
            self._server.report(None, f"ASGI callable should return None, but returned {result!r:.100}.")
        if self._accepts is COMPLETE or self.is_disconnected:
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

    async def receive(self) -> Message:
        """Return the next ASGI event: a piece of the body, or that the client left or was answered."""
        inbox = self.inbox
        if inbox is None:
            inbox = self.inbox = Inbox(is_complete=True)
        while self._accepts is not COMPLETE:
            if inbox.has_news:
                had_bytes = inbox.size > 0
                body, more = inbox.take(), not inbox.is_complete
                if had_bytes:
                    self._host.body_taken()
                return {"type": "http.request", "body": body, "more_body": more}
            if self.is_disconnected or self._has_eof:
                break
            if inbox.expects_continue:
                inbox.expects_continue = False
                if not self.is_response_begun:
                    self._send_continue()
            await inbox.wait()
        return {"type": "http.disconnect"}

    # -- framing ---------------------------------------------------------------------------------------

    def _send_continue(self) -> None:
        """Ask the client for the body that it announced (RFC 9110 section 10.1.1)."""
        self._host.write(_CONTINUE)
