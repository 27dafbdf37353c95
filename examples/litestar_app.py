"""Litestar, a little of each: JSON, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.litestar_app:app

Needs Litestar (`pip install litestar`).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator  # noqa: TC003 - Litestar evaluates annotations
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response, get, post, websocket_listener
from litestar.logging import LoggingConfig
from litestar.params import FromCookie, FromPath, FromQuery  # noqa: TC002 - Litestar evaluates annotations
from litestar.response import ServerSentEvent

LOGGING = LoggingConfig(
    log_exceptions="always",  # else in debug mode only
    configure_root_logger=False,  # what others log is not Litestar's affair
    # By default a thread writes the log, from the import on, and srvctl forks nothing that has threads.
    handlers={"queue_listener": {"class": "logging.StreamHandler", "formatter": "standard"}},
)


@asynccontextmanager
async def lifespan(_app: Litestar) -> AsyncIterator[None]:
    """Open before the first request what all of them share, and close it after the last."""
    print("Starting up.", flush=True)
    yield
    print("Shutting down.", flush=True)


@get("/")
async def home() -> dict[str, str]:
    """Greet the world."""
    return {"hello": "world"}


@get("/hello/{name:str}", response_headers={"x-framework": "litestar"})
async def hello(name: FromPath[str], greeting: FromQuery[str] = "Hello") -> dict[str, str]:
    """Greet by name."""
    return {"greeting": greeting, "name": name}


@get("/items/{item_id:int}")
async def item(item_id: FromPath[int]) -> dict[str, int]:
    """Return a number; what is none is not found."""
    return {"item_id": item_id}


@post("/echo", status_code=200)
async def echo(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Send a body back as it came."""
    return Response(await request.body(), media_type=request.headers.get("content-type"))


@get("/visits")
async def visits(visits: FromCookie[int] = 0) -> Response[dict[str, int]]:
    """Count how often this browser was here."""
    response = Response({"visits": visits + 1})
    response.set_cookie("visits", str(visits + 1))
    return response


async def ticks() -> AsyncIterator[int]:
    """Count until the client leaves."""
    try:
        for number in itertools.count(1):
            yield number
            await asyncio.sleep(0.1)
    finally:
        print("The listener has left.", flush=True)


@get("/ticks")
async def stream() -> ServerSentEvent:
    """Send events to whoever listens."""
    return ServerSentEvent(ticks())


@get("/error")
async def error() -> None:
    """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
    raise RuntimeError("This example fails on purpose.")


def say_closed() -> None:
    """Be told that a WebSocket has ended."""
    print("The WebSocket is closed.", flush=True)


@websocket_listener("/ws", on_disconnect=say_closed)
async def echo_messages(data: str) -> str:
    """Send each message back."""
    return data


app = Litestar(
    [home, hello, item, echo, visits, stream, error, echo_messages],
    lifespan=[lifespan],
    logging_config=LOGGING,
)
