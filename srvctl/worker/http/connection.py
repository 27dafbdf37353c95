"""One connection that speaks HTTP: bytes in, one response at a time, bytes out.

Owns the order of pipelined requests and what the connection waits for. Called by the event loop, the codec,
the cycles and the server's timers.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from srvctl.worker.access import ConnectionAccess
from srvctl.worker.http.cycle import RequestCycle
from srvctl.worker.http.headers import status_line
from srvctl.worker.http.link import Link
from srvctl.worker.http.pace import BodyPace
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.timers import NEVER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from srvctl.worker.admission import Admission, Waiter
    from srvctl.worker.http.protocol import Codec, RequestHead
    from srvctl.worker.http.scope import ScopeMaker
    from srvctl.worker.http.surroundings import Peer
    from srvctl.worker.server import Server


class HttpConnection(Link):
    """Speaks HTTP/1.1 with one client.

    Attributes:
        is_waiting: The current request is not handed to a runner yet.
        peer: Whom the connection is for, if a PROXY header says so; None for whoever is connected.
    """

    __slots__ = (
        "_access",
        "_body_pace",
        "_codec",
        "_cycle",
        "_discarded",
        "_has_eof",
        "_held",
        "_held_from",
        "_idle_from",
        "_is_head_timed",
        "_requests",
        "_scopes",
        "is_waiting",
        "peer",
    )

    _codec: Codec
    _scopes: ScopeMaker

    def __init__(self, server: Server, peer: Peer | None = None) -> None:
        super().__init__(server)
        self.peer = peer
        self._cycle: RequestCycle | None = None  #: the request being received or answered
        self.is_waiting = False
        self._access: ConnectionAccess | None = None
        self._requests = 0
        self._is_head_timed = False  #: the deadline is that of the head being received
        self._held = b""  #: received behind the current request, and not looked at yet
        self._held_from = 0  #: where in it
        self._has_eof = False  #: the client sends nothing more
        self._discarded = 0  #: bytes of a body that belong to an answered request
        self._body_pace: BodyPace | None = None
        self._idle_from = 0.0

    # -- called by the event loop ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection."""
        super().connection_made(transport)
        server = self._server
        self._codec = server.make_codec(self)
        self._scopes = server.make_scopes(transport, self.peer)
        if server.access is not None:
            self._access = ConnectionAccess(server.access, self._scopes)
        server.connection_made(self)
        self._idle_from = server.now()
        self._wait_until(self._idle_from + server.timeouts.request_head)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_closing:
            return
        cycle = self._cycle
        if self._held or (self.can_write is not None if cycle is None else cycle.is_request_complete):
            self._hold(data)
        else:
            self._read(data, 0)

    def eof_received(self) -> bool:
        """Return whether a response is still due to a client that shut down its sending side."""
        self._has_eof = True
        self._end_requests()
        is_busy = self._cycle is not None or bool(self._held)
        # TLS knows no half-closed connections here: event loops end both directions together.
        return is_busy and not self._is_closing and not self._is_encrypted

    def connection_lost(self, error: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(error)
        cycle, self._cycle = self._cycle, None
        if cycle is not None:
            self._give_up_place(cycle)
            cycle.client_left()
        self._held, self._body_pace = b"", None
        self.is_waiting = False
        self._part_with_runner()
        self._server.connection_closed(self)
        # The codec knows its connection. Without that circle, what is left goes at once; looking for the
        # garbage of connections took a sixth of the time where each of them carries one request.
        del self._codec

    def resume_writing(self) -> None:
        """Let the application go on, or the next request begin."""
        super().resume_writing()
        if self._cycle is None and not self._is_closing:
            self._idle()

    # -- reading ---------------------------------------------------------------------------------------

    def _read(self, data: bytes, start: int) -> None:
        """Give the codec what it wants, and hold the rest for the next request."""
        is_queued = self.is_waiting  # for its turn, since an earlier read
        try:
            reached = self._codec.feed(data, start)
        except ProtocolError as error:
            self._refuse(error)
            return
        if reached < len(data):
            self._held, self._held_from = data, reached
        elif self._held:
            self._held = b""
        cycle = self._cycle
        if cycle is None:
            self._expect_head()
            return
        if not cycle.is_request_complete:
            self._watch_body(cycle)
        if self.is_waiting:
            admission = self._server.admission
            if admission is None:
                self.answer_now()
            elif not is_queued:
                self._hand_over(cycle, admission)

    def _expect_head(self) -> None:
        """See to it that the next request comes, or the rest of its head in time."""
        if self._held:  # behind a body that nobody wanted
            self._server.loop.call_soon(self._read_held)
        elif self._codec.is_inside_head and not self._is_head_timed:
            # A head that has begun has its own time, counted from its first bytes.
            self._is_head_timed = True
            self._wait_until(self._server.now() + self._server.timeouts.request_head)

    def _hold(self, data: bytes) -> None:
        """Keep what belongs to later requests; too much of it stays with the client."""
        self._held = self._held[self._held_from :] + data
        self._held_from = 0
        if len(self._held) > self._server.limits.request_buffer:
            self._pause_reading()

    def _read_held(self) -> None:
        """Go on with the next request, which came before its turn, once its client takes what is sent."""
        if self._held and self._cycle is None and self.can_write is None and not self._is_closing:
            self._read(self._held, self._held_from)
            self._read_on()
            if self._has_eof:
                self._end_requests()

    def _end_requests(self) -> None:
        """Learn that the client sends nothing more: what is not whole by now never will be."""
        cycle = self._cycle
        if cycle is not None and not cycle.is_request_complete:
            self._drop_unfinished(cycle)
        elif cycle is not None:
            if not self._held:
                cycle.keep_alive = False
            cycle.client_finished()
            return
        if not self._held and not self._is_closing:
            self._close()

    def _pause_reading(self) -> None:
        """Read no more for now, and blame no client for it."""
        super()._pause_reading()
        if self._body_pace is not None:
            self._body_pace.excuse()

    def _read_on(self) -> None:
        """Read on, if there is room for what will come."""
        if self._reading_paused and not self._is_closing:
            cycle, room = self._cycle, self._server.limits.request_buffer
            unread = cycle.inbox.size if cycle is not None and cycle.inbox is not None else 0
            if unread <= room and len(self._held) - self._held_from <= room:
                self._resume_reading()

    # -- called by the codec ---------------------------------------------------------------------------

    def head_received(self, head: RequestHead) -> None:
        """Take the next request; it is answered when the read that brought it has been looked at.

        Raises:
            ProtocolError: The target cannot be understood, or the body is too large.
        """
        server = self._server
        if head.length and head.length > server.max_body_size:
            raise ProtocolError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request body too large")
        scope = self._scopes.make(head)
        if head.asks_websocket and server.opener is not None:
            cycle: RequestCycle = server.opener.ask(self, head, scope)
        else:
            cycle = RequestCycle(self, server, head, scope)
        self._cycle = cycle
        self.is_waiting = True
        self.deadline = NEVER
        self._is_head_timed = False
        if server.has_extras:
            server.add_extras(cycle)
            self._requests += 1
            if self._requests == server.max_requests:
                cycle.keep_alive = False

    def body_received(self, data: bytes) -> None:
        """Take a piece of the body of the request that is being received.

        Raises:
            ProtocolError: The body is too large.
        """
        if self._body_pace is not None:
            self._body_pace.received(len(data))
        cycle = self._cycle
        if cycle is None:
            self._discarded += len(data)
            if self._discarded > self._server.limits.unread_body_size:
                self._close_lingering()
            return
        cycle.body_received(data)
        inbox = cycle.inbox
        if inbox is not None:
            if inbox.total > self._server.max_body_size:
                raise ProtocolError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request body too large")
            if inbox.size > self._server.limits.request_buffer:
                self._pause_reading()

    def request_ended(self) -> None:
        """Finish the request that is being received."""
        self._body_pace = None
        self._discarded = 0
        if self._cycle is not None:
            self._cycle.request_ended()

    # -- called by the cycles --------------------------------------------------------------------------

    def body_taken(self) -> None:
        """Read on, now that the application took what was received."""
        self._read_on()

    def response_ended(self, cycle: RequestCycle) -> None:
        """Go on to the next request, or to the end of the connection."""
        if self._access is not None:
            self._access.note(cycle)
        if cycle is not self._cycle:
            return
        self._cycle = None
        if not cycle.keep_alive:
            if self._runner is not None:
                self._runner.detach()  # now, since it need not be woken for its end
            is_all_read = cycle.is_request_complete and not self._held and not self._reading_paused
            self._close() if is_all_read else self._close_lingering()
        else:
            self._idle()

    def _idle(self) -> None:
        """Wait for the next request, or go on to it."""
        server = self._server
        # To the precision of the server's ticks: asking for the time costs more than it is worth.
        self._idle_from = server.idle_from
        if self._send_pace is None:  # else: the client is busy with the last response, and that is watched
            self._wait_until(server.idle_deadline)
        if self._held:
            server.loop.call_soon(self._read_held)  # in case the application goes on after its response
        elif self._reading_paused:
            self._read_on()

    def give_way(self, cycle: RequestCycle, successor: Link) -> bytes:
        """Let another protocol speak on the connection from now on (RFC 9110 section 7.8).

        Returns:
            What was received for it.
        """
        if self._access is not None:
            self._access.note(cycle)
        self._server.request_done(cycle)  # what lasts for hours is no request that is being answered
        held, self._held = self._held[self._held_from :], b""
        self._cycle = None
        successor.take_over(self)
        return held

    def response_broken(self, cycle: RequestCycle) -> None:
        """End the connection in a way that the client cannot take for the end of the body."""
        if cycle is not self._cycle:
            return
        if cycle.is_told_to_end and not self._has_eof:  # else: it is the client's or the application's doing
            self.count_cut(cycle)
        if self._server.is_draining and not cycle.ends_with_connection:
            # We ended it: what the client has not read yet should reach it. The missing end tells the rest.
            self._close()
        else:
            self._reset()

    # -- the runner ------------------------------------------------------------------------------------

    @property
    def cycles(self) -> Iterable[RequestCycle]:
        """The request being received or answered."""
        return () if self._cycle is None else (self._cycle,)

    def _hand_over(self, cycle: RequestCycle, admission: Admission[RequestCycle, Waiter]) -> None:
        """Have the request that waits answered, unless too many are being answered already."""
        if cycle.scope["path"] in self._server.exempt_paths or admission.enters(cycle):
            self.answer_now()
        elif admission.waits(self, cycle):
            self._wait_until(self._server.now() + self._server.timeouts.queue)
        else:
            self._turn_away()

    def answer_now(self) -> None:
        """Have the request that waits answered: by the idle runner, or by a new one."""
        cycle = self._cycle
        if cycle is None or not self.is_waiting:
            return
        self.is_waiting = False
        if self.deadline != NEVER:
            self._watch()  # no longer for its turn
        if self._runner is not None and self._runner.is_idle:
            self._runner.wake(cycle)
        else:
            self._part_with_runner()
            self._runner = self._server.make_runner(self, cycle)

    def _turn_away(self) -> None:
        """Answer 503 in the application's place."""
        cycle = self._cycle
        if cycle is not None and self.is_waiting:
            self._give_up_place(cycle)
            self.is_waiting = False
            self._server.turn_away(cycle)

    def _give_up_place(self, cycle: RequestCycle) -> None:
        """Let others go before a request that is not handed over yet, and never will be."""
        if self.is_waiting and self._server.admission is not None:
            self._server.admission.gives_up(self)
            self._server.request_done(cycle)

    # -- time ------------------------------------------------------------------------------------------

    def _watch_body(self, cycle: RequestCycle) -> None:
        """See to it that the rest of a request body does not take for ever."""
        limits, timeouts = self._server.limits, self._server.timeouts
        if self._body_pace is None and limits.request_body_rate:
            self._body_pace = BodyPace(timeouts.request_body, limits.request_body_rate, self._server.now())
            self._excuse_body(cycle, self._body_pace)
            self._watch()

    def _excuse_body(self, cycle: RequestCycle, pace: BodyPace) -> None:
        """See to it that nobody is blamed for a window that begins while we keep the body from coming."""
        if self._reading_paused or (cycle.inbox is not None and cycle.inbox.expects_continue):
            pace.excuse()

    def _watch(self) -> None:
        """Be woken when the next of both paces is due."""
        super()._watch()
        if self._body_pace is not None and self._body_pace.due < self.deadline:
            self._wait_until(self._body_pace.due)

    def _expire_open(self, now: float) -> None:
        """Do what has to be done at the deadline."""
        if self._cycle is None:
            self._expire_between()
        elif self.is_waiting:
            self._turn_away()
        else:
            self._expire_body(now)

    def _expire_between(self) -> None:
        """End a connection that waits for a request: quietly, or with 408 when a head has begun."""
        if self._codec.is_inside_head:
            self._refuse(ProtocolError(HTTPStatus.REQUEST_TIMEOUT, "request head took too long"))
        elif self._send_pace is not None:  # its client is still busy with the last response
            self._watch()
        else:
            self._close()

    def _expire_body(self, now: float) -> None:
        """End a connection whose request body comes too slowly."""
        pace, cycle = self._body_pace, self._cycle
        if pace is not None and cycle is not None:
            if pace.is_too_slow(now):
                self._refuse(ProtocolError(HTTPStatus.REQUEST_TIMEOUT, "request body came too slowly"))
                return
            self._excuse_body(cycle, pace)
        self._watch()

    def drain(self, idle: float) -> None:
        """Let the running request be the last; close once there was none for ``idle`` seconds."""
        if self._cycle is None and not self._is_closing and not self._codec.is_inside_head:
            self._wait_until(min(self.deadline, self._idle_from + idle))

    def end_event_stream(self) -> None:
        """Close the connection if its response would go on for ever, for an application that does not end it.

        Many do not ask `receive()` whether their client is there: since ASGI HTTP 2.4 `send()` says so.
        """
        cycle = self._cycle
        if cycle is not None and cycle.is_event_stream:
            cycle.client_left()
            self._close()

    def abort(self) -> None:
        """End the connection at once, and so that nothing unfinished looks as if it were whole."""
        if self._cycle is not None and not self._is_closing:
            self.count_cut(self._cycle)
        is_cut_off = self._cycle is not None and self._cycle.ends_with_connection
        if is_cut_off or self._transport.get_write_buffer_size():
            self._reset()
        else:
            super().abort()

    # -- the end of the connection ---------------------------------------------------------------------

    def _refuse(self, error: ProtocolError) -> None:
        """Answer what cannot be understood."""
        self._server.refusals.note(f"Invalid HTTP request received: {error}")
        self._is_closing = True
        if self._cycle is not None:
            self._drop_unfinished(self._cycle)
        if self._cycle is None and not self._transport.is_closing():
            self._send_refusal(error)

    def _drop_unfinished(self, cycle: RequestCycle) -> None:
        """Give up the request that is being received: its body will never be whole."""
        self._give_up_place(cycle)
        cycle.client_left()
        self._cycle = None
        self.is_waiting = False
        if cycle.is_response_begun:
            self._reset()

    def _send_refusal(self, error: ProtocolError) -> None:
        body = b"Invalid HTTP request received."
        fields = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n"
        general = self._server.general_fields(0) + error.fields
        self.write(b"%b%b%b\r\n%b" % (status_line(error.status), general, fields % len(body), body))
        self._close_lingering()
