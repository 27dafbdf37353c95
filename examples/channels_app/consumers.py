"""The consumers: what a view is to a request, one of these is to a WebSocket."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer


class Echo(AsyncWebsocketConsumer):
    """Sends each message back."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send it back as it came: text as text, bytes as bytes."""
        await self.send(text_data, bytes_data)

    async def disconnect(self, code: int) -> None:
        """Be told that the WebSocket has ended."""
        print(f"The WebSocket is closed: {code}.", flush=True)
