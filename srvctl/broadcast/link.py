"""What a hub needs of whatever carries messages to other processes."""

from __future__ import annotations

from typing import Protocol


class Link(Protocol):
    """Carries what this process publishes to others, and calls the hub with what they publish."""

    @property
    def peers(self) -> int:
        """Connections that carry messages."""

    def listen(self) -> None:
        """Be reachable from now on: somebody here subscribes. Must not wait, and may be called again."""

    def send(self, channel: bytes, body: bytes, *, is_text: bool) -> bool:
        """Take a message, to be sent at the latest with the next `flush`; must not wait.

        Returns:
            Whether so much was taken that the publisher should let others run.
        """

    def flush(self) -> None:
        """Send what was taken, as far as that can be done without waiting."""

    async def close(self) -> None:
        """Send what can be sent soon, and end."""
