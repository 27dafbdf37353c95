"""Connections that were half made when their listener began to refuse all others, as it does before a stop.

They inherit what keeps others from connecting, and would never hear their clients: those waited for an answer
until they gave up, and the worker for them as long as a drain may take.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

from srvctl.ipc import handshakes
from srvctl.ipc.handshakes import stop_handshakes
from srvctl.settings.groups import ProxySettings, Settings, TimeoutSettings, TlsSettings
from srvctl.worker.drain import drain
from srvctl.worker.server import Server
from srvctl.worker.serving import make_tls
from tests.support.certificates import Authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    Run = Callable[[Callable[[], Coroutine[None, None, None]]], None]

_PATIENT: Final = 600.0
_HEADER: Final = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"


async def _application(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"heard"})


async def _ask(client: socket.socket, header: bytes, context: ssl.SSLContext | None) -> bytes:
    """Send a request piece by piece, and return the response."""
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    for at in range(0, len(header), 20):
        await loop.sock_sendall(client, header[at : at + 20])
        await asyncio.sleep(0.01)
    host = "localhost" if context is not None else None
    reader, writer = await asyncio.open_connection(sock=client, ssl=context, server_hostname=host)
    for piece in (b"GET / HT", b"TP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"):
        writer.write(piece)
        await asyncio.sleep(0.01)
    response = await reader.read()
    writer.close()
    await writer.wait_closed()
    return response


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only there are such connections")
@pytest.mark.parametrize("has_filters", [True, False], ids=["filter", "no filter"])
@pytest.mark.parametrize("speaks", ["plain", "tls", "proxy"])
def test_they_are_served(
    run: Run, speaks: str, has_filters: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not has_filters:
        monkeypatch.setattr(handshakes, "_DROP_SYN", bytes(8))  # no instruction that the kernel takes
    settings, context = _settings(speaks, tmp_path)

    async def test() -> None:
        tls = make_tls(settings.tls, http2=False)
        server = Server(_application, settings, state=None, context=contextvars.copy_context(), tls=tls)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60
        )  # the first byte ends the handshake
        client = socket.create_connection(listener.getsockname())
        stop_handshakes(listener)
        server.listen([listener])
        asked = asyncio.ensure_future(_ask(client, _HEADER if speaks == "proxy" else b"", context))
        await asyncio.sleep(0.05)  # so that the connection hears no more
        await drain(server, last=True)
        await server.close()
        assert (await asked).endswith(b"heard")

    run(test)


def _settings(speaks: str, folder: Path) -> tuple[Settings, ssl.SSLContext | None]:
    timeouts = TimeoutSettings(graceful_shutdown=_PATIENT, drain_idle=_PATIENT)
    if speaks == "proxy":
        proxy = ProxySettings(protocol="on", forwarded_allow_ips=("127.0.0.1",))
        return Settings(proxy=proxy, timeouts=timeouts), None
    if speaks == "plain":
        return Settings(timeouts=timeouts), None
    authority = Authority(folder)
    pair = authority.issue("server")
    tls = TlsSettings(certfile=str(pair.certfile), keyfile=str(pair.keyfile))
    return Settings(tls=tls, timeouts=timeouts), authority.client()
