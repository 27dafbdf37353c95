"""The application most process tests serve: says who it is, waits at a gate, streams, counts, ignores."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def gate(port: int) -> None:
    """Wait at the test's gate, blocking everything; for code that runs on import."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.recv(1)


async def _start(send: Send, query: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
    own = [(b"x-pid", b"%d" % os.getpid()), (b"x-query", query), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": own})


async def _answer(send: Send, body: bytes, query: bytes = b"") -> None:
    await _start(send, query)
    await send({"type": "http.response.body", "body": body})


async def _hold(query: dict[str, str], _receive: Receive, send: Send) -> None:
    """Answer once the test opens the gate, without ever looking at the request's body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(query["gate"]))
    try:
        writer.write(b"%d\n" % os.getpid())
        await reader.readline()
        await _answer(send, b"held")
    finally:
        writer.close()


async def _watch(query: dict[str, str], receive: Receive, send: Send) -> None:
    """Tell the gate each message that is received, until the client has left."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(query["gate"]))
    message: Message = {}
    while message.get("type") != "http.disconnect":
        message = await receive()
        writer.write(message["type"].encode() + b"\n")
    writer.close()


async def _stream(query: dict[str, str], _receive: Receive, send: Send) -> None:
    """Send so many pieces of such a size; tell the gate, if there is one, about each that could be sent."""
    writer = None
    if "gate" in query:
        _, writer = await asyncio.open_connection("127.0.0.1", int(query["gate"]))
    try:
        await _start(send)
        for number in range(int(query["pieces"])):
            piece = b"%d," % number
            body = piece.ljust(int(query.get("size", "0")), b".")
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if writer is not None:
                writer.write(piece + b"\n")
        await send({"type": "http.response.body"})
    finally:
        if writer is not None:
            writer.close()


async def _count(_query: dict[str, str], receive: Receive, send: Send) -> None:
    """Answer with the length of the body."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await _answer(send, b"%d" % length)


_ROUTES = {"/hold": _hold, "/watch": _watch, "/stream": _stream, "/count": _count}


def make_app(version: str) -> Application:
    """Return an application without a lifespan whose root answers with this version."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        route = _ROUTES.get(scope["path"])
        if route is not None:
            await route(dict(parse_qsl(scope["query_string"].decode())), receive, send)
        else:
            await _answer(send, version.encode(), scope["query_string"])

    return application


app = make_app("basic")
