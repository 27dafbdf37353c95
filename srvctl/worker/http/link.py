"""One connection as the event loop sees it: flow control, deadlines, and the ways to end. Knows no HTTP."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING, Final, cast

from srvctl.ipc.scoreboard import Cell
from srvctl.worker.http.pace import SendPace
from srvctl.worker.http.sendfile import FileSender
from srvctl.worker.timers import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.file_body import FileBody
    from srvctl.worker.http.runner import Runner
    from srvctl.worker.server import Server

_RESET: Final = struct.pack("ii", 1, 0)  #: SO_LINGER: closing resets the connection


class Link(asyncio.Protocol):
    """A connection with one client.

    Attributes:
        deadline: When the connection is to be woken, in seconds of the loop's clock.
        due: Belongs to the timer wheel.
        can_write: What an application that sends has to wait for; None while the client reads.
        write: Sends bytes.
        writelines: Sends pieces without joining them.
    """

    __slots__ = (
        "_file",
        "_is_closing",
        "_reading_paused",
        "_runner",
        "_send_pace",
        "_server",
        "_transport",
        "can_write",
        "deadline",
        "due",
        "write",
        "writelines",
    )

    _transport: asyncio.Transport
    write: Callable[[bytes], None]
    writelines: Callable[[Iterable[bytes]], None]

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_closing = False  #: what comes in is no longer looked at
        self._reading_paused = False
        self._file: FileSender | None = None  #: at work
        self._send_pace: SendPace | None = None  #: while something waits to be sent
        self._runner: Runner | None = None  #: runs the application for the client
        self.can_write: asyncio.Future[None] | None = None
        self.deadline = self.due = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection."""
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(self._server.limits.response_buffer)
        self.write, self.writelines = transport.write, transport.writelines

    def connection_lost(self, _error: Exception | None) -> None:
        """End the connection: whoever waits to send goes on, and fails."""
        self._is_closing = True
        self.deadline = NEVER
        self.resume_writing()
        if self._file is not None:
            self._file.client_left()

    def take_over(self, other: Link) -> None:
        """Speak with the client of another, which from now on does no more."""
        self.can_write, self._send_pace = other.can_write, other._send_pace
        self._reading_paused, other._reading_paused = other._reading_paused, False
        runner, other._runner = other._runner, None
        connections = self._server.connections
        connections[self] = connections.get(other)  # first: a worker that ends may wait for the last one
        self.start_on(other._transport, runner)
        self._server.connection_closed(other)

    def start_on(self, transport: asyncio.Transport, runner: Runner | None) -> None:
        """Speak on a transport that others have begun on, for an application that a runner runs already."""
        self._transport, self.write, self.writelines = transport, transport.write, transport.writelines
        self._runner = runner
        if runner is not None:
            runner.dedicate(self)
        transport.set_protocol(self)

    # -- flow control ----------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """Make the application wait: the client does not read."""
        self.can_write = self._server.loop.create_future()
        self._watch_sending()

    def resume_writing(self) -> None:
        """Let the application go on."""
        if self._file is None:  # else: only what was before the file is sent
            self._send_pace = None
        if self.can_write is not None:
            self.can_write.set_result(None)
            self.can_write = None

    def _pause_reading(self) -> None:
        """Read no more for now."""
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        """Read on."""
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()

    async def send_file(self, body: FileBody) -> None:
        """Send a file; nothing else may be sent meanwhile.

        Raises:
            OSError: The client left, or the file ended too soon.
        """
        self._file = FileSender(self, self._server.loop, self._transport)
        self._watch_sending()
        try:
            await self._file.send(body)
        finally:
            self._file = None
            if self.can_write is None:
                self._send_pace = None

    # -- time ------------------------------------------------------------------------------------------

    def _wait_until(self, deadline: float) -> None:
        self.deadline = deadline
        if deadline < self.due:
            self._server.timers.place(self)

    def _watch_sending(self) -> None:
        """See to it that what waits to be sent does not wait for ever."""
        if self._send_pace is None:
            self._send_pace = SendPace(self._server.timeouts.write_stall, self._server.next_look)
            self._watch()

    def _watch(self) -> None:
        """Be woken when the client's progress is to be looked at."""
        self._wait_until(NEVER if self._send_pace is None else self._send_pace.due)

    def _progress(self) -> int:
        """Return a number that changes with every byte the client takes."""
        sent_of_file = self._file.sent if self._file is not None else 0
        return sent_of_file - self._transport.get_write_buffer_size() - _in_kernel(self.sock)

    def expire(self, now: float) -> None:
        """Do what has to be done at the deadline."""
        if self._send_pace is not None and self._send_pace.is_stalled(self._progress(), now):
            self._server.logger.debug("A client took nothing of its response for too long.")
            self._reset()
        elif self._is_closing:
            self._expire_closing(now)
        else:
            self._expire_open(now)

    def _expire_open(self, now: float) -> None:
        """Do what the protocol wants to be done at the deadline."""
        raise NotImplementedError

    def _expire_closing(self, now: float) -> None:
        """End a closing connection for good, unless its client is still taking in the response."""
        if not self._has_unsent():
            self._transport.abort()
            return
        if self._send_pace is None:
            self._watch_sending()
        self._wait_until(now + self._server.timeouts.linger)

    def _has_unsent(self) -> bool:
        if self._transport.get_write_buffer_size():
            return True
        # A transport under TLS does not tell how much the one below it holds; the kernel is full as long.
        return self._is_encrypted and _in_kernel(self.sock) > 0

    @property
    def sock(self) -> socket.socket | None:
        """What the loop shows of the connection's socket; None where it is shared with others."""
        return cast("socket.socket | None", self._transport.get_extra_info("socket"))

    @property
    def _is_encrypted(self) -> bool:
        return not self._transport.can_write_eof()

    # -- the application -------------------------------------------------------------------------------

    @property
    def runners(self) -> Iterable[Runner]:
        """What runs the application for the client."""
        return () if self._runner is None else (self._runner,)

    @property
    def cycles(self) -> Iterable[RequestCycle]:
        """The requests being received or answered."""
        return ()

    def count_cut(self, cycle: RequestCycle) -> None:
        """Count a request that is left unfinished, if that is because the worker ends.

        An event stream has no end that could be waited for: its client connects again.
        """
        if self._server.is_draining and not cycle.is_event_stream:
            self._server.cells[Cell.CUT] += 1

    def _part_with_runner(self) -> None:
        """Leave a runner alone with what its application still does."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._server.adopt(runner)
            runner.detach()

    def runner_ended(self, runner: Runner) -> None:
        """Forget a runner that answers nothing more."""
        if runner is self._runner:
            self._runner = None
        else:
            self._server.runner_ended(runner)

    # -- the end ---------------------------------------------------------------------------------------

    def drain(self, idle: float) -> None:
        """End the connection as soon as it is polite to; called again and again while a worker ends.

        Args:
            idle: Seconds without a request after which it is.
        """
        raise NotImplementedError

    def end_event_stream(self) -> None:
        """End the connection if its response would go on for ever."""

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _reset(self) -> None:
        """End the connection at once, in a way that the client cannot take for the end of a response."""
        sock = self.sock
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _close(self) -> None:
        """Close as soon as everything is sent."""
        self._is_closing = True
        self._transport.close()
        timeouts = self._server.timeouts
        if self._is_encrypted:
            self._wait_until(self._server.now() + max(timeouts.linger, timeouts.tls_shutdown))
        elif self._transport.get_write_buffer_size():  # else: it ends in the next turn of the loop
            self._wait_until(self._server.now() + timeouts.linger)

    def _close_lingering(self) -> None:
        """Say that nothing more will be sent, then take in what the client still sends.

        Closing at once would make the kernel reset the connection for the unread bytes, and the client
        could lose the response with it (RFC 9112 section 9.6).
        """
        if self._is_encrypted:  # TLS goes on reading while it closes
            self._close()
            return
        self._is_closing = True
        self._transport.write_eof()
        self._resume_reading()
        self._wait_until(self._server.now() + self._server.timeouts.linger)


def _in_kernel(sock: socket.socket | None) -> int:
    """Return how many bytes of what was sent the other side has not acknowledged, as far as can be known.

    The kernel holds megabytes for a client, and says that it takes more only when a third of them is gone:
    one that is slow takes a little all the time, and must not seem to take nothing.
    """
    if sock is None:  # it is shared with others
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (OSError, ValueError):  # another kind of system; or the socket is closed
        return 0
