"""An application in bare ASGI: nothing to install.

    srvctl run examples.asgi_hello:app

It echoes the body of a POST and greets otherwise. It does not speak the lifespan protocol: to an
application that raises at the sight of it, srvctl says so in its log and serves on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one request."""
    if scope["type"] != "http":
        raise NotImplementedError(f"no {scope['type']} here")
    body = await read_body(receive) if scope["method"] == "POST" else b"Hello from bare ASGI!\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of the request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
