"""Shows clients what the application sees of them, and has bodies that they may stumble over."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]

_PIECE = 65536


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer by the path; any other path shows the scope. WebSockets show theirs, and echo."""
    if scope["type"] == "websocket":
        await _talk(scope, receive, send)
        return
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await _ROUTES.get(scope["path"], _show)(scope, receive, send)


async def _talk(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    seen = {name: scope[name] for name in ("client", "scheme", "path")}
    await send({"type": "websocket.send", "text": json.dumps(seen)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


async def _start(send: Send, *fields: tuple[bytes, bytes], trailers: bool = False) -> None:
    headers = [(b"x-pid", b"%d" % os.getpid()), *fields]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": trailers})


async def _body(send: Send, body: bytes = b"", *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _show(scope: Message, _receive: Receive, send: Send) -> None:
    """The scope, in JSON."""
    names = ("client", "server", "scheme", "method", "http_version", "root_path", "path")
    seen = {name: scope[name] for name in names}
    seen["raw_path"] = scope["raw_path"].decode()
    seen["headers"] = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    seen["tls"] = "tls" in scope["extensions"]
    body = json.dumps(seen).encode()
    await _start(send, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await _body(send, body)


async def _echo(_scope: Message, receive: Receive, send: Send) -> None:
    """The body, piece by piece as it comes."""
    await _start(send)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        await _body(send, message.get("body", b""), more=more)


async def _digest(_scope: Message, receive: Receive, send: Send) -> None:
    """The length of the body, and its SHA-256."""
    digest, length, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message.get("body", b""))
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await _start(send)
    await _body(send, b"%d %s" % (length, digest.hexdigest().encode()))


async def _bytes(scope: Message, _receive: Receive, send: Send) -> None:
    """So many bytes (``?size=``) that tell where they are; ``length=1`` announces how many."""
    query = dict(parse_qsl(scope["query_string"].decode()))
    left = int(query["size"])
    await _start(send, *([(b"content-length", b"%d" % left)] if "length" in query else []))
    pattern = bytes(range(256)) * (_PIECE // 256)
    while left:
        piece = pattern[:left]
        left -= len(piece)
        await _body(send, piece, more=True)
    await _body(send)


async def _duet(_scope: Message, receive: Receive, send: Send) -> None:
    """Answers each piece of the body before the next one comes: nobody on the way may wait for the end."""
    await _start(send, (b"x-accel-buffering", b"no"))
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        if message.get("body"):
            await _body(send, b"heard " + message["body"], more=True)
    await _body(send)


async def _cookies(scope: Message, _receive: Receive, send: Send) -> None:
    """Two cookies are set; the ones that came are the body."""
    came = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    await _start(send, (b"set-cookie", b"a=1; Path=/"), (b"set-cookie", b"b=2; Path=/"))
    await _body(send, came)


async def _long(_scope: Message, _receive: Receive, send: Send) -> None:
    """A head that is longer than what many proxies take by default."""
    await _start(send, (b"x-long", b"x" * 12_000), (b"content-length", b"0"))
    await _body(send)


async def _hints(_scope: Message, _receive: Receive, send: Send) -> None:
    """An interim response comes first (RFC 8297)."""
    await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload; as=style"]})
    await _start(send)
    await _body(send, b"hinted")


async def _trailers(scope: Message, _receive: Receive, send: Send) -> None:
    """A field comes after the body, if the client takes it."""
    has_trailers = "http.response.trailers" in scope["extensions"]
    await _start(send, (b"trailer", b"x-after"), trailers=has_trailers)
    await _body(send, b"body")
    if has_trailers:
        await send({"type": "http.response.trailers", "headers": [(b"x-after", b"all")]})


_ROUTES = {
    "/stream/duet": _duet,
    "/stream/digest": _digest,
    "/stream/bytes": _bytes,
    "/echo": _echo,
    "/digest": _digest,
    "/bytes": _bytes,
    "/cookies": _cookies,
    "/hints": _hints,
    "/trailers": _trailers,
    "/long": _long,
}
