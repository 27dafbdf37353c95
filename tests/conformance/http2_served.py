"""The servers that tests of HTTP/2 talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.support.http2_client import Http2

if TYPE_CHECKING:
    from tests.support.client import Address
    from tests.support.server import ServerProcess

SERVED: Final = "tests.conformance.served:app"
EXTENDED: Final = "tests.support.apps.extended:app"
FLAGS: Final = ("--http2", "--timeout-keep-alive", "60", "--timeout-graceful-shutdown", "1")
QUIET: Final = (*FLAGS, "--no-access-log")


def address_of(server: ServerProcess) -> Address:
    """Return where a server is."""
    return server.path or ("127.0.0.1", server.port)


def connect(server: ServerProcess) -> Http2:
    """Return a connection to it, as a well-behaved client opens it."""
    return Http2(address_of(server))
