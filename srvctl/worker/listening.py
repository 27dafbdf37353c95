"""Accepting connections on the listeners a worker inherited, with or without TLS, until it drains.

With the PROXY protocol `Acceptor` accepts, and hands over what it has read the header of.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.accepting import Accepting
from srvctl.worker.http.surroundings import Peer
from srvctl.worker.making import Making
from srvctl.worker.plain_socket import PlainSocket
from srvctl.worker.proxy.acceptor import Acceptor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from srvctl.settings.groups import TimeoutSettings
    from srvctl.worker.balance import Balance
    from srvctl.worker.proxy.forwarding import ProxyPolicy
    from srvctl.worker.tls.reloading import Tls

_TURNS_TO_HANDSHAKE: Final = 3  #: of the loop, until what it has accepted has begun its handshake
_SOON: Final = 0.001  #: seconds; event loops refuse 0
#: Of each listener at the end: no kernel queues more by default (net.core.somaxconn). One that the service
#: manager keeps goes on queueing, so its queue need not ever be empty.
_MOST_QUEUED: Final = 4096


class Listening:
    """The listeners of one worker.

    Args:
        connect: Makes the protocol of a new connection; takes whom it is for, None for its peer.
        tls: What every listener speaks; None for plain HTTP.
        proxies: Whether connections begin with a PROXY protocol header, and whose is believed.
        timeouts: How long handshakes and headers may take.
        on_change: Is called whenever one was given up before it was made, and when none is left to be made.
        is_alone: No other worker accepts from the same listeners.
    """

    def __init__(
        self,
        connect: Callable[[Peer | None], asyncio.Protocol],
        tls: Tls | None,
        proxies: ProxyPolicy,
        timeouts: TimeoutSettings,
        on_change: Callable[[], None],
        *,
        is_alone: bool = True,
    ) -> None:
        self._connect = connect
        self._timeouts = timeouts
        self._tls = tls
        self._listeners: list[PlainSocket] = []
        options: dict[str, Any] = {}
        if tls is not None:
            options = {
                "ssl": tls.context,
                "ssl_handshake_timeout": max(timeouts.tls_handshake, _SOON),
                "ssl_shutdown_timeout": max(timeouts.tls_shutdown, _SOON),
            }
        self._making = Making(options, on_change)
        self._plain = Accepting(self._accept, is_alone=is_alone)
        self._acceptor: Acceptor | None = None
        if proxies.is_protocol_expected:
            seconds = timeouts.request_head
            self._acceptor = Acceptor(proxies.trust, seconds, self._adopt, on_change, is_alone=is_alone)

    @property
    def is_shaking_hands(self) -> bool:
        """Whether connections will come of handshakes that run, or of headers that are waited for."""
        if self._making.is_busy or (self._acceptor is not None and self._acceptor.is_waiting):
            return True
        return self._tls is not None and self._tls.is_shaking_hands

    @property
    def pending(self) -> int:
        """How many connections were accepted and not made yet."""
        return self._making.pending + (self._acceptor.waiting if self._acceptor is not None else 0)

    @property
    def sockets(self) -> Iterator[socket.socket]:
        """Those of connections that are not through a handshake, or whose header is not there."""
        yield from self._making.sockets
        if self._acceptor is not None:
            yield from self._acceptor.sockets

    def note_made(self) -> None:
        """Learn that one of them was made."""
        self._making.note_made()

    def start(self, sockets: Iterable[socket.socket], balance: Balance | None = None) -> None:
        """Accept connections on the sockets, which are then the listening's to close.

        Args:
            sockets: The listeners.
            balance: Knows whose turn it is to accept; None lets the kernel decide.
        """
        acceptor = self._acceptor or self._plain
        for inherited in sockets:
            listener = PlainSocket(fileno=inherited.detach())
            self._listeners.append(listener)
            acceptor.start(listener, balance)

    async def stop(self, *, last: bool) -> None:
        """Accept no more.

        Args:
            last: Nobody takes over the listeners: what the kernel has queued on them is accepted first.
        """
        if last:
            self._accept_queued()
        self._stop(self._timeouts.drain_idle)
        if self._tls is not None:
            for _ in range(_TURNS_TO_HANDSHAKE):
                await asyncio.sleep(0)
        else:  # handshakes may take long, transports are there in no time
            await self._making.settle()

    def close(self) -> None:
        """Accept no more, and give up connections that are not made yet."""
        self._stop(0.0)
        if self._acceptor is not None:
            self._acceptor.close()
        self._making.cancel()

    def _stop(self, patience: float) -> None:
        """Close the listeners; headers that are not here have at most so many seconds left."""
        self._plain.stop()
        if self._acceptor is not None:
            self._acceptor.stop(patience)
        for listener in self._listeners:
            listener.close()

    def _accept_queued(self) -> None:
        """Take over what clients see as connected already, before the last listener closes and resets it."""
        accept = self._accept if self._acceptor is None else self._acceptor.accept
        for listener in self._listeners:
            with contextlib.suppress(OSError):  # BlockingIOError: nothing is queued any more
                for _ in range(_MOST_QUEUED):
                    accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        sock, peername = listener.accept()
        sock.setblocking(False)
        # Not left to the transport, which takes longer, and knows no more of a client that has left.
        self._adopt(sock, Peer.between(peername, sock.getsockname()))

    def _adopt(self, sock: socket.socket, peer: Peer | None) -> None:
        self._making.begin(partial(self._connect, peer), sock)
