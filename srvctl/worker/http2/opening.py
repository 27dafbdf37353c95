"""Which HTTP a new connection speaks: the one its TLS has agreed on, else the one its first bytes are of.

RFC 9113 section 3.2 for TLS (ALPN), 3.3 for clients that know already. There is no upgrade from HTTP/1.1:
RFC 9113 has no such thing any more, and a server may pass an Upgrade field over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.worker.http.connection import HttpConnection
from srvctl.worker.http.link import Link
from srvctl.worker.http2.connection import Http2Connection
from srvctl.worker.http2.frames import PREFACE, Code, ConnectionFault
from srvctl.worker.tls.context import ALPN_HTTP2

if TYPE_CHECKING:
    import asyncio
    import ssl

    from srvctl.worker.http.surroundings import Peer
    from srvctl.worker.server import Server


def is_adequate(tls: ssl.SSLObject) -> bool:
    """Return whether HTTP/2 may be spoken over it.

    RFC 9113 section 9.2.2: of TLS 1.2 only with suites that are forward secret and authenticate what they
    encrypt, which is what its appendix A leaves; those of TLS 1.3 all are.
    """
    name, version, _ = tls.cipher() or ("", "", 0)
    if tls.version() == "TLSv1.3" or version == "TLSv1.3":
        return True
    kinds = ("GCM", "CCM", "CHACHA20")
    return name.startswith(("ECDHE-", "DHE-")) and any(kind in name for kind in kinds)


class Opening(Link):
    """A connection of which nobody knows yet what it will speak.

    Args:
        server: The server it belongs to.
        peer: Whom it is for; None for whoever is connected.
    """

    __slots__ = ("_idle_from", "_peer", "_received")

    def __init__(self, server: Server, peer: Peer | None = None) -> None:
        super().__init__(server)
        self._peer = peer
        self._received = b""
        self._idle_from = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask TLS, or wait for the first bytes."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._become(tls.selected_alpn_protocol() == ALPN_HTTP2)
            return
        self._server.connection_made(self)
        self._idle_from = self._server.now()
        self._wait_until(self._idle_from + self._server.timeouts.request_head)

    def data_received(self, data: bytes) -> None:
        """Look whether this is, or may become, the preface of HTTP/2."""
        if self._is_closing:
            return
        data = self._received + data
        if data.startswith(PREFACE):
            self._become(True).data_received(data)
        elif PREFACE.startswith(data):
            self._received = data
        else:
            self._become(False).data_received(data)

    def eof_received(self) -> bool:
        """Leave what has come to HTTP/1, which knows what to say to a request that never ends."""
        if self._is_closing:
            return False
        successor = self._become(False)
        if self._received:
            successor.data_received(self._received)
        return bool(successor.eof_received())

    def connection_lost(self, error: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(error)
        self._server.connection_closed(self)

    def drain(self, idle: float) -> None:
        """Close a connection on which nothing has come."""
        if not self._received and not self._is_closing:
            self._wait_until(min(self.deadline, self._idle_from + idle))

    def _expire_open(self, _now: float) -> None:
        self._close()

    def _become(self, is_http2: bool) -> Link:
        """Give way to what speaks with the client from now on, and return it."""
        self._is_closing = True
        successor = (Http2Connection if is_http2 else HttpConnection)(self._server, self._peer)
        if self in self._server.connections:
            self._server.replace(self, successor)
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
        tls = self._transport.get_extra_info("ssl_object")
        if isinstance(successor, Http2Connection) and tls is not None and not is_adequate(tls):
            fault = ConnectionFault(Code.INADEQUATE_SECURITY, "HTTP/2 over a cipher that is not for it")
            successor.fail(fault)
        return successor
