"""Starlette, a little of each: JSON, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.starlette_app:app

Needs Starlette (`pip install starlette`).
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.websockets import WebSocket


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Open before the first request what all of them share, and close it after the last."""
    print("Starting up.", flush=True)
    yield
    print("Shutting down.", flush=True)


async def home(_request: Request) -> JSONResponse:
    """Greet the world."""
    return JSONResponse({"hello": "world"})


async def hello(request: Request) -> JSONResponse:
    """Greet by name."""
    greeting, name = request.query_params.get("greeting", "Hello"), request.path_params["name"]
    return JSONResponse({"greeting": greeting, "name": name}, headers={"x-framework": "starlette"})


async def item(request: Request) -> JSONResponse:
    """Return a number; what is none is not found."""
    return JSONResponse({"item_id": request.path_params["item_id"]})


async def echo(request: Request) -> Response:
    """Send a body back as it came."""
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def visits(request: Request) -> JSONResponse:
    """Count how often this browser was here."""
    count = int(request.cookies.get("visits", "0")) + 1
    response = JSONResponse({"visits": count})
    response.set_cookie("visits", str(count))
    return response


async def ticks() -> AsyncIterator[str]:
    """Count until the client leaves."""
    try:
        for number in itertools.count(1):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


async def stream(_request: Request) -> StreamingResponse:
    """Send events to whoever listens."""
    return StreamingResponse(ticks(), media_type="text/event-stream")


async def error(_request: Request) -> None:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")


async def echo_messages(socket: WebSocket) -> None:
    """Send each message back."""
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)
    print("The WebSocket is closed.", flush=True)


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", home),
        Route("/hello/{name}", hello),
        Route("/items/{item_id:int}", item),
        Route("/echo", echo, methods=["POST"]),
        Route("/visits", visits),
        Route("/ticks", stream),
        Route("/error", error),
        WebSocketRoute("/ws", echo_messages),
    ],
)
