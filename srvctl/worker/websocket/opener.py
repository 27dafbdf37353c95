"""What the WebSockets of one worker have in common, and how one is opened."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from srvctl.errors import AppError
from srvctl.worker.websocket.connection import WebSocketConnection
from srvctl.worker.websocket.handshake import Handshake
from srvctl.worker.websocket.inbox import MessageInbox
from srvctl.worker.websocket.protocol import MessageLimits
from srvctl.worker.websocket.scope import websocket_scope
from srvctl.worker.websocket.session import WebSocketSession
from srvctl.worker.websocket.websockets_codec import WebsocketsCodec

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.settings.groups import WsSettings
    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http.scope import Scope
    from srvctl.worker.server import Server
    from srvctl.worker.websocket.deflate import Agreement
    from srvctl.worker.websocket.protocol import FrameCodec, FrameSink
    from srvctl.worker.websocket.roles import HandshakeHost

    MakeCodec = Callable[[FrameSink, MessageLimits, Agreement | None], FrameCodec]


class Opener:
    """Opens WebSockets.

    Args:
        server: The server they belong to.
        settings: How they are spoken.

    Attributes:
        server: As given.
        settings: As given.
    """

    def __init__(self, server: Server, settings: WsSettings) -> None:
        self.server = server
        self.settings = settings
        self._limits = MessageLimits.of(settings)
        self._codec = _codec_of(settings)

    def ask(
        self,
        host: HandshakeHost,
        head: RequestHead,
        scope: Scope,
        kind: type[WebSocketSession] = WebSocketSession,
    ) -> WebSocketSession:
        """Return the request for a WebSocket.

        Args:
            host: The connection that it came on.
            head: The request.
            scope: As an application would see the request; is changed.
            kind: The class of the request, which knows how the version of HTTP frames the answer.

        Raises:
            ProtocolError: It is no valid handshake.
        """
        handshake = Handshake.read(head, compress=self.settings.per_message_deflate)
        return kind(host, self, head, websocket_scope(scope, handshake.subprotocols), handshake)

    def make_inbox(self) -> MessageInbox:
        """Return what holds the messages of a WebSocket until its application takes them."""
        return MessageInbox(self.server.loop, self.settings.max_queue, self.server.limits.request_buffer)

    def open(
        self, session: WebSocketSession, inbox: MessageInbox, agreement: Agreement | None
    ) -> WebSocketConnection:
        """Return the connection of a WebSocket that its application has accepted.

        Args:
            session: Learns how it ends.
            inbox: Takes what the client sends.
            agreement: How messages are compressed; None for not at all.
        """
        connection = WebSocketConnection(self.server, self.settings, session, inbox)
        connection.codec = self._codec(connection, self._limits, agreement)
        return connection


def check_codec(settings: WsSettings) -> None:
    """See whether the library that is asked for is there.

    Raises:
        AppError: It is not.
    """
    if settings.protocol == "wsproto" and find_spec("wsproto") is None:
        raise AppError("ws.protocol is wsproto, but wsproto is not installed: pip install 'srvctl[wsproto]'.")


def _codec_of(settings: WsSettings) -> MakeCodec:
    if settings.protocol != "wsproto":
        return WebsocketsCodec
    from srvctl.worker.websocket.wsproto_codec import WsprotoCodec  # noqa: PLC0415 - it is optional

    return WsprotoCodec
