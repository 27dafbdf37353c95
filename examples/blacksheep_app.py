"""BlackSheep, a little of each: JSON, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.blacksheep_app:app

Needs BlackSheep (`pip install blacksheep`).
"""

import asyncio
import itertools
from collections.abc import AsyncIterable, AsyncIterator

from blacksheep import (
    Application,
    Content,
    Cookie,
    Request,
    Response,
    WebSocket,
    WebSocketDisconnectError,
    get,
    json,
    post,
    ws,
)
from blacksheep.server.sse import ServerSentEvent

app = Application()


@app.lifespan
async def lifespan() -> AsyncIterator[None]:
    """Open before the first request what all of them share, and close it after the last."""
    print("Starting up.", flush=True)
    yield
    print("Shutting down.", flush=True)


@get("/")
async def home() -> dict[str, str]:
    """Greet the world."""
    return {"hello": "world"}


@get("/hello/{name}")
async def hello(name: str, greeting: str = "Hello") -> Response:
    """Greet by name."""
    response = json({"greeting": greeting, "name": name})
    response.add_header(b"x-framework", b"blacksheep")
    return response


@get("/items/{int:item_id}")
async def item(item_id: int) -> dict[str, int]:
    """Return a number; what is none is not found."""
    return {"item_id": item_id}


@post("/echo")
async def echo(request: Request) -> Response:
    """Send a body back as it came."""
    body = await request.read() or b""
    return Response(200, content=Content(request.content_type() or b"text/plain", body))


@get("/visits")
async def visits(request: Request) -> Response:
    """Count how often this browser was here."""
    count = int(request.cookies.get("visits", "0")) + 1
    response = json({"visits": count})
    response.set_cookie(Cookie("visits", str(count)))
    return response


@get("/ticks")
async def ticks() -> AsyncIterable[ServerSentEvent]:
    """Send events to whoever listens, until the client leaves."""
    try:
        for number in itertools.count(1):
            yield ServerSentEvent(number)
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@get("/error")
async def error() -> None:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")


@ws("/ws")
async def echo_messages(socket: WebSocket) -> None:
    """Send each message back."""
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnectError:
        print("The WebSocket is closed.", flush=True)
