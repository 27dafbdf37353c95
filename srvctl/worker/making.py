"""Connections that were accepted, until each has its transport and is through TLS.

Event loops make a connection of a socket in a coroutine, which waits for one future. As a task it would begin
a turn of the loop later, behind everything else that is ready, and a turn is no small part of what a request
on a new connection costs. So it begins at once, as an eager task does where Python has them (3.12), and goes
on when the future is done.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterable, Mapping


class Making:
    """Those of one worker.

    Args:
        options: What `connect_accepted_socket` of the loop is told about each.
        on_change: Is called whenever one has failed, and when none is left.
    """

    def __init__(self, options: Mapping[str, Any], on_change: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._on_change = on_change
        self._waited_for: dict[asyncio.Future[Any], socket.socket] = {}
        self._unknown = 0

    @property
    def is_busy(self) -> bool:
        """Whether some are not through yet."""
        return bool(self._waited_for)

    @property
    def pending(self) -> int:
        """How many have no protocol yet that knows of its connection."""
        return self._unknown

    @property
    def sockets(self) -> Iterable[socket.socket]:
        """Those of the ones that are not through yet."""
        return self._waited_for.values()

    def note_made(self) -> None:
        """Learn that the protocol of one of them knows of its connection."""
        self._unknown = max(self._unknown - 1, 0)

    def begin(self, connect: Callable[[], asyncio.Protocol], sock: socket.socket) -> None:
        """Make a connection of a socket, beside all others; a handshake's failure is only its client's.

        Args:
            connect: Makes its protocol.
            sock: The socket, which is the connection's from now on.
        """
        self._unknown += 1
        self._go_on(self._loop.connect_accepted_socket(connect, sock, **self._options), sock)

    async def settle(self) -> None:
        """Wait until all are through."""
        if self._waited_for:
            await asyncio.wait(self._waited_for)

    def cancel(self) -> None:
        """Give up those that are not through."""
        for future in self._waited_for:
            future.cancel()

    def _go_on(
        self,
        coroutine: Coroutine[Any, Any, Any],
        sock: socket.socket,
        done: asyncio.Future[Any] | None = None,
    ) -> None:
        """Run one until it waits, or ends."""
        if done is not None:
            del self._waited_for[done]
        try:
            future = coroutine.send(None)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - or it was made: StopIteration
            has_failed = self._unknown > len(self._waited_for)
            if has_failed:
                self._unknown = len(self._waited_for)
            if has_failed or not self._waited_for:
                self._on_change()
        else:
            self._waited_for[future] = sock
            future.add_done_callback(partial(self._go_on, coroutine, sock))
