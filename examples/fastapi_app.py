"""FastAPI, a little of each: JSON, validation, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.fastapi_app:app

Needs FastAPI (`pip install fastapi`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator  # noqa: TC003 - FastAPI evaluates annotations
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Cookie, FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Open before the first request what all of them share, and close it after the last."""
    print("Starting up.", flush=True)
    yield
    print("Shutting down.", flush=True)


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home() -> dict[str, str]:
    """Greet the world."""
    return {"hello": "world"}


@app.get("/hello/{name}")
async def hello(name: str, response: Response, greeting: str = "Hello") -> dict[str, str]:
    """Greet by name."""
    response.headers["x-framework"] = "fastapi"
    return {"greeting": greeting, "name": name}


@app.get("/items/{item_id}")
async def item(item_id: int) -> dict[str, int]:
    """Return a number that is one; FastAPI answers others with 422."""
    return {"item_id": item_id}


@app.post("/echo")
async def echo(request: Request) -> Response:
    """Send a body back as it came."""
    return Response(await request.body(), media_type=request.headers.get("content-type"))


@app.get("/visits")
async def visits(response: Response, visits: Annotated[int, Cookie()] = 0) -> dict[str, Any]:
    """Count how often this browser was here."""
    response.set_cookie("visits", str(visits + 1))
    return {"visits": visits + 1}


async def ticks() -> AsyncIterator[str]:
    """Count until the client leaves."""
    try:
        for number in itertools.count(1):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@app.get("/ticks")
async def stream() -> StreamingResponse:
    """Send events to whoever listens."""
    return StreamingResponse(ticks(), media_type="text/event-stream")


@app.get("/error")
async def error() -> None:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")


@app.websocket("/ws")
async def echo_messages(socket: WebSocket) -> None:
    """Send each message back."""
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        print("The WebSocket is closed.", flush=True)
