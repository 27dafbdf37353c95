"""Event streams, which would keep a worker from ever stopping."""

from __future__ import annotations

import contextlib

from tests.support.client import ConnectionEnded
from tests.support.server import ServerProcess


def test_a_stream_whose_application_never_asks_is_ended_too() -> None:
    """Since ASGI HTTP 2.4 applications learn from send() that their client left; most ask nothing else."""
    with ServerProcess("tests.support.apps.events:app", "--timeout-stream-shutdown", "0.1") as server:
        with server.connect() as client:
            client.send_get()
            client.read_exactly(100)
            assert server.stop() == 0
            with contextlib.suppress(ConnectionEnded, ConnectionError):
                assert not client.read_until_end().endswith(b"0\r\n\r\n"), "it looks complete"
        assert "ended by ClientDisconnected" in server.stdout.text
        assert "Traceback" not in server.stderr.text
