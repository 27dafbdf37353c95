"""Sending a file as the body of a response, beside the transport that sends everything else.

uvloop has no sendfile of its own (its `loop.sendfile` and `loop.sock_sendfile` raise NotImplementedError), so
this calls sendfile(2) on the transport's socket, once the transport itself has nothing left to write. Where
the socket does not carry the plain bytes, as under TLS, it reads the file and writes to the transport.

Knows no HTTP: what goes before and behind the file is its caller's. Called by the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final, Protocol

from srvctl.worker.http.roles import ClientDisconnected

if TYPE_CHECKING:
    import socket

    from srvctl.worker.http.file_body import FileBody

#: Bytes the kernel is asked to send at once. Between two pieces other connections have their turn, and a slow
#: disk holds up the loop no longer than for one.
PIECE: Final = 256 * 1024
#: Bytes read at once where sendfile(2) cannot be used; they are in memory until the client has taken them.
COPY_PIECE: Final = 64 * 1024
_LEFT: Final = frozenset(
    {errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ENOTCONN}
)
_CANNOT: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})  #: some file systems, some sockets


class FileHost(Protocol):
    """What sending a file needs of its connection."""

    can_write: asyncio.Future[None] | None  #: what to wait for before more is written, or None


class FileSender:
    """Sends one file on one connection.

    Nothing else may be written to the transport until `send` returns. Where `send` raises, whatever it
    raises, a part of the file may have been sent: the connection is of no use any more.

    Args:
        host: The connection.
        loop: Its loop.
        transport: Its transport.

    Attributes:
        sent: Bytes handed to the kernel, or to a transport that encrypts them. A client that takes nothing
            for long is one for which this stays the same.
    """

    __slots__ = ("_done", "_host", "_loop", "_socket", "_transport", "sent")

    def __init__(self, host: FileHost, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._host = host
        self._loop = loop
        self._transport = transport
        self._done: asyncio.Future[None] | None = None  #: set while the loop does the sending
        self._socket = -1  #: our duplicate of the transport's, while the loop does the sending
        self.sent = 0

    def client_left(self) -> None:
        """Send nothing more: the transport is closed, and the socket must be as well.

        The connection calls this when it is lost; without it, a client would get the rest of the file from
        a connection that has been given up.
        """
        self._stop()
        if self._done is not None and not self._done.done():
            self._done.set_exception(ClientDisconnected("the client went away"))

    async def send(self, body: FileBody) -> None:
        """Send what is left of the body; it stays open.

        Raises:
            ClientDisconnected: The client went away; the transport is aborted.
            FileShorterError: The file ended too soon.
            OSError: The file cannot be read.
        """
        if not body.left:
            return
        self._require_client()
        sock = _plain_socket(self._transport)
        if sock is None:
            await self._send_copies(body)
            return
        await self._flush()
        await self._into_memory(body)
        try:
            has_begun = self._send_piece(sock.fileno(), body)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            await self._send_copies(body)
            return
        if body.left:
            await self._send_rest(sock, body, is_ready=has_begun)

    # -- with sendfile(2) ------------------------------------------------------------------------------

    async def _flush(self) -> None:
        """Wait until the transport has nothing left to write: what is sent beside it would overtake that."""
        transport = self._transport
        if not transport.get_write_buffer_size():
            return
        low, high = transport.get_write_buffer_limits()
        # With these limits a transport calls pause_writing at once, and resume_writing when all is written.
        transport.set_write_buffer_limits(0)
        try:
            await self._until_writable()
        finally:
            if not transport.is_closing():
                transport.set_write_buffer_limits(high, low)

    def _send_piece(self, sock: int, body: FileBody) -> bool:
        """Send as much of a piece as the socket takes; return whether that was anything.

        Raises:
            ClientDisconnected: The client went away.
            FileShorterError: The file ended too soon.
            OSError: The file cannot be read, or not be sent in this way.
        """
        try:
            size = os.sendfile(sock, body.fileno(), body.offset, min(PIECE, body.left))
        except BlockingIOError:
            return False
        except OSError as error:
            if isinstance(error, (ConnectionError, TimeoutError)) or error.errno in _LEFT:
                self._transport.abort()  # one that does not read would never notice
                raise ClientDisconnected("the client went away") from error
            raise
        self.sent += size
        body.taken(size)
        return True

    async def _send_rest(self, sock: socket.socket, body: FileBody, *, is_ready: bool) -> None:
        """Let the loop send piece after piece, whenever the socket takes one.

        Args:
            sock: The transport's socket.
            body: What to send.
            is_ready: The socket has just taken something.
        """
        if is_ready:
            await self._into_memory(body)
        # Loops let nobody watch the socket of a transport, and its number may be another's once it is closed.
        self._socket = os.dup(sock.fileno())
        try:
            while body.left:
                self._require_client()
                self._done = self._loop.create_future()
                self._loop.add_writer(self._socket, self._on_writable, body)
                await self._done
                await self._into_memory(body)
        finally:
            self._stop()
            self._done = None

    def _on_writable(self, body: FileBody) -> None:
        """Send a piece; let `_send_rest` go on at the end, upon an error and where the disk must be asked."""
        done = self._done
        if done is None or done.done():
            return  # cancelled; the task has not been told yet
        try:
            self._send_piece(self._socket, body)
            is_over = not body.left or not body.is_in_memory(PIECE)
        except Exception as error:  # noqa: BLE001 - of any kind: the loop would only log it and call again
            self._pause()
            done.set_exception(error)
        else:
            if is_over:
                self._pause()
                done.set_result(None)

    def _pause(self) -> None:
        """Watch the socket no longer."""
        if self._socket >= 0:
            self._loop.remove_writer(self._socket)

    def _stop(self) -> None:
        """Give the duplicate of the socket back: while it is open, the connection is."""
        if self._socket >= 0:
            self._pause()
            os.close(self._socket)
            self._socket = -1

    # -- without ---------------------------------------------------------------------------------------

    async def _send_copies(self, body: FileBody) -> None:
        """Read the file and write it to the transport, as fast as the client takes it."""
        transport = self._transport
        while True:
            data = body.read_nowait(COPY_PIECE)
            if data is None:
                data = await read_in_thread(self._loop, body, COPY_PIECE)
            else:
                await asyncio.sleep(0)  # a fast client must not keep the loop from everybody else
            self._require_client()
            body.taken(len(data))
            transport.write(data)
            self.sent += len(data)
            await self._until_writable()
            if not body.left:
                return

    # -- both ------------------------------------------------------------------------------------------

    async def _until_writable(self) -> None:
        """Wait while the client does not read; what waits there is shared, and nobody's to cancel."""
        while self._host.can_write is not None:
            await asyncio.shield(self._host.can_write)
        self._require_client()

    def _require_client(self) -> None:
        if self._transport.is_closing():
            raise ClientDisconnected("the client went away")

    async def _into_memory(self, body: FileBody) -> None:
        """Have the next piece read from the disk by a thread, unless it is in memory already."""
        if body.left and not body.is_in_memory(PIECE):
            await read_in_thread(self._loop, body, PIECE)
            self._require_client()


async def read_in_thread(loop: asyncio.AbstractEventLoop, body: FileBody, size: int) -> bytes:
    """Return the next bytes of a file, fewer where it ends, however long the disk takes."""
    future = loop.run_in_executor(None, body.read, size)
    body.read_begins()
    future.add_done_callback(lambda _: body.read_ended())
    # A thread cannot be cancelled: it ends in its own time, and gives the file back only then.
    return await asyncio.shield(future)


def _plain_socket(transport: asyncio.Transport) -> socket.socket | None:
    """Return the socket whose bytes are those that the client sees, or None."""
    if transport.get_extra_info("sslcontext") is not None:
        return None
    with contextlib.suppress(NotImplementedError):
        sock: socket.socket | None = transport.get_extra_info("socket")
        return sock
    return None
