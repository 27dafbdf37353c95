"""WebSocket applications without a framework: what is measured is the server, not the application.

Each answers a message with that message; none takes part in the lifespan protocol.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.apps.bare import Message, Receive, Send

#: To whom it sends, the others listen.
SENDER_PATH = "/send"


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Send every message back."""
    await _accept(scope, receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        await send(_same(message))


class Broadcast:
    """Sends what comes in at one path to everyone who is connected elsewhere, one after the other."""

    def __init__(self) -> None:
        self._sends: set[Send] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve the sender, or a listener."""
        await _accept(scope, receive, send)
        if scope["path"] == SENDER_PATH:
            await self._forward(receive, send)
        else:
            await self._listen(receive, send)

    async def _forward(self, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            same = _same(message)
            for each in tuple(self._sends):
                with suppress(OSError, RuntimeError):  # it has just gone
                    await each(same)
            await send(same)

    async def _listen(self, receive: Receive, send: Send) -> None:
        """Send a listener's own messages back: whoever has had an answer is listening."""
        self._sends.add(send)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await send(_same(message))
        finally:
            self._sends.discard(send)


broadcast = Broadcast()


def _same(message: Message) -> Message:
    text = message.get("text")
    if text is not None:
        return {"type": "websocket.send", "text": text}
    return {"type": "websocket.send", "bytes": message["bytes"]}


async def _accept(scope: Message, receive: Receive, send: Send) -> None:
    """Accept a WebSocket, and decline anything else by raising.

    Raises:
        NotImplementedError: The scope is not that of a WebSocket.
    """
    if scope["type"] != "websocket":
        raise NotImplementedError(f"This application does not speak {scope['type']!r}.")
    await receive()
    await send({"type": "websocket.accept"})
