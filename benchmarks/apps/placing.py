"""Says which process answers; ``/burn`` takes 50 ms of a processor first, ``/block`` stands still as long."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from benchmarks.balance.model import BURNT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Serve."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/burn":
        end = time.thread_time() + BURNT
        while time.thread_time() < end:
            pass
    elif scope["path"] == "/block":
        time.sleep(BURNT)  # noqa: ASYNC251 - it is to hold up the loop, where processors are scarce as well
    headers = [(b"content-length", b"0"), (b"x-pid", b"%d" % os.getpid())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})
