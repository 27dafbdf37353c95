"""Writes its lifespan and its requests to the file that JOURNAL names, a line of pid and event for each."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.apps.basic import Message, Receive, Send
from tests.support.apps.basic import app as basic


def _note(event: str) -> None:
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(f"{os.getpid()} {event}\n")


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve what `basic` serves."""
    if scope["type"] == "http":
        await basic(scope, receive, send)
        _note(f"answered {scope['path']}")
        return
    while True:
        step = (await receive())["type"]
        _note(step)
        await send({"type": f"{step}.complete"})
        if step == "lifespan.shutdown":
            return
