"""Clients that speak TLS: over a socket, and in memory with a server's context."""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING

from tests.support.certificates import serial_of
from tests.support.client import Connection

if TYPE_CHECKING:
    from tests.support.client import Address


class TlsConnection(Connection):
    """One connection to a server over TLS.

    Args:
        address: Where.
        context: What is trusted, shown and spoken.
        name: The name that is asked for, and that the certificate must have.
        session: The session of an earlier connection, to be resumed.
    """

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        *,
        name: str | None = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> None:
        super().__init__(address)
        try:
            self.tls = context.wrap_socket(self.socket, server_hostname=name, session=session)
        except BaseException:
            self.socket.close()
            raise
        self.socket = self.tls

    @property
    def serial(self) -> str:
        """The number of the certificate the server has shown."""
        return serial_of(self.tls.getpeercert(binary_form=True))


def shake_hands(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    name: str | None = "localhost",
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Connect a client to a server's context in memory; return the server's side and the client's.

    Args:
        server: The server's context.
        client: The client's.
        name: The name that is asked for.
        session: The session of an earlier connection, to be resumed.

    Raises:
        ssl.SSLError: One of them refuses the other.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name, session=session)
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (theirs, ours):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    with contextlib.suppress(ssl.SSLWantReadError):  # tickets, and what the server thinks of the certificate
        theirs.read(1)
    ours.getpeercert()  # raises where the handshake is not over
    return ours, theirs
