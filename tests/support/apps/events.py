"""An event stream that goes on for ever and never asks receive() whether its client is there."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    try:
        for number in count(1):
            body = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(0.02)
    except OSError as error:
        print(f"ended by {type(error).__name__}", flush=True)
        raise


async def lifespan(receive: Any, send: Any) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
