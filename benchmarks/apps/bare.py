"""Applications without a framework: what is measured is the server, not the application.

Each answers every path of HTTP alike; none takes part in the lifespan protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HELLO = b"Hello, world!"
BODY_100K = b"x" * 102_400


def _start(content_type: bytes, length: int) -> Message:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": 200, "headers": headers}


async def hello(scope: Message, _receive: Receive, send: Send) -> None:
    """Answer with 13 bytes of plain text."""
    _http_only(scope)
    await send(_start(b"text/plain", len(HELLO)))
    await send({"type": "http.response.body", "body": HELLO})


async def body100k(scope: Message, _receive: Receive, send: Send) -> None:
    """Answer with 100 KiB in one message."""
    _http_only(scope)
    await send(_start(b"application/octet-stream", len(BODY_100K)))
    await send({"type": "http.response.body", "body": BODY_100K})


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answer with the request's own body, once all of it has arrived."""
    _http_only(scope)
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(chunks)
    await send(_start(b"application/octet-stream", len(body)))
    await send({"type": "http.response.body", "body": body})


def _http_only(scope: Message) -> None:
    """Decline the lifespan protocol the way the ASGI specification asks for: by raising."""
    if scope["type"] != "http":
        raise NotImplementedError(f"This application does not speak {scope['type']!r}.")
