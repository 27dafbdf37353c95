"""Quart, a little of each: JSON, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.quart_app:app

Needs Quart (`pip install quart`).
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from quart import Quart, Response, jsonify, request, websocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

app = Quart(__name__)


@app.before_serving
async def start() -> None:
    """Open what all requests share."""
    print("Starting up.", flush=True)


@app.after_serving
async def end() -> None:
    """Close it after the last of them."""
    print("Shutting down.", flush=True)


@app.get("/")
async def home() -> dict[str, str]:
    """Greet the world."""
    return {"hello": "world"}


@app.get("/hello/<name>")
async def hello(name: str) -> tuple[dict[str, str], int, dict[str, str]]:
    """Greet by name."""
    greeting = request.args.get("greeting", "Hello")
    return {"greeting": greeting, "name": name}, 200, {"x-framework": "quart"}


@app.get("/items/<int:item_id>")
async def item(item_id: int) -> dict[str, int]:
    """Return a number; what is none is not found."""
    return {"item_id": item_id}


@app.post("/echo")
async def echo() -> Response:
    """Send a body back as it came."""
    return Response(await request.get_data(as_text=False), content_type=request.content_type)


@app.get("/visits")
async def visits() -> Response:
    """Count how often this browser was here."""
    count = request.cookies.get("visits", 0, type=int) + 1
    response = jsonify(visits=count)
    response.set_cookie("visits", str(count))
    return response


async def ticks() -> AsyncIterator[bytes]:
    """Count until the client leaves."""
    try:
        for number in itertools.count(1):
            yield f"data: {number}\n\n".encode()
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@app.get("/ticks")
async def stream() -> Response:
    """Send events to whoever listens."""
    response = Response(ticks(), content_type="text/event-stream")
    response.timeout = None  # of the whole response, which is a minute else
    return response


@app.get("/error")
async def error() -> str:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")


@app.websocket("/ws")
async def echo_messages() -> None:
    """Send each message back."""
    try:
        while True:
            await websocket.send(await websocket.receive())
    except asyncio.CancelledError:  # the client has left
        print("The WebSocket is closed.", flush=True)
        raise
