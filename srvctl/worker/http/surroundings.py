"""What the requests of one connection have in common, as its sockets and the settings say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srvctl.worker.proxy.forwarding import Forwarding

if TYPE_CHECKING:
    from asyncio import BaseTransport

    from srvctl.worker.http.extensions import Extensions
    from srvctl.worker.proxy.forwarding import ProxyPolicy
    from srvctl.worker.proxy.protocol import ProxyHeader

Address = tuple[str, int | None]

# Neither of these is frozen: that would make a connection take microseconds longer, and nobody changes them.


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What the requests of one connection have in common.

    Attributes:
        scheme: ``http`` or ``https``.
        client: Host and port of the client, if it has any.
        server: Our own side of the connection.
        root_path: Where the application is mounted.
        state: What the lifespan left for requests, each of which gets its own shallow copy; None for nothing.
        extensions: The ASGI extensions that work here, each with what it says about itself.
        forwarding: Believes the peer's forwarding headers; None when it is no trusted proxy.
    """

    scheme: str = "http"
    client: Address | None = None
    server: Address | None = None
    root_path: str = ""
    state: dict[str, Any] | None = None
    extensions: Extensions = field(default_factory=dict)
    forwarding: Forwarding | None = None


@dataclass(slots=True)
class Peer:
    """Both ends of a connection.

    Attributes:
        client: Host and port of the other side, if it has any.
        server: Our own: host and port, or the path of a Unix socket and None.
        is_unix: It is a Unix socket.
        is_tls: A proxy says that the client spoke TLS with it.
    """

    client: Address | None
    server: Address | None
    is_unix: bool
    is_tls: bool = False

    @classmethod
    def of(cls, transport: BaseTransport) -> Peer:
        """Ask the transport."""
        return cls.between(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))

    @classmethod
    def between(cls, peername: object, sockname: object) -> Peer:
        """Return what two sockets are called; see getpeername(2) and getsockname(2)."""
        is_unix = isinstance(sockname, (str, bytes))  # bytes: of the abstract namespace
        server = (sockname, None) if isinstance(sockname, str) and sockname else _address(sockname)
        return cls(_address(peername), server, is_unix)

    @classmethod
    def of_header(cls, header: ProxyHeader) -> Peer | None:
        """Return whom a connection is for, or None when the header says that its own ends are meant.

        A client on a Unix socket has no address, whatever path its header names, as in `of`.
        """
        source, destination = header.source, header.destination
        if source is None:
            return None
        is_unix = source[1] is None
        if is_unix and destination is not None and not destination[0]:
            destination = None  # of a socket without a name
        return cls(None if is_unix else source, destination, is_unix, header.is_tls is True)

    def forwarding(self, policy: ProxyPolicy) -> Forwarding | None:
        """Return what reads the forwarding headers of this peer, if it is trusted."""
        host = self.client[0] if self.client is not None else None
        return Forwarding.for_peer(policy, host, is_unix=self.is_unix)


def _address(name: object) -> Address | None:
    """Return host and port; those of IPv6 have two parts more, and the client of a Unix socket has none."""
    return name[:2] if isinstance(name, tuple) else None
