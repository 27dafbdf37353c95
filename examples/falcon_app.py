"""Falcon, a little of each: JSON, a body, a cookie, server-sent events, a WebSocket, an error.

    srvctl run examples.falcon_app:app

Needs Falcon (`pip install falcon`).
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from falcon import WebSocketDisconnected
from falcon.asgi import App, SSEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from falcon.asgi import Request, Response, WebSocket

    Told = Mapping[str, Any]


class Service:
    """What all requests share; a middleware is told when the worker starts and ends."""

    async def process_startup(self, scope: Told, event: Told) -> None:  # noqa: ARG002
        """Open it."""
        print("Starting up.", flush=True)

    async def process_shutdown(self, scope: Told, event: Told) -> None:  # noqa: ARG002
        """Close it after the last request."""
        print("Shutting down.", flush=True)


class Home:
    """The front page."""

    async def on_get(self, _request: Request, response: Response) -> None:
        """Greet the world."""
        response.media = {"hello": "world"}


class Hello:
    """A greeting."""

    async def on_get(self, request: Request, response: Response, name: str) -> None:
        """Greet by name."""
        response.media = {"greeting": request.get_param("greeting", default="Hello"), "name": name}
        response.set_header("x-framework", "falcon")


class Item:
    """A number; what is none is not found."""

    async def on_get(self, _request: Request, response: Response, item_id: int) -> None:
        """Return it."""
        response.media = {"item_id": item_id}


class Echo:
    """A mirror."""

    async def on_post(self, request: Request, response: Response) -> None:
        """Send a body back as it came."""
        response.data = await request.stream.read()
        response.content_type = request.content_type or "text/plain"


class Visits:
    """A counter that the browser keeps."""

    async def on_get(self, request: Request, response: Response) -> None:
        """Count how often it was here."""
        count = int(request.cookies.get("visits", "0")) + 1
        response.set_cookie("visits", str(count), secure=False)  # for HTTP without TLS
        response.media = {"visits": count}


class Ticks:
    """A stream of events."""

    async def on_get(self, _request: Request, response: Response) -> None:
        """Send them to whoever listens."""
        response.sse = self._count()

    async def _count(self) -> AsyncIterator[SSEvent]:
        """Count until the client leaves."""
        try:
            for number in itertools.count(1):
                yield SSEvent(data=str(number).encode())
                await asyncio.sleep(0.1)
        finally:
            print("The listener has left.", flush=True)


class Error:
    """A mistake."""

    async def on_get(self, _request: Request, _response: Response) -> None:
        """Fail: the client gets a 500, the log a traceback, and the worker goes on."""
        raise RuntimeError("This example fails on purpose.")


class EchoMessages:
    """A mirror for a WebSocket."""

    async def on_websocket(self, _request: Request, socket: WebSocket) -> None:
        """Send each message back."""
        await socket.accept()
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except WebSocketDisconnected:
            print("The WebSocket is closed.", flush=True)


app = App(middleware=[Service()])
app.add_route("/", Home())
app.add_route("/hello/{name}", Hello())
app.add_route("/items/{item_id:int}", Item())
app.add_route("/echo", Echo())
app.add_route("/visits", Visits())
app.add_route("/ticks", Ticks())
app.add_route("/error", Error())
app.add_route("/ws", EchoMessages())
