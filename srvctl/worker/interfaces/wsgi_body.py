"""The body of a request as a file that a thread reads from, piece by piece as it comes.

Holds one piece at a time: as long as nobody reads, the server takes no more from the client.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from srvctl.worker.http.roles import ClientDisconnected

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

    from srvctl.worker.http.response import Message


class RequestBody(io.RawIOBase):
    """What `io.BufferedReader` makes a file of.

    Args:
        wait_message: Waits for the next ASGI message of the request, and returns it.
    """

    def __init__(self, wait_message: Callable[[], Message]) -> None:
        self._wait_message = wait_message
        self._piece = memoryview(b"")
        self._is_complete = False

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer with what there is, or wait for it; return its size, 0 at the end.

        Raises:
            ClientDisconnected: The client left before the end.
        """
        while not self._piece and not self._is_complete:
            self._take(self._wait_message())
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._piece))
        into[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size

    def _take(self, message: Message) -> None:
        if message["type"] != "http.request":
            # Not an end: half an upload must not be taken for a whole one.
            raise ClientDisconnected("the client left before its request was complete")
        self._piece = memoryview(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
