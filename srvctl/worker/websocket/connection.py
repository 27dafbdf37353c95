"""One connection that speaks WebSocket: frames in, messages out, and the closing handshake between them.

Called by the event loop, the codec, the session and the server's timers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.ipc.scoreboard import Cell
from srvctl.worker.http.link import Link
from srvctl.worker.timers import NEVER
from srvctl.worker.websocket.keepalive import KeepAlive, Step
from srvctl.worker.websocket.protocol import (
    ABNORMAL,
    INTERNAL_ERROR,
    SERVICE_RESTART,
    Data,
    Violation,
)

if TYPE_CHECKING:
    from srvctl.settings.groups import WsSettings
    from srvctl.worker.server import Server
    from srvctl.worker.websocket.inbox import MessageInbox
    from srvctl.worker.websocket.protocol import FrameCodec
    from srvctl.worker.websocket.session import WebSocketSession

_ONE_TURN: Final = range(64)  #: so many frames of one client are read before others have their turn


class WebSocketConnection(Link):
    """Speaks WebSocket with one client.

    Args:
        server: The server it belongs to.
        settings: How WebSockets are spoken.
        session: Learns how it ends.
        inbox: Takes what the client sends.

    Attributes:
        codec: Reads and writes frames.
        leave_at: When a worker that ends closes it, in seconds of the loop's clock.
    """

    __slots__ = (
        "_close_by",
        "_inbox",
        "_is_closed_by_us",
        "_keepalive",
        "_pong_due",
        "_progress_seen",
        "_session",
        "_settings",
        "_unread",
        "_unread_from",
        "codec",
        "leave_at",
    )

    codec: FrameCodec

    def __init__(
        self, server: Server, settings: WsSettings, session: WebSocketSession, inbox: MessageInbox
    ) -> None:
        super().__init__(server)
        self._settings = settings
        self._session = session
        self._inbox = inbox
        inbox.on_room = self._read_soon
        self._keepalive = KeepAlive(settings.ping_interval, settings.ping_timeout, server.now())
        self._unread = b""  #: received, and not looked at while there is no room for more messages
        self._unread_from = 0  #: where in it
        self._pong_due: bytes | None = None  #: the payload of a ping that is answered when the client reads
        self._is_closed_by_us = False  #: a close frame was sent
        self._close_by = NEVER  #: when the client has to have answered it
        self._progress_seen: int | None = None  #: as it was when the client had not
        self.leave_at = 0.0

    def begin(self, received: bytes) -> None:
        """Read what came behind the request; not at once, because the application is at work."""
        self._server.cells[Cell.WEBSOCKETS] += 1
        if received or self._reading_paused:
            self._unread = received
            self._read_soon()
        self._watch()

    # -- called by the event loop ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_closing:
            return
        self._keepalive.has_heard = True
        if self._unread:
            self._unread = self._unread[self._unread_from :] + data
            self._unread_from = 0
        else:
            self._read(data, 0)

    def eof_received(self) -> bool:
        """End the connection with a client that sends nothing more; return that nothing is due to it."""
        while self._unread and not (self._is_closing or self._inbox.is_full):
            self._read_on()  # what came with the request, before it is forgotten
        if not self._is_closing:
            self._close()
            self._session.ended(ABNORMAL, "")
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(error)
        self._server.cells[Cell.WEBSOCKETS] -= 1
        self._unread = b""
        self._session.ended(ABNORMAL, "")
        self._part_with_runner()
        self._server.connection_closed(self)

    def resume_writing(self) -> None:
        """Let the application go on."""
        super().resume_writing()
        if self._pong_due is not None and not (self._is_closing or self._is_closed_by_us):
            payload, self._pong_due = self._pong_due, None
            self.write(self.codec.pong(payload))

    # -- reading ---------------------------------------------------------------------------------------

    def _read(self, data: bytes, start: int) -> None:
        """Give the codec what there is room for, and keep the rest."""
        inbox, size = self._inbox, len(data)
        try:
            for _ in _ONE_TURN:
                if inbox.is_full and not self._is_closed_by_us:
                    break
                start = self.codec.feed(data, start)
                if start == size or self._is_closing:
                    return
        except Violation as violation:
            self._fail(violation)
        else:
            self._keep(data, start)

    def _keep(self, data: bytes, reached: int) -> None:
        """Read no more for now; either the application takes something, or others have had their turn."""
        self._unread, self._unread_from = data, reached
        self._pause_reading()
        if not self._inbox.is_full or self._is_closed_by_us:
            self._read_soon()

    def _read_soon(self) -> None:
        """Read on, but not at once: the application is at work."""
        self._server.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._is_closing:
            return
        data, self._unread = self._unread, b""
        if data:
            self._read(data, self._unread_from)
        if self._reading_paused and not self._unread:
            self._keepalive.has_heard = True  # what it may have sent was kept from being read
            self._resume_reading()

    # -- called by the codec ---------------------------------------------------------------------------

    def message_received(self, data: Data) -> None:
        """Take a message; one that comes after we closed is nobody's."""
        if not self._is_closed_by_us:
            key = "text" if data.__class__ is str else "bytes"
            self._inbox.put({"type": "websocket.receive", key: data})

    def ping_received(self, payload: bytes) -> None:
        """Answer a ping; of several that come while the client does not read, the last one."""
        if self._is_closed_by_us:
            return
        if self.can_write is None:
            self.write(self.codec.pong(payload))
        else:
            self._pong_due = payload  # RFC 6455 section 5.5.3

    def close_received(self, code: int, reason: str) -> None:
        """Close, and answer a close that was not ours."""
        self._send_close(code, "")
        self._close_lingering()
        self._session.ended(code, reason)

    def _fail(self, violation: Violation) -> None:
        """Close the WebSocket of a client that broke a rule, and read nothing more of it."""
        self._server.refusals.note(f"A WebSocket was closed with {violation.code}: {violation}")
        self._send_close(violation.code, str(violation))
        self._close_lingering()
        self._session.ended(violation.code, str(violation))

    def _send_close(self, code: int, reason: str) -> None:
        """Send a close frame, unless one was sent."""
        if not self._is_closed_by_us:
            self.write(self.codec.close(code, reason))
            self._is_closed_by_us = True

    # -- called by the session -------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and wait for that of the client."""
        if self._is_closed_by_us or self._is_closing:
            return
        self._send_close(code, reason)
        self._close_by = self._server.now() + self._settings.close_timeout
        self._watch()
        if self._reading_paused:  # what still comes is not kept, but for the client's close
            self._read_soon()

    # -- time ------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Be woken when something is due."""
        super()._watch()
        due = self._close_by if self._is_closed_by_us else self._keepalive.due
        if due < self.deadline:
            self._wait_until(due)

    def _expire_open(self, now: float) -> None:
        """Ping, give up a client that is gone, or one that does not answer a close."""
        if self._is_closed_by_us:
            if now >= self._close_by:
                if not self._is_taking():
                    self.abort()
                    return
                self._close_by = now + self._settings.close_timeout
        else:
            can_ask = self.can_write is None
            step = self._keepalive.look(now, can_ask=can_ask, can_hear=not self._reading_paused)
            if step is Step.PING:
                self.write(self.codec.ping())
            elif step is Step.GIVE_UP:
                self._session.leave(INTERNAL_ERROR, "keepalive ping timeout")
        self._watch()

    def _is_taking(self) -> bool:
        """Return whether the client is still busy with what was sent before the close, which is not lost."""
        before, self._progress_seen = self._progress_seen, self._progress()
        return self._has_unsent() and self._progress_seen != before

    def drain(self, idle: float) -> None:  # noqa: ARG002 - of requests
        """Close the WebSocket when its time has come."""
        if self._server.now() >= self.leave_at:
            self._session.leave(SERVICE_RESTART, "service restart")
