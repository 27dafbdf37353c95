"""Sanic as an ASGI application: JSON, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.sanic_app:app

Needs Sanic (`pip install sanic`). Of its listeners, those before and after the server starts and stops are
called, in each worker; those of its main process belong to Sanic's own server.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request, Sanic, Websocket, json

if TYPE_CHECKING:
    App = Sanic[Any, Any]

app: App = Sanic("hello")


@app.before_server_start
async def start(_app: App) -> None:
    """Open what all requests share."""
    print("Starting up.", flush=True)


@app.after_server_stop
async def end(_app: App) -> None:
    """Close it after the last of them."""
    print("Shutting down.", flush=True)


@app.get("/")
async def home(_request: Request) -> HTTPResponse:
    """Greet the world."""
    return json({"hello": "world"})


@app.get("/hello/<name>", unquote=True)
async def hello(request: Request, name: str) -> HTTPResponse:
    """Greet by name."""
    greeting = request.args.get("greeting", "Hello")
    return json({"greeting": greeting, "name": name}, headers={"x-framework": "sanic"})


@app.get("/items/<item_id:int>")
async def item(_request: Request, item_id: int) -> HTTPResponse:
    """Return a number; what is none is not found."""
    return json({"item_id": item_id})


@app.post("/echo")
async def echo(request: Request) -> HTTPResponse:
    """Send a body back as it came."""
    return HTTPResponse(request.body, content_type=request.content_type)


@app.get("/visits")
async def visits(request: Request) -> HTTPResponse:
    """Count how often this browser was here."""
    count = int(request.cookies.get("visits") or 0) + 1
    response = json({"visits": count})
    response.add_cookie("visits", str(count), secure=False)  # for HTTP without TLS
    return response


@app.get("/ticks")
async def ticks(request: Request) -> None:
    """Send events to whoever listens, until the client leaves."""
    response = await request.respond(content_type="text/event-stream")
    try:
        for number in itertools.count(1):
            await response.send(f"data: {number}\n\n")
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@app.get("/error")
async def error(_request: Request) -> HTTPResponse:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")


@app.websocket("/ws")
async def echo_messages(_request: Request, socket: Websocket) -> None:
    """Send each message back. The end is None with ASGI, where Sanic's own server raises WebsocketClosed."""
    while (message := await socket.recv()) is not None:
        await socket.send(message)
    print("The WebSocket is closed.", flush=True)
