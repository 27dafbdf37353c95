"""A connection to another worker, on which this one writes; nothing ever comes back."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

from srvctl.broadcast.codec import GREETING
from srvctl.broadcast.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_RETRY: Final = 0.02  #: seconds until a worker whose queue of connections is full is tried again


class Peer:
    """Writes to one other worker, at once where the kernel takes it, else when it does.

    Args:
        path: Its socket file.
        limit: Bytes that may wait for it.
        on_end: Called once, when it is gone, unless `close` was.
    """

    def __init__(self, path: str, limit: int, on_end: Callable[[], None]) -> None:
        self._path = path
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(limit)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._is_connected = self._waits_for_room = False
        self._retry: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Nothing waits to be written."""
        return not len(self._outbox)

    def connect(self) -> None:
        """Connect, which a Unix socket does without waiting for the other side.

        Raises:
            OSError: Nobody listens there; the connection is closed.
        """
        try:
            self._sock.connect(self._path)
        except BlockingIOError:  # what is published meanwhile waits
            self._retry = self._loop.call_later(_RETRY, self._connect_again)
            return
        except OSError:
            self.close()
            raise
        self._is_connected = True
        self._loop.add_reader(self._sock, self._end_if_gone)
        self._sock.send(GREETING)  # an empty socket takes it whole

    def _connect_again(self) -> None:
        try:
            self.connect()
        except OSError:
            self._end()
        else:
            self._write()

    def send(self, frames: Sequence[bytes], joined: bytes) -> int:
        """Write frames; return how many, from the first on, were written or wait.

        Args:
            frames: One for each message.
            joined: The same in one piece.
        """
        taken = self._outbox.add(frames, joined)
        if not self._waits_for_room:
            self._write()
        return taken

    def _write(self) -> None:
        if not self._is_connected:
            return
        try:
            while len(self._outbox):
                self._outbox.written(self._sock.send(self._outbox.peek()))
        except BlockingIOError:
            if not self._waits_for_room:
                self._waits_for_room = True
                self._loop.add_writer(self._sock, self._write)
            return
        except OSError:
            self._end()
            return
        if self._waits_for_room:
            self._waits_for_room = False
            self._loop.remove_writer(self._sock)

    def _end_if_gone(self) -> None:
        """Notice that the other side closed the connection, which is all that can be read here."""
        try:
            self._sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end()

    def _end(self) -> None:
        self.close()
        self._on_end()

    def close(self) -> None:
        """Close the connection; what waits is lost."""
        if self._retry is not None:
            self._retry.cancel()
        if self._is_connected:
            self._is_connected = False
            self._loop.remove_reader(self._sock)
            if self._waits_for_room:
                self._loop.remove_writer(self._sock)
        self._sock.close()
