"""The ASGI scope of a WebSocket (spec: WebSocket connection scope), made of that of its request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.worker.http.extensions import DENIAL

if TYPE_CHECKING:
    from srvctl.worker.http.scope import Scope

_SCHEMES: Final = {"http": "ws", "https": "wss"}


def websocket_scope(scope: Scope, subprotocols: tuple[str, ...]) -> Scope:
    """Turn the scope of a request into that of the WebSocket it asks for, and return it.

    Args:
        scope: Is changed.
        subprotocols: Those that the client speaks.
    """
    del scope["method"]
    scope["type"] = "websocket"
    scope["scheme"] = _SCHEMES.get(scope["scheme"], scope["scheme"])
    scope["subprotocols"] = [*subprotocols]
    usable = {name: about for name, about in scope["extensions"].items() if not name.startswith("http.")}
    scope["extensions"] = {DENIAL: {}, **usable}
    return scope
