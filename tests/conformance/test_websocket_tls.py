"""A WebSocket inside TLS: the same, and the application is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_served import BACKENDS, FLAGS, RULED
from tests.conformance.websocket_wire import opening
from tests.support.certificates import Authority
from tests.support.server import ServerProcess
from tests.support.tls_client import TlsConnection

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_scheme(backend: str, tmp_path: Path) -> None:
    """ASGI: WebSocket connection scope."""
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    with (
        ServerProcess(RULED, "--ws", backend, *FLAGS, *pair.flags) as server,
        TlsConnection(("127.0.0.1", server.port), authority.client()) as client,
    ):
        client.send(opening("/scope"))
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += client.read_exactly(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        first, second, *size = client.read_exactly(4)
        assert (first, second) == (0x81, 126)
        seen = json.loads(client.read_exactly(int.from_bytes(size, "big")))
        assert (seen["type"], seen["scheme"]) == ("websocket", "wss")
