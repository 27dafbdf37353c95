"""How workers and molds write to the master."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from srvctl.ipc.channel import encode

if TYPE_CHECKING:
    import socket

    from srvctl.ipc.channel import Message


def say(channel: socket.socket, message: Message) -> None:
    """Send a message; a master that is gone needs none."""
    with contextlib.suppress(OSError):
        channel.sendall(encode(message))
