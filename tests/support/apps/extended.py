"""What `basic` serves, bodies that are read late, and every extension of HTTP responses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from tests.support.apps.basic import Message, Receive, Send, _answer, _count
from tests.support.apps.basic import app as basic

Query = dict[str, str]


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200, **more: Any) -> None:
    """Send the start of a response."""
    await send({"type": "http.response.start", "status": status, "headers": headers, **more})


async def body(send: Send, data: bytes = b"", *, more: bool = False) -> None:
    """Send a piece of its body."""
    await send({"type": "http.response.body", "body": data, "more_body": more})


def _length(query: Query) -> list[tuple[bytes, bytes]]:
    return [(b"content-length", query["length"].encode())] if "length" in query else []


async def _later(query: Query, receive: Receive, send: Send) -> None:
    """Wait at the gate before reading the body; answer with its length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(query["gate"]))
    try:
        writer.write(b"here\n")
        await reader.readline()
        await _count({}, receive, send)
    finally:
        writer.close()


async def _talk(query: Query, receive: Receive, send: Send) -> None:
    """Begin a response, then read the body and end it."""
    await start(send)
    await body(send, b"begun", more=True)
    while (await receive()).get("more_body"):
        pass
    await body(send, b"ended")


async def _doze(query: Query, receive: Receive, send: Send) -> None:
    """Read the body a while later."""
    await asyncio.sleep(float(query["seconds"]))
    await _count({}, receive, send)


async def _whole(query: Query, _receive: Receive, send: Send) -> None:
    """Send a body of such a size in one message."""
    await _answer(send, b"x" * int(query["size"]))


async def _whole_stream(query: Query, _receive: Receive, send: Send) -> None:
    """Send so many MiB with their length."""
    pieces = int(query["pieces"])
    await start(send, (b"content-length", b"%d" % (pieces << 20)))
    piece = b"x" * (1 << 20)
    for number in range(1, pieces + 1):
        await body(send, piece, more=number < pieces)


async def _path(query: Query, _receive: Receive, send: Send) -> None:
    """Send a file by its path; say so where there is none."""
    await start(send, *_length(query), status=int(query.get("status", "200")))
    try:
        await send({"type": "http.response.pathsend", "path": query["path"]})
    except FileNotFoundError:
        await body(send, b"no such file")


async def _file(query: Query, _receive: Receive, send: Send) -> None:
    """Send a part of an open file; with ``more``, something before and behind it."""
    has_more = "more" in query
    message: Message = {"type": "http.response.zerocopysend", "more_body": has_more}
    message |= {name: int(query[name]) for name in ("offset", "count") if name in query}
    with Path(query["path"]).open("rb") as file:  # noqa: ASYNC230 - of a test
        await start(send, *_length(query), status=int(query.get("status", "200")))
        if has_more:
            await body(send, b"<" * int(query["more"]), more=True)
        await send({**message, "file": file})
        if has_more:
            await body(send, b">")


async def _hints(query: Query, _receive: Receive, send: Send) -> None:
    """Send early hints, if that can be done; answer with what came of it."""
    said = "sent"
    try:
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>"]})
        await send({"type": "http.response.early_hint", "links": [query.get("link", "</c>").encode()]})
    except (RuntimeError, ValueError) as error:
        said = type(error).__name__
    await _answer(send, said.encode())


async def _trailers(query: Query, _receive: Receive, send: Send) -> None:
    """Send trailers: those in the query, in two messages."""
    fields = [(b"x-sum", b"1"), (query.get("name", "x-end").encode(), query.get("value", "2").encode())]
    await start(send, *_length(query), status=int(query.get("status", "200")), trailers=True)
    await body(send, b"ab", more="whole" not in query)
    if "whole" not in query:
        await body(send, b"cd")
    if "none" not in query:
        await send({"type": "http.response.trailers", "headers": fields[:1], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": fields[1:]})


async def _debug(_query: Query, _receive: Receive, send: Send) -> None:
    said = "sent"
    try:
        await send({"type": "http.response.debug", "info": {"template": "a.html"}})
    except RuntimeError:
        said = "refused"
    await _answer(send, said.encode())


_ROUTES = {
    "/later": _later,
    "/talk": _talk,
    "/doze": _doze,
    "/whole": _whole,
    "/whole-stream": _whole_stream,
    "/path": _path,
    "/file": _file,
    "/hints": _hints,
    "/trailers": _trailers,
    "/debug": _debug,
}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve by path; ``/extensions`` answers with what the scope offers."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    if scope["path"] == "/extensions":
        await _answer(send, json.dumps(sorted(scope["extensions"])).encode())
    elif route := _ROUTES.get(scope["path"]):
        await route(dict(parse_qsl(scope["query_string"].decode())), receive, send)
    else:
        await basic(scope, receive, send)
