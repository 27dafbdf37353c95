"""What the conformance tests are served: one behaviour for each path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

notes: list[str] = []  #: what happened behind the responses; /notes tells and forgets them


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def body(send: Send, data: Any = b"", *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def read(receive: Receive) -> bytes:
    data, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            notes.append("disconnect")
            raise ConnectionError
        data += message["body"]
        more = message["more_body"]
    return data


async def ok(_scope: Message, _receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"ok")


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    content = await read(receive)
    seen = {name: value for name, value in scope.items() if name != "state"}
    seen["raw_path"] = scope["raw_path"].decode("latin-1")
    seen["query_string"] = scope["query_string"].decode("latin-1")
    seen["headers"] = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    seen["body"] = content.decode("latin-1")
    await start(send)
    await body(send, json.dumps(seen).encode())


async def read_late(_scope: Message, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.05)
    data = await read(receive)
    await start(send)
    await body(send, b"%d" % len(data))


async def stream(_scope: Message, _receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"one", more=True)
    await body(send, b"", more=True)
    await body(send, b"two", more=True)
    await body(send)


def status(number: int, *headers: tuple[bytes, bytes], data: bytes = b"abc") -> Any:
    async def answer(_scope: Message, _receive: Receive, send: Send) -> None:
        await start(send, *headers, status=number)
        await body(send, data)

    return answer


def pieces(*headers: tuple[bytes, bytes], data: tuple[Any, ...]) -> Any:
    async def answer(_scope: Message, _receive: Receive, send: Send) -> None:
        await start(send, *headers)
        for piece in data:
            await body(send, piece, more=True)
        await body(send)

    return answer


def kind(make: Any, size: int) -> Any:
    async def answer(_scope: Message, _receive: Receive, send: Send) -> None:
        await start(send)
        await body(send, make(b"x" * size))

    return answer


async def raises(_scope: Message, _receive: Receive, _send: Send) -> None:
    raise ValueError


async def raises_after_start(_scope: Message, _receive: Receive, send: Send) -> None:
    await start(send)
    raise ValueError


async def raises_in_stream(_scope: Message, _receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"part", more=True)
    raise ValueError


async def returns(_scope: Message, _receive: Receive, _send: Send) -> None:
    return


async def returns_in_stream(_scope: Message, _receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"part", more=True)


async def after_end(scope: Message, receive: Receive, send: Send) -> None:
    """Note what receive and send do once the response is complete."""
    await ok(scope, receive, send)
    notes.extend([(await receive())["type"], (await receive())["type"]])
    try:
        await body(send)
    except RuntimeError:
        notes.append("send raised")


async def unknown(scope: Message, receive: Receive, send: Send) -> None:
    try:
        await send({"type": "http.response.push", "path": "/", "headers": []})
    except RuntimeError:
        await ok(scope, receive, send)


async def watch(scope: Message, receive: Receive, _send: Send) -> None:
    """Read the body, wait for the client to leave, and note it, and the query."""
    await read_or_note(receive)
    notes.append(f"{(await receive())['type']} {scope['query_string'].decode()}".rstrip())


async def read_or_note(receive: Receive) -> None:
    try:
        await asyncio.sleep(0.05)
        await read(receive)
    except ConnectionError:
        pass


async def send_for_ever(_scope: Message, _receive: Receive, send: Send) -> None:
    await start(send)
    try:
        while True:
            await body(send, b"x" * 1000, more=True)
            await asyncio.sleep(0)
    except OSError as error:
        notes.append(f"OSError: {isinstance(error, OSError)}")


async def slow(scope: Message, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.2)
    await ok(scope, receive, send)


async def tell_notes(_scope: Message, _receive: Receive, send: Send) -> None:
    told = json.dumps(notes).encode()
    notes.clear()
    await start(send)
    await body(send, told)


async def state(scope: Message, _receive: Receive, send: Send) -> None:
    seen = [scope["state"].get("mine"), scope["state"]["pool"]]
    scope["state"]["mine"] = "set"
    scope["state"]["pool"].append(1)
    await start(send)
    await body(send, json.dumps(seen).encode())


_name: ContextVar[str] = ContextVar("name", default="unset")


async def context(scope: Message, _receive: Receive, send: Send) -> None:
    seen = _name.get()
    _name.set(scope["query_string"].decode())
    await start(send)
    await body(send, seen.encode())


LENGTH_3 = (b"Content-Length", b"3")
ROUTES: dict[str, Any] = {
    "/": ok,
    "/ok": ok,
    "/echo": echo,
    "/late": read_late,
    "/stream": stream,
    "/204": status(204, LENGTH_3),
    "/304": status(304, LENGTH_3),
    "/length": status(200, LENGTH_3),
    "/te": status(200, (b"Transfer-Encoding", b"chunked")),
    "/te-length": status(200, (b"Transfer-Encoding", b"chunked"), LENGTH_3),
    "/close": status(200, (b"Connection", b"close")),
    "/own": status(200, (b"DATE", b"then"), (b"Server", b"mine")),
    "/order": status(200, (b"X-B", b"1"), (b"Set-Cookie", b"a"), (b"x-b", b"2"), (b"SET-COOKIE", b"b")),
    "/short": status(200, LENGTH_3, data=b"ab"),
    "/short-stream": pieces(LENGTH_3, data=(b"ab",)),
    "/long": status(200, LENGTH_3, data=b"abcd"),
    "/long-stream": pieces(LENGTH_3, data=(b"ab", b"cd")),
    "/cr-value": status(200, (b"x", b"a\r\nx-evil: 1")),
    "/lf-value": status(200, (b"x", b"a\nx-evil: 1")),
    "/nul-value": status(200, (b"x", b"a\0")),
    "/crlf-name": status(200, (b"x\r\nx-evil", b"a")),
    "/raises": raises,
    "/raises-after-start": raises_after_start,
    "/raises-in-stream": raises_in_stream,
    "/returns": returns,
    "/returns-in-stream": returns_in_stream,
    "/after-end": after_end,
    "/unknown": unknown,
    "/watch": watch,
    "/for-ever": send_for_ever,
    "/slow": slow,
    "/notes": tell_notes,
    "/state": state,
    "/context": context,
    "/named": status(200, (b"X-Request-Id", b"mine")),
    "/named-alike": status(200, (b"Parent-X-Request-ID", b"another")),
    "/bytearray": kind(bytearray, 5),
    "/memoryview": kind(memoryview, 5),
    "/bytearray-large": kind(bytearray, 50_000),
    "/memoryview-large": kind(memoryview, 50_000),
    "/text": pieces(data=("text",)),
}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["pool"] = []
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    path = scope["path"].removeprefix(scope["root_path"])
    await ROUTES.get(path, echo)(scope, receive, send)
