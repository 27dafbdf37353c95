"""What `basic` serves, and applications that fail in every way: for tests of what must be given back."""

from __future__ import annotations

import asyncio

from tests.support.apps.basic import Message, Receive, Send
from tests.support.apps.basic import app as basic

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


async def _raise(_receive: Receive, _send: Send) -> None:
    raise ValueError


async def _exit(_receive: Receive, _send: Send) -> None:
    raise SystemExit


async def _cancel(_receive: Receive, _send: Send) -> None:
    """Cancel the task that answers requests."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def _break(_receive: Receive, send: Send) -> None:
    """Return in the middle of a response."""
    await send(START)
    await send({"type": "http.response.body", "body": b"part", "more_body": True})


async def _linger(_receive: Receive, send: Send) -> None:
    """Go on after the response."""
    await send(START)
    await send({"type": "http.response.body", "body": b"answered"})
    await asyncio.sleep(0.05)


async def _read(receive: Receive, send: Send) -> None:
    """Answer once the body is there; or raise, if it never is."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        more = message["more_body"]
    await send(START)
    await send({"type": "http.response.body", "body": b"read"})


_ROUTES = {
    "/raise": _raise,
    "/exit": _exit,
    "/cancel": _cancel,
    "/break": _break,
    "/linger": _linger,
    "/read": _read,
}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve by path."""
    if scope["type"] == "http" and scope["path"] in _ROUTES:
        await _ROUTES[scope["path"]](receive, send)
    else:
        await basic(scope, receive, send)
