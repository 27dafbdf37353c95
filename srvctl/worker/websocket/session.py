"""One WebSocket as its application sees it: which ASGI message may follow which, and what each does.

It begins as the request for the WebSocket, which the application may deny with any response; so until then it
is a request like all others to its connection. Once accepted, it lives on a `WebSocketConnection`.
"""
# ruff: noqa: SLF001 - the tables are part of the class

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

from srvctl.worker.http.cycle import RequestCycle
from srvctl.worker.http.extensions import DENIAL
from srvctl.worker.http.headers import HeaderError, encode_fields
from srvctl.worker.http.response import COMPLETE
from srvctl.worker.http.roles import ClientDisconnected
from srvctl.worker.websocket.handshake import OWN_FIELDS, SUBPROTOCOL
from srvctl.worker.websocket.protocol import ABNORMAL, INTERNAL_ERROR, NORMAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http.response import Message, Steps
    from srvctl.worker.http.scope import Scope
    from srvctl.worker.websocket.connection import WebSocketConnection
    from srvctl.worker.websocket.handshake import Handshake
    from srvctl.worker.websocket.opener import Opener
    from srvctl.worker.websocket.roles import HandshakeHost

_SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\n"
_SWITCHED: Final = 101
_DENIAL_PREFIX: Final = "websocket."  #: of the types of a denial, which without it are those of a response
_DENIAL_START: Final = f"{DENIAL}.start"
_SENDABLE: Final = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})  #: close codes


class WebSocketSession(RequestCycle):
    """Runs the application for one WebSocket.

    Args:
        host: The connection that the request came on.
        opener: Makes the connection that takes its place.
        head: The head of the request.
        scope: The WebSocket as the application sees it.
        handshake: What the client wants.
    """

    __slots__ = (
        "_disconnect",
        "_handshake",
        "_inbox",
        "_opener",
        "_socket",
        "_timer",
    )

    is_websocket = True

    _host: HandshakeHost

    def __init__(
        self, host: HandshakeHost, opener: Opener, head: RequestHead, scope: Scope, handshake: Handshake
    ) -> None:
        super().__init__(host, opener.server, head, scope)
        self.keep_alive = False  # behind a denial; whatever follows was meant for the WebSocket
        self._accepts = _ASKED
        self._opener = opener
        self._handshake: Handshake | None = handshake
        self._socket: WebSocketConnection | None = None
        self._inbox = opener.make_inbox()
        self._inbox.put({"type": "websocket.connect"})
        self._disconnect: Message | None = None  #: the last message to the application
        timeout = opener.settings.handshake_timeout
        self._timer = opener.server.loop.call_later(timeout, self._time_out) if timeout else None

    @property
    def is_response_begun(self) -> bool:
        """Whether bytes of an answer to the handshake were handed to the transport."""
        return self._accepts is not _ASKED and super().is_response_begun

    # -- from the connection ---------------------------------------------------------------------------

    def ended(self, code: int, reason: str, *, by_client: bool = True) -> None:
        """Learn that no more messages will come; the application is told behind those that came.

        Args:
            code: Why.
            reason: The same in words.
            by_client: It can be sent nothing more.
        """
        if self._disconnect is not None:
            return
        self._stop_timer()
        self._disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}
        if by_client and self._accepts is not COMPLETE:
            self.is_disconnected = True
        self._inbox.wake()

    def client_left(self) -> None:
        """Learn that the connection is gone."""
        self.ended(ABNORMAL, "")

    def client_finished(self) -> None:
        """Learn that the client sends nothing more, or that the worker ends: there will be no WebSocket."""
        if self._socket is None:
            self.client_left()
            self._host.response_broken(self)

    # -- the application -------------------------------------------------------------------------------

    def returned(self, result: object) -> None:
        """Take the return of the application: it wants nothing more of its WebSocket."""
        if result is not None:
            self._server.report(None, f"ASGI callable should return None, but returned {result!r:.100}.")
        if self._accepts is COMPLETE or self.is_disconnected:
            return
        if self._socket is not None:
            self._close(NORMAL, "")
        else:
            started = "completing" if self.is_response_begun else "sending"
            self.failed(None, f"ASGI callable returned without {started} handshake.")

    def give_up(self) -> None:
        """Answer 500, or close the WebSocket with a code that says as much."""
        if self._socket is None:
            super().give_up()
        elif self._accepts is not COMPLETE and not self.is_disconnected:
            self._close(INTERNAL_ERROR, "")

    async def receive(self) -> Message:
        """Return the next ASGI event."""
        inbox = self._inbox
        while not inbox.messages:
            if self._disconnect is not None:
                return self._disconnect.copy()
            await inbox.arrival()
        return inbox.take()

    async def send(self, message: Message) -> None:
        """Take an ASGI message.

        Raises:
            ClientDisconnected: The client went away.
            RuntimeError: The message is out of order, or says too little or too much.
            HeaderError: A header field must not be sent.
        """
        if self.is_disconnected:
            raise ClientDisconnected("the client went away")
        kind = message["type"]
        step = self._accepts.get(kind) if self._accepts is _OPEN else self._step_of_handshake(kind)
        if step is None:
            raise RuntimeError(self._order_error(kind))
        step(self, message)
        if self._host.can_write is not None and self._accepts is not COMPLETE:  # else: nothing can follow
            await asyncio.shield(self._host.can_write)

    def _step_of_handshake(self, kind: str) -> Any:
        """Return what a message does before the WebSocket is open; None if it has no place there."""
        if self._accepts is _ASKED:
            return _ASKED.get(kind) if kind != _DENIAL_START or self._offers(DENIAL) else None
        return self._accepts.get(kind.removeprefix(_DENIAL_PREFIX)) if kind.startswith(DENIAL) else None

    def _order_error(self, kind: object) -> str:
        if self._accepts is COMPLETE:
            return f"Unexpected ASGI message {kind!r} sent, after the WebSocket was closed or denied."
        prefix = "" if self._accepts is _ASKED or self._accepts is _OPEN else _DENIAL_PREFIX
        names = (prefix + name for name in self._accepts)
        expected = [repr(name) for name in names if name != _DENIAL_START or self._offers(DENIAL)]
        return f"Expected ASGI message {' or '.join(expected)}, but got {kind!r}."

    # -- the handshake ---------------------------------------------------------------------------------

    def _on_accept(self, message: Message) -> None:
        handshake = self._handshake
        assert handshake is not None  # noqa: S101 - it goes when this has succeeded
        headers, subprotocol = _split_fields(message.get("headers", ()), message.get("subprotocol"))
        if subprotocol is not None and subprotocol not in handshake.subprotocols:
            raise RuntimeError(f"The client did not offer the subprotocol {subprotocol!r}.")
        self.fields, _, self._says = encode_fields(headers, _SWITCHED)
        self.status, self._status_line = _SWITCHED, _SWITCHING
        self.keep_alive = True
        self._stop_timer()
        self._send_acceptance(handshake.answer(subprotocol))
        self._accepts = _OPEN
        self._socket = self._opener.open(self, self._inbox, handshake.agreement)
        held = self._host.give_way(self, self._socket)
        self._handshake = None
        self._host = cast("HandshakeHost", self._socket)  # whose `can_write` is all that counts from now on
        self._socket.begin(held)

    def _send_acceptance(self, answer: bytes) -> None:
        """Send the head that opens the WebSocket, with these fields of the handshake."""
        self._host.write(self._finish_head(answer))

    def _on_reject(self, _message: Message) -> None:
        self.answer(403, b"Forbidden")

    def _on_denial(self, message: Message) -> None:
        self._stop_timer()
        self._on_start(message)

    def _time_out(self) -> None:
        """Answer in place of an application that neither accepts nor denies."""
        limit = self._opener.settings.handshake_timeout
        if self._host.is_waiting:  # for its turn; the application has not seen it yet
            self._timer = self._opener.server.loop.call_later(limit, self._time_out)
            return
        self._timer = None
        text = f"The application took longer than {limit:g} s to accept a WebSocket (ws.handshake_timeout)."
        self._server.report(None, text)
        self.answer(503, b"Service Unavailable")

    def _complete(self) -> None:
        super()._complete()
        self.ended(ABNORMAL, "", by_client=False)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- the open WebSocket ----------------------------------------------------------------------------

    def _on_send(self, message: Message) -> None:
        socket = self._socket
        assert socket is not None  # noqa: S101 - the table is that of an open WebSocket
        text, data = message.get("text"), message.get("bytes")
        if text is not None and data is None:
            socket.write(socket.codec.text(text))
        elif data is not None and text is None:
            if data.__class__ is not bytes:
                data = memoryview(data).tobytes()  # a view of larger items counts more bytes than items
            socket.write(socket.codec.binary(data))
        else:
            raise RuntimeError("'websocket.send' needs either 'bytes' or 'text'.")

    def _on_close(self, message: Message) -> None:
        code, reason = message.get("code"), message.get("reason")
        code = NORMAL if code is None else code
        if code not in _SENDABLE:
            raise RuntimeError(f"{code!r} is no close code that can be sent (RFC 6455 section 7.4).")
        self._close(code, reason or "")

    def _close(self, code: int, reason: str) -> None:
        if self._socket is not None:
            self._socket.close(code, reason)
        self._accepts = COMPLETE
        self.ended(code, reason, by_client=False)

    def leave(self, code: int, reason: str) -> None:
        """Close the WebSocket for a reason that is not the application's."""
        if self._accepts is not COMPLETE and not self.is_disconnected and self._socket is not None:
            self._socket.close(code, reason)
            self.ended(code, reason)


def _split_fields(
    headers: Iterable[tuple[bytes, bytes]], subprotocol: str | None
) -> tuple[list[tuple[bytes, bytes]], str | None]:
    """Take the subprotocol out of the fields of an application that names it there.

    Raises:
        HeaderError: It says what only the server can say.
    """
    others = []
    for name, value in headers:
        lower = name.lower()
        if lower in OWN_FIELDS:
            raise HeaderError(f"{lower.decode('latin-1')} is the server's to say")
        if lower != SUBPROTOCOL:
            others.append((name, value))
        elif subprotocol is None:
            subprotocol = bytes(value).decode("latin-1")
    return others, subprotocol


# The order of ASGI messages: which is accepted in which state, and what it does. A denial goes through the
# tables of responses, without the prefix of its types.
_S: Final = WebSocketSession
_ASKED: Final[Steps] = {
    "websocket.accept": _S._on_accept,
    "websocket.close": _S._on_reject,
    _DENIAL_START: _S._on_denial,
}
_OPEN: Final[Steps] = {"websocket.send": _S._on_send, "websocket.close": _S._on_close}
