"""One client connection: bytes in to the codec, requests to cycles, one response at a time, bytes out.

Owns the transport, the order of pipelined requests, flow control in both directions and the connection's
deadline. Called by the event loop, the codec and the cycles.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from srvctl.worker.http.cycle import RequestCycle
from srvctl.worker.http.headers import status_line
from srvctl.worker.http.httptools_codec import HttptoolsCodec
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http.scope import ScopeMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.worker.http.protocol import Headers
    from srvctl.worker.http.runner import Runner
    from srvctl.worker.http.scope import Address
    from srvctl.worker.server import Server

_HIGH_WATER: Final = 64 * 1024  #: unread request body, or unsent response, from which the other side waits
_MAX_UNREAD: Final = 256 * 1024  #: request body nobody reads that is still taken in to save the connection
_LINGER: Final = 2.0  #: seconds to take in what a client still sends after it was refused
_STALL: Final = 30.0  #: seconds a client may take nothing of the last response
_NEVER: Final = float("inf")
_REQUEST_TIMEOUT: Final = 408


class HttpConnection(asyncio.Protocol):
    """Speaks HTTP/1.1 with one client."""

    __slots__ = (
        "_codec",
        "_cycle",
        "_discarded",
        "_is_closing",
        "_queue",
        "_reading_paused",
        "_refusal",
        "_runner",
        "_scopes",
        "_server",
        "_transport",
        "_unsent",
        "can_write",
        "deadline",
        "idle_since",
        "is_waiting",
        "write",
        "writelines",
    )

    _transport: asyncio.Transport
    _scopes: ScopeMaker
    write: Callable[[bytes], None]
    writelines: Callable[[Iterable[bytes]], None]

    def __init__(self, server: Server) -> None:
        self._server = server
        self._codec = HttptoolsCodec(self, server.limits.request_head_size, server.limits.request_fields)
        self._cycle: RequestCycle | None = None  #: the request being answered
        self._queue: deque[RequestCycle] = deque()  #: requests that came before their turn
        self.can_write: asyncio.Future[None] | None = None  #: set while the client does not read
        self._reading_paused = False
        self.is_waiting = False  #: the current request is not handed to a runner yet
        self._runner: Runner | None = None
        self._is_closing = False  #: what comes in is no longer looked at
        self._refusal: ProtocolError | None = None  #: why the client gets an error after the responses due
        self._discarded = 0
        self._unsent = 0  #: bytes that waited to be sent when a closing connection was last looked at
        self.idle_since = self.deadline = 0.0

    # -- called by the event loop ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection."""
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(_HIGH_WATER)
        self.write, self.writelines = transport.write, transport.writelines
        server = self._server
        client = _address(transport.get_extra_info("peername"))
        sockname = _address(transport.get_extra_info("sockname"), own=True)
        self._scopes = ScopeMaker("http", client, sockname, server.root_path, server.state)
        self.idle_since = server.now()
        self.deadline = self.idle_since + server.timeouts.request_head
        server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_closing:
            return
        try:
            self._codec.feed(data)
        except ProtocolError as error:
            self._refuse(error)
        if self.is_waiting:
            self._hand_over()
        elif self._cycle is None and self._codec.is_inside_head and self.deadline is not _NEVER:
            self._expect_rest_of_head()

    def eof_received(self) -> bool:
        """Return whether a response is still due to a client that shut down its sending side."""
        self._drop_unfinished()
        if self._cycle is None:
            return False
        for cycle in (self._cycle, *self._queue):
            cycle.client_finished()
        return True

    def connection_lost(self, _error: Exception | None) -> None:
        """End the connection."""
        self._is_closing = True
        self.deadline = _NEVER
        self.resume_writing()
        for cycle in (self._cycle, *self._queue):
            if cycle is not None:
                cycle.client_left()
        self._cycle = None
        self._queue.clear()
        self.is_waiting = False
        self._part_with_runner()
        self._server.connection_closed(self)

    def pause_writing(self) -> None:
        """Make the application wait: the client does not read."""
        self.can_write = self._server.loop.create_future()

    def resume_writing(self) -> None:
        """Let the application go on."""
        if self.can_write is not None:
            self.can_write.set_result(None)
            self.can_write = None

    # -- called by the codec ---------------------------------------------------------------------------

    def head_received(
        self,
        method: str,
        target: bytes,
        version: str,
        headers: Headers,
        keep_alive: bool,
        has_body: bool,
        expects_continue: bool,
    ) -> None:
        """Take the next request; it is answered when the read that brought it has been looked at."""
        scope = self._scopes.make(method, target, version, headers)
        cycle = RequestCycle(self, self._server, scope, method, version, keep_alive, expects_continue)
        cycle.is_request_complete = not has_body
        if self._cycle is None:
            self._cycle = cycle
            self.is_waiting = True
            self.deadline = _NEVER
        else:
            self._queue.append(cycle)
            self._pause_reading()

    def body_received(self, data: bytes) -> None:
        """Take a piece of the body of the request that is being received."""
        cycle = self._receiving()
        if cycle is None:
            self._discarded += len(data)
            if self._discarded > _MAX_UNREAD:
                self._close_lingering()
            return
        cycle.body_received(data)
        if cycle.unread_size > _HIGH_WATER:
            self._pause_reading()

    def request_ended(self) -> None:
        """Finish the request that is being received."""
        cycle = self._receiving()
        if cycle is not None:
            cycle.request_ended()
        else:
            self._discarded = 0

    def _receiving(self) -> RequestCycle | None:
        """Return the request that is being received, or None when it is answered already."""
        return self._queue[-1] if self._queue else self._cycle

    # -- called by the cycles --------------------------------------------------------------------------

    def body_taken(self) -> None:
        """Read on, now that the application took what was received."""
        if not self._queue:
            self._resume_reading()

    def response_ended(self, cycle: RequestCycle) -> None:
        """Go on to the next request, or to the end of the connection."""
        server = self._server
        if server.logs_access:
            server.log_access(cycle)
        if cycle is not self._cycle:
            return
        if not cycle.keep_alive:
            self._close() if cycle.is_request_complete else self._close_lingering()
        elif self._queue:
            self._cycle = self._queue.popleft()
            self.is_waiting = True
            server.loop.call_soon(self._hand_over)  # in case the application goes on after its response
            if not self._queue:
                self._resume_reading()
        else:
            self._cycle = None
            if self._refusal is not None:
                self._send_refusal(self._refusal)
                return
            self.idle_since = server.now()
            self.deadline = self.idle_since + server.idle_timeout
            if self._reading_paused:
                self._resume_reading()

    def response_broken(self, cycle: RequestCycle) -> None:
        """End the connection in a way that the client cannot take for the end of the body."""
        if cycle is self._cycle:
            sock = self._transport.get_extra_info("socket")
            if sock.family != socket.AF_UNIX:
                # A body without a length ends with the connection: only a reset tells that it is cut off.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    # -- the runner ------------------------------------------------------------------------------------

    @property
    def runner(self) -> Runner | None:
        """What answers the requests of this connection."""
        return self._runner

    def _hand_over(self) -> None:
        """Have the request that waits answered: by the idle runner, or by a new one."""
        cycle = self._cycle
        if not self.is_waiting or cycle is None:
            return
        self.is_waiting = False
        if self._runner is not None and self._runner.is_idle:
            self._runner.wake(cycle)
        else:
            self._part_with_runner()
            self._runner = self._server.make_runner(self, cycle)

    def _part_with_runner(self) -> None:
        """Leave a runner alone with what its application does after the response."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._server.adopt(runner)
            runner.detach()

    def next_cycle(self) -> RequestCycle | None:
        """Return the request that waits for an answer, or None."""
        if not self.is_waiting:
            return None
        self.is_waiting = False
        return self._cycle

    def runner_ended(self, runner: Runner) -> None:
        """Replace a runner that answers nothing more, if a request waits."""
        if runner is self._runner:
            self._runner = None
            if self.is_waiting:
                self._hand_over()
        else:
            self._server.runner_ended(runner)

    # -- called by the server --------------------------------------------------------------------------

    def expire(self) -> None:
        """End a connection whose deadline passed: quietly between requests, with 408 inside a head."""
        if self._codec.is_inside_head and not self._is_closing:
            self._refuse(ProtocolError(_REQUEST_TIMEOUT, "request head took too long"))
        elif not self._is_closing:
            self._close()
        else:
            self._give_up_unless_flushing()

    def drain(self, idle: float) -> None:
        """Let the running request be the last; close after ``idle`` seconds without one."""
        if self._cycle is None and not self._is_closing:
            self.deadline = min(self.deadline, self.idle_since + idle)

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # -- the connection itself -------------------------------------------------------------------------

    def _expect_rest_of_head(self) -> None:
        """Give a request head that has begun its own time, counted from its first bytes."""
        if self.idle_since is not _NEVER:
            self.idle_since = _NEVER
            self.deadline = self._server.now() + self._server.timeouts.request_head

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._is_closing:
            self._reading_paused = False
            self._transport.resume_reading()

    def _refuse(self, error: ProtocolError) -> None:
        """Answer what cannot be understood, once the requests before it are answered."""
        self._server.logger.warning("Invalid HTTP request received: %s.", error)
        self._is_closing = True
        self._refusal = error
        self._drop_unfinished()
        if self._cycle is None and not self._transport.is_closing():
            self._send_refusal(error)

    def _drop_unfinished(self) -> None:
        """Give up the request that is being received: its body will never be whole."""
        cycle = self._receiving()
        if cycle is None or cycle.is_request_complete:
            return
        cycle.client_left()
        if self._queue:
            self._queue.pop()
            return
        self._cycle = None
        self.is_waiting = False
        if cycle.is_response_begun:
            self._transport.abort()

    def _send_refusal(self, error: ProtocolError) -> None:
        body = b"Invalid HTTP request received."
        fields = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n"
        general = self._server.general_fields(0)
        self.write(b"%b%b%b\r\n%b" % (status_line(error.status), general, fields % len(body), body))
        self._close_lingering()

    def _close(self) -> None:
        self._is_closing = True
        self.deadline = self._server.now() + _STALL
        self._transport.close()

    def _give_up_unless_flushing(self) -> None:
        """End a closing connection for good, unless its client is still taking in the response."""
        unsent = self._transport.get_write_buffer_size()
        if unsent > 0 and unsent != self._unsent:
            self._unsent = unsent
            self.deadline = self._server.now() + _STALL
        else:
            self._transport.abort()

    def _close_lingering(self) -> None:
        """Say that nothing more will be sent, then take in what the client still sends.

        Closing at once would make the kernel reset the connection for the unread bytes, and the client
        could lose the response with it (RFC 9112 section 9.6).
        """
        self._is_closing = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self.deadline = self._server.now() + _LINGER
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()


def _address(name: object, *, own: bool = False) -> Address | None:
    """Return host and port as ASGI wants them; a Unix socket has its path as host, and only on our side."""
    match name:
        case (str(host), int(port), *_):
            return host, port
        case str(path) if own and path:
            return path, None
        case _:
            return None
