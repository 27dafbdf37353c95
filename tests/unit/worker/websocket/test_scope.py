"""The scope of a WebSocket, made of that of its request."""

from __future__ import annotations

from typing import Any

import pytest

from srvctl.worker.websocket.scope import websocket_scope


@pytest.mark.parametrize(("scheme", "becomes"), [("http", "ws"), ("https", "wss"), ("wss", "wss")])
def test_schemes(scheme: str, becomes: str) -> None:
    """A proxy may have said the right one already."""
    assert websocket_scope({"method": "GET", "scheme": scheme, "extensions": {}}, ())["scheme"] == becomes


def test_what_a_websocket_has_and_what_not() -> None:
    """No method, and no extension of responses but the denial; all else is that of the request."""
    extensions: dict[str, Any] = {"http.response.pathsend": {}, "tls": {"a": 1}}
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "extensions": extensions}
    assert websocket_scope(scope, ("a", "b")) == {
        "type": "websocket",
        "scheme": "ws",
        "path": "/",
        "subprotocols": ["a", "b"],
        "extensions": {"websocket.http.response": {}, "tls": {"a": 1}},
    }
    assert "http.response.pathsend" in extensions, "those of other requests stay"
