"""Both ends of a connection, as its application sees them, by the address that its listener is bound to."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from srvctl.settings.groups import ProxySettings, TimeoutSettings
from srvctl.worker.listening import Listening
from srvctl.worker.proxy.forwarding import ProxyPolicy
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from srvctl.worker.http.surroundings import Peer

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Silent(asyncio.Protocol):
    """Ends its connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@pytest.fixture(params=LOOPS)
def peer_of(request: pytest.FixtureRequest) -> Callable[..., tuple[Peer, Any]]:
    """Have a client connect to a listener; give what the worker knows of both ends, and the client's name."""

    def peer_of(listener: socket.socket, address: Any) -> tuple[Peer, Any]:
        found: list[Peer | None] = []

        def connect(peer: Peer | None) -> asyncio.Protocol:
            found.append(peer)
            return Silent()

        async def test() -> Any:
            listening = Listening(
                connect, None, ProxyPolicy(ProxySettings()), TimeoutSettings(), lambda: None
            )
            listening.start([listener])
            with socket.socket(listener.family) as client:
                client.connect(address)  # which needs nobody to accept
                name = client.getsockname()
            while not found:  # noqa: ASYNC110 - what is waited for is no coroutine's
                await asyncio.sleep(0.001)
            await listening.stop(last=False)
            return name

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            name = runner.run(asyncio.wait_for(test(), PATIENCE))
        assert found[0] is not None
        return found[0], name

    return peer_of


@pytest.mark.parametrize(
    ("bound", "host"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("::1", "::1"), ("::", "::1")]
)
def test_tcp(peer_of: Callable[..., tuple[Peer, Any]], bound: str, host: str) -> None:
    """The client has left already, and is known all the same."""
    listener = socket.create_server((bound, 0), family=socket.AF_INET6 if ":" in bound else socket.AF_INET)
    port = listener.getsockname()[1]
    peer, name = peer_of(listener, (host, port))
    assert (peer.server, peer.client) == ((host, port), name[:2])
    assert not peer.is_unix


@pytest.mark.parametrize("is_abstract", [False, True])
def test_unix(peer_of: Callable[..., tuple[Peer, Any]], tmp_path: Path, is_abstract: bool) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("" if is_abstract else str(tmp_path / "s"))
    listener.listen()
    peer, _ = peer_of(listener, listener.getsockname())
    assert (peer.client, peer.is_unix) == (None, True)
    assert peer.server == (None if is_abstract else (str(tmp_path / "s"), None))
