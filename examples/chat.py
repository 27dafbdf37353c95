"""A chat: everyone in a room hears everyone, whichever worker their WebSocket is in.

    srvctl run examples.chat:app --workers 4

Open http://127.0.0.1:8000/ in several windows. Needs FastAPI (`pip install fastapi`).

Each WebSocket has two things to do at once: hear the room, and read what its own client says. Nothing is
kept: who comes later has missed what was said. Nobody logs in, either; where cookies say who somebody is,
check the Origin header before you accept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import FastAPI, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse
from fastapi.websockets import WebSocketState

from srvctl.broadcast import publish, subscribe

if TYPE_CHECKING:
    from srvctl.broadcast import Subscription

PAGE = Path(__file__).with_name("chat.html").read_text(encoding="utf-8")
LONGEST = 1000  #: characters of a message; the page knows it too
SERVICE_RESTART = 1012  #: the close code with which srvctl says: the worker ends, come back

Name = Annotated[str, Query(min_length=1, max_length=40)]

app = FastAPI(title="Chat", openapi_url=None)


@app.get("/")
async def page() -> HTMLResponse:
    """Answer with the page. Its script and style are inside; the policy lets no others in."""
    nonce = secrets.token_urlsafe(16)
    policy = f"default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
frame-ancestors 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
    return HTMLResponse(PAGE.replace("NONCE", nonce), headers={"content-security-policy": policy})


@app.websocket("/chat")
async def chat(socket: WebSocket, name: Name, room: Name = "lobby", *, again: bool = False) -> None:
    """Be one member of a room, from coming to leaving."""
    member = {"id": secrets.token_hex(8), "name": name, "worker": os.getpid()}
    channel = f"chat/{room}"
    async with subscribe(channel) as messages:  # before accepting, so that its client misses nothing
        await socket.accept()
        await send(socket, json.dumps({"kind": "welcome", **member}))
        if not again:
            await publish(channel, json.dumps({"kind": "came", **member}))
        async with asyncio.TaskGroup() as tasks:
            forwarding = tasks.create_task(forward(messages, socket))
            code = await listen(socket, channel, member)
            forwarding.cancel()
    if code != SERVICE_RESTART:  # else its page is back in a moment
        await publish(channel, json.dumps({"kind": "left", **member}))


async def forward(messages: Subscription, socket: WebSocket) -> None:
    """Send to the client what is said in the room."""
    async for message in messages:
        if isinstance(message, str):
            await send(socket, message)


async def listen(socket: WebSocket, channel: str, member: dict[str, object]) -> int:
    """Publish what the client says, until it leaves; return the close code."""
    while (event := await socket.receive())["type"] == "websocket.receive":
        text = event.get("text")
        if text is None or len(text) > LONGEST:
            complaint = f"A message is text of at most {LONGEST} characters. Yours was not sent."
            await send(socket, json.dumps({"kind": "refused", "text": complaint}))
        elif text.strip():
            await publish(channel, json.dumps({"kind": "said", "text": text, **member}))
    code: int = event["code"]
    return code


async def send(socket: WebSocket, text: str) -> None:
    """Send to a client that may be gone by now: `listen` is told that, and why."""
    if socket.application_state is WebSocketState.CONNECTED:
        with contextlib.suppress(WebSocketDisconnect):
            await socket.send_text(text)
