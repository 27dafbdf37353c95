"""Accepting connections on the listeners a worker inherited, with or without TLS, until it drains."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from srvctl.settings.groups import TimeoutSettings
    from srvctl.worker.tls.reloading import Tls

_TURNS_TO_HANDSHAKE: Final = 3  #: of the loop, until what it has accepted has begun its handshake
_SOON: Final = 0.001  #: seconds; event loops refuse 0


class Listening:
    """The listeners of one worker.

    Args:
        connect: Makes the protocol of a new connection.
        tls: What every listener speaks; None for plain HTTP.
        timeouts: How long handshakes may take.
        on_change: Is called whenever a handshake has ended.
    """

    def __init__(
        self,
        connect: Callable[[], asyncio.Protocol],
        tls: Tls | None,
        timeouts: TimeoutSettings,
        on_change: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect = connect
        self._tls = tls
        self._on_change = on_change
        self._inherited: list[socket.socket] = []
        self._servers: list[asyncio.AbstractServer] = []
        self._accepting: set[asyncio.Task[Any]] = set()  #: handshakes of clients that were queued
        self._options: dict[str, Any] = {}
        if tls is not None:
            self._options = {
                "ssl": tls.context,
                "ssl_handshake_timeout": max(timeouts.tls_handshake, _SOON),
                "ssl_shutdown_timeout": max(timeouts.tls_shutdown, _SOON),
            }

    @property
    def is_shaking_hands(self) -> bool:
        """Whether connections will come of handshakes that run."""
        return bool(self._accepting) or (self._tls is not None and self._tls.is_shaking_hands)

    async def start(self, sockets: Iterable[socket.socket], backlog: int) -> None:
        """Accept connections on duplicates of the sockets."""
        for inherited in sockets:
            self._inherited.append(inherited)
            sock = inherited.dup()  # the loop closes what it is given
            if sock.family == socket.AF_UNIX:
                # From 3.13 on, loops remove the socket file when a server closes: the first worker's would.
                keep: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
                server = await self._loop.create_unix_server(
                    self._connect, sock=sock, backlog=backlog, **keep, **self._options
                )
            else:
                server = await self._loop.create_server(
                    self._connect, sock=sock, backlog=backlog, **self._options
                )
            self._servers.append(server)

    async def stop(self, *, last: bool) -> None:
        """Accept no more.

        Args:
            last: Nobody takes over the listeners: what the kernel has queued on them is accepted first.
        """
        if last:
            await self._accept_queued()
        for server in self._servers:
            server.close()
        for listener in self._inherited:
            listener.close()
        if self._tls is not None:
            for _ in range(_TURNS_TO_HANDSHAKE):
                await asyncio.sleep(0)

    async def _accept_queued(self) -> None:
        """Take over what clients see as connected already, before the last listener closes and resets it."""
        for listener in self._inherited:
            with contextlib.suppress(OSError):  # BlockingIOError: nothing is queued any more
                while True:
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    accepting = self._loop.connect_accepted_socket(self._connect, sock, **self._options)
                    if self._tls is None:
                        await accepting
                    else:
                        self._shake_hands(accepting)

    def _shake_hands(self, accepting: Coroutine[Any, Any, Any]) -> None:
        """Let a handshake run beside all others; its failure is only the client's business."""
        task = asyncio.ensure_future(accepting)
        self._accepting.add(task)
        task.add_done_callback(self._handshake_ended)

    def _handshake_ended(self, task: asyncio.Task[Any]) -> None:
        self._accepting.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not report it
        self._on_change()
