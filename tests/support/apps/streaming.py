"""Streams that go on until they are told to end, or do not care; and a journal of what happened, in order."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.support.apps.basic import Message, Receive, Send
from tests.support.apps.basic import app as basic

EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


def _note(event: str) -> None:
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(f"{event}\n")


async def _begin(send: Send, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: begun\n\n", "more_body": True})


async def _listen(headers: tuple[tuple[bytes, bytes], ...], receive: Receive, send: Send) -> None:
    """End when told that the client left, with a last word."""
    await _begin(send, *headers)
    while (await receive())["type"] != "http.disconnect":
        pass
    _note("told")
    await send({"type": "http.response.body", "body": b"data: bye\n\n"})


async def _only_send(headers: tuple[tuple[bytes, bytes], ...], _receive: Receive, send: Send) -> None:
    """Send until that fails, as Starlette's streams do."""
    await _begin(send, *headers)
    try:
        while True:
            await asyncio.sleep(0.02)
            await send({"type": "http.response.body", "body": b"data: more\n\n", "more_body": True})
    except OSError:
        _note("failed")
        raise


async def _ignore(headers: tuple[tuple[bytes, bytes], ...], _receive: Receive, send: Send) -> None:
    """Go on whatever happens."""
    await _begin(send, *headers)
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        _note("cancelled")
        raise


_ROUTES = {"/listen": _listen, "/send": _only_send, "/ignore": _ignore}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve by path; with ``?events`` the stream is one of events."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        _note("shut down")
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["path"] in _ROUTES:
        await _ROUTES[scope["path"]]((EVENTS,) if scope["query_string"] else (), receive, send)
    else:
        await basic(scope, receive, send)
