"""WebSockets that end in every way; what became of each is written to the file that JOURNAL names.

The path says what a WebSocket does once it is accepted: its first message is always the worker's pid.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

Message = dict[str, Any]
LOUD_SIZE = 10_000  #: bytes of each message of /loud
LOUD_COUNT = 50


def _note(text: str) -> None:
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(f"{text}\n")


async def app(scope: Message, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _answer(send, b"http")
    else:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": str(os.getpid())})
        await _PATHS[scope["path"]](receive, send)


async def _echo(receive: Any, send: Any) -> None:
    """Send back what comes."""
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    _note(f"{message['code']} {message['reason']}")


async def _late(receive: Any, _send: Any) -> None:
    """Take what came only when the file GO exists, all at once."""
    while not os.path.exists(os.environ["GO"]):  # noqa: ASYNC110, ASYNC240, PTH110 - another process makes it
        await asyncio.sleep(0.01)
    taken = []
    while (message := await receive())["type"] == "websocket.receive":
        taken.append(message["text"])
    _note(f"{','.join(taken)} {message['code']}")


async def _loud(receive: Any, send: Any) -> None:
    """Say much, faster than anyone can listen, once asked to."""
    await receive()
    for _ in range(LOUD_COUNT):
        await send({"type": "websocket.send", "bytes": bytes(LOUD_SIZE)})
    _note("said")
    _note(str((await receive())["code"]))


async def _deaf(_receive: Any, _send: Any) -> None:
    """Never learn anything."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        _note("cancelled")
        raise


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        step = (await receive())["type"]
        await send({"type": f"{step}.complete"})
        if step == "lifespan.shutdown":
            _note("shut down")
            return


async def _answer(send: Any, body: bytes) -> None:
    headers = [(b"x-pid", b"%d" % os.getpid())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_PATHS = {"/echo": _echo, "/late": _late, "/loud": _loud, "/deaf": _deaf}
