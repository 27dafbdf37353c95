"""Publishes what it is sent, streams what is published, tells its counts; uses the extension throughout.

In its lifespan it subscribes to the channel "startup" and keeps what comes, and says so on "goodbye" when it
is shut down.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

from srvctl.broadcast import publish, stats, subscribe

_kept: list[str] = []


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    query = dict(parse_qsl(scope["query_string"].decode()))
    match scope["path"]:
        case "/publish":
            await _publish(scope, query, receive)
            await _answer(send, b"published")
        case "/events":
            streaming = asyncio.create_task(_stream(scope, query, send))
            await receive()  # the request, then that its client left: nothing else would end the stream
            await receive()
            streaming.cancel()
        case "/stats":
            await _answer(send, json.dumps(asdict(stats())).encode())
        case "/kept":
            await _answer(send, json.dumps(_kept).encode())
        case _:
            await _answer(send, b"broadcasting")


async def _publish(scope: dict[str, Any], query: dict[str, str], receive: Any) -> None:
    """Publish the body, or so many numbers."""
    publish = scope["extensions"]["srvctl.broadcast"]["publish"]
    if "count" in query:
        first = int(query.get("first", "0"))
        for number in range(first, first + int(query["count"])):
            await publish(query["channel"], str(number))
    else:
        body = (await receive())["body"]
        await publish(query["channel"], body if "bytes" in query else body.decode())


async def _stream(scope: dict[str, Any], query: dict[str, str], send: Any) -> None:
    """Send each message as an event, its repr; the first one says who we are, once we have subscribed."""
    subscribe = scope["extensions"]["srvctl.broadcast"]["subscribe"]
    await _start(send, (b"content-type", b"text/event-stream"))
    async with subscribe(query["channel"]) as messages:
        await _event(send, str(os.getpid()))
        async for message in messages:
            await _event(send, repr(message))
            if "delay" in query:
                await asyncio.sleep(float(query["delay"]))


async def _event(send: Any, text: str) -> None:
    await send({"type": "http.response.body", "body": f"data: {text}\n\n".encode(), "more_body": True})


async def _start(send: Any, *headers: tuple[bytes, bytes]) -> None:
    own = (b"x-pid", b"%d" % os.getpid())
    await send({"type": "http.response.start", "status": 200, "headers": [own, *headers]})


async def _answer(send: Any, body: bytes) -> None:
    await _start(send)
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    async with subscribe("startup") as messages:
        keeping = asyncio.create_task(_keep(messages))
        await publish("startup", f"hello from {os.getpid()}")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await publish("goodbye", str(os.getpid()))
        keeping.cancel()
    await send({"type": "lifespan.shutdown.complete"})


async def _keep(messages: Any) -> None:
    async for message in messages:
        _kept.append(message)  # noqa: PERF401 - it is looked at meanwhile
