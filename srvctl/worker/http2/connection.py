"""One connection that speaks HTTP/2: frames in, a cycle for each stream, frames out.

Owns which streams there are and what the connection waits for. Called by the event loop, the reader, the
streams and the server's timers.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from srvctl.worker.access import ConnectionAccess
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http2.frames import (
    DATA,
    END_STREAM,
    WINDOW,
    Code,
    ConnectionFault,
    StreamFault,
    frame,
    reset,
)
from srvctl.worker.http2.framing import StreamCycle, StreamSession, refusal_block
from srvctl.worker.http2.heads import HeadReader
from srvctl.worker.http2.peering import Peering
from srvctl.worker.http2.reader import FrameReader
from srvctl.worker.http2.request import MalformedError
from srvctl.worker.http2.runners import Runners
from srvctl.worker.http2.stream import Stream
from srvctl.worker.http2.tunnel import Tunnel
from srvctl.worker.timers import NEVER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.link import Link
    from srvctl.worker.http.protocol import RequestHead
    from srvctl.worker.http.runner import Runner
    from srvctl.worker.http.scope import ScopeMaker
    from srvctl.worker.http.surroundings import Peer
    from srvctl.worker.server import Server

_REFUSAL: Final = b"Invalid HTTP request received."


class Http2Connection(Peering):
    """Speaks HTTP/2 with one client.

    Args:
        server: The server it belongs to.
        peer: Whom it is for; None for whoever is connected.
    """

    __slots__ = (
        "_access",
        "_arrived",
        "_head_due",
        "_heads",
        "_reader",
        "_requests",
        "_runners",
        "_scopes",
        "peer",
    )

    _scopes: ScopeMaker

    def __init__(self, server: Server, peer: Peer | None = None) -> None:
        super().__init__(server)
        self.peer = peer
        self._arrived: list[Stream] = []  #: by the read that is being looked at
        self._access: ConnectionAccess | None = None
        self._heads = HeadReader(server.limits, connects=server.opener is not None)
        self._reader = FrameReader(self, 2 * server.limits.request_head_size)
        self._requests = 0
        self._runners = Runners(self, server)
        self._head_due = NEVER

    # -- called by the event loop ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection."""
        super().connection_made(transport)
        server = self.server
        self._scopes = server.make_scopes(transport, self.peer)
        if server.access is not None:
            self._access = ConnectionAccess(server.access, self._scopes)
        self._head_due = server.now() + server.timeouts.request_head
        self._wait_until(self._head_due)

    def data_received(self, data: bytes) -> None:
        """Read on, and hand over what has arrived."""
        if self._is_closing:
            return
        sender = self.sender
        sender.is_reading = True
        try:
            self._reader.feed(data)
            self._hand_over()
        except ConnectionFault as fault:
            self.fail(fault)
        finally:
            sender.is_reading = False
            sender.flush()
        if self._reader.is_inside_head:
            if self._head_due == NEVER:
                self._head_due = self.server.now() + self.server.timeouts.request_head
                self._look_by(self._head_due)
        else:
            self._head_due = NEVER
        if not self.streams:
            self._idle()

    def eof_received(self) -> bool:
        """Return whether responses are still due to a client that shut down its sending side."""
        for stream in [*self.streams.values()]:
            if stream.has_ended:
                stream.cycle.client_finished()
            else:
                self._remove(stream)
                stream.client_left()
        is_busy = bool(self.streams) and not self._is_closing
        if not is_busy:
            self._close()
        self._farewell.end()
        return is_busy and not self._is_encrypted

    def connection_lost(self, error: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(error)
        self.sender.close()
        self._drop_streams()
        self._runners.part()
        del self._reader  # which knows us: what goes round in no circle is gone at once, without a collection
        self.server.connection_closed(self)

    # -- called by the reader: streams -----------------------------------------------------------------

    def on_head(self, stream: int, block: bytes, ends: bool) -> None:
        """Take a request, or the trailers of one.

        Raises:
            ConnectionFault: It has no place here, or cannot be decoded.
            StreamFault: It is malformed.
        """
        known = self.streams.get(stream)
        try:
            if known is not None:
                self._take_trailers(known, block, ends=ends)
            elif not self._history.opens(stream) or not self._may_open(stream):
                self._heads.skip(block)
            else:
                self._open(stream, self._heads.read(block, ends=ends), ends=ends)
        except MalformedError as error:
            raise StreamFault(stream, Code.PROTOCOL_ERROR, str(error)) from None
        except ProtocolError as error:
            self._refuse(stream, error, ends=ends)

    def _take_trailers(self, stream: Stream, block: bytes, *, ends: bool) -> None:
        if stream.has_ended:
            self._heads.skip(block)
            raise StreamFault(stream.id, Code.STREAM_CLOSED, "HEADERS behind the end of a request")
        if not ends:
            self._heads.skip(block)
            raise StreamFault(stream.id, Code.PROTOCOL_ERROR, "trailers that do not end the request")
        self._heads.read_trailers(block)
        stream.request_ended()

    def _may_open(self, stream: int) -> bool:
        """Return whether one more stream may be opened; else it is refused, and can safely be sent again."""
        limit = self.server.limits.http2_streams
        if self._farewell.refuses(stream):
            self._guard.note_idle_frame(self.server.now())
        elif len(self.streams) < limit and self._runners.busy < limit:
            return True
        elif self._is_settled:
            self._guard.note_reset(self.server.now())
        else:  # it need not know yet how many there may be
            self._guard.note_idle_frame(self.server.now())
        self._history.note_cut(stream)
        self.sender.send(reset(stream, Code.REFUSED_STREAM))
        return False

    def _open(self, number: int, head: RequestHead, *, ends: bool) -> None:
        server = self.server
        if head.length and head.length > server.max_body_size:
            raise ProtocolError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request body too large")
        scope = self._scopes.make(head)
        stream = Stream(self, number)
        stream.cycle = cycle = self._make_cycle(stream, head, scope)
        self.streams[number] = stream
        self._arrived.append(stream)
        self._idle_due = NEVER
        if ends:
            stream.has_ended = True
            if head.length != 0:
                cycle.request_ended()
        else:
            buffer = server.limits.request_buffer
            stream.expect_body(buffer, buffer if self._is_settled else max(buffer, WINDOW))
        if self._access is not None:
            stream.seen = self._scopes.seen()
        if server.has_extras:
            server.add_extras(cycle)
            self._requests += 1
            if self._requests == server.max_requests:
                self._say_farewell()

    def _make_cycle(self, stream: Stream, head: RequestHead, scope: dict[str, object]) -> RequestCycle:
        if head.asks_websocket and self.server.opener is not None:
            return self.server.opener.ask(stream, head, scope, StreamSession)
        return StreamCycle(stream, self.server, head, scope)

    def on_data(self, stream: int, data: bytes, size: int, ends: bool) -> None:
        """Take a piece of a body.

        Raises:
            ConnectionFault: It has no place here, or is more than there is room for.
            StreamFault: The same, on one stream.
        """
        if not self._intake.received(size):
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "more of all bodies than there is room for")
        known = self.streams.get(stream)
        if known is None:
            self._history.require_used(stream)
            if not self._history.is_cut(stream):
                raise ConnectionFault(Code.STREAM_CLOSED, "DATA on a stream that has ended")
            self.give_back(size)
            return
        try:
            known.body_received(data, size)
        except ProtocolError as error:
            self._refuse_body(known, error)
            return
        if ends:
            known.request_ended()

    def on_reset(self, stream: int, code: int) -> None:  # noqa: ARG002 - whatever the reason
        """End a stream that the client gives up.

        Raises:
            ConnectionFault: There never was one, or the client has given up too many.
        """
        self._history.require_used(stream)
        known = self.streams.get(stream)
        if known is None:
            self._guard.note_idle_frame(self.server.now())
            return
        self._remove(known)
        known.client_left()
        self._guard.note_reset(self.server.now())

    def on_fault(self, fault: StreamFault) -> None:
        """End the stream of a client that broke a rule there.

        Raises:
            ConnectionFault: It does so too often, or where there is no stream.
        """
        if not self._history.is_used(fault.stream):
            raise ConnectionFault(fault.code, str(fault))
        self.server.refusals.note(f"Invalid HTTP request received: {fault}")
        known = self.streams.get(fault.stream)
        if known is not None:
            self.cut(known, fault.code)
        else:
            self._history.note_cut(fault.stream)
            self.sender.send(reset(fault.stream, fault.code))
        self._guard.note_reset(self.server.now())

    # -- requests --------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Have the requests of this read answered, or wait for their turn."""
        arrived = self._arrived
        if arrived:
            self._arrived = []
            admission = self.server.admission
            for stream in arrived:
                if not stream.is_open:
                    continue  # the same read has cancelled it
                stream.watch_body()
                if admission is None:
                    stream.answer_now()
                else:
                    self._ask_for_turn(stream)

    def _ask_for_turn(self, stream: Stream) -> None:
        server, cycle = self.server, stream.cycle
        admission = server.admission
        if admission is None or cycle.scope["path"] in server.exempt_paths or admission.enters(cycle):
            stream.answer_now()
        elif admission.waits(stream, cycle):
            stream.queue_due = server.now() + server.timeouts.queue
            self.look_at(stream)
        else:
            self.turn_away(stream)

    def turn_away(self, stream: Stream) -> None:
        """Answer 503 in the application's place."""
        self._give_up_place(stream)
        stream.is_waiting = False
        self.server.turn_away(stream.cycle)

    def run(self, stream: Stream) -> None:
        """Have a request answered by the application."""
        stream.runner = runner = self._runners.idle()
        if runner is not None:
            runner.wake(stream.cycle)
        else:
            stream.runner = self._runners.new(stream.cycle)

    # -- called by the streams -------------------------------------------------------------------------

    def response_ended(self, stream: Stream, cycle: RequestCycle) -> None:
        """Learn that a response is complete."""
        if self._access is not None:
            self._access.note(cycle, stream.seen)
        if stream.runner is not None:
            self._runners.release(stream.runner)
            stream.runner = None

    def stream_ended(self, stream: Stream) -> None:
        """Learn that a response was sent; a request that goes on all the same is not wanted any more."""
        stream.is_open = False
        if not stream.has_ended:
            if stream.tunnel is not None:
                return  # whose protocol waits for the client to end it as well, but not for ever
            self._history.note_cut(stream.id)
            self.sender.send(reset(stream.id, Code.NO_ERROR))  # RFC 9113 section 8.1
        self._remove(stream)
        if stream.tunnel is not None:
            stream.tunnel.lost()

    def give_way(self, stream: Stream, cycle: RequestCycle, successor: Link) -> None:
        """Let another protocol speak on a stream from now on."""
        if self._access is not None:
            self._access.note(cycle, stream.seen)
        self.server.request_done(cycle)  # what lasts for hours is no request that is being answered
        stream.tunnel = Tunnel(self, stream)
        runner, stream.runner = stream.runner, None
        if runner is not None:
            self._runners.hand_over(runner)
        self.server.connections[successor] = None
        successor.start_on(stream.tunnel, runner)

    def cut(self, stream: Stream, code: Code) -> None:
        """End a stream before it is answered."""
        self._history.note_cut(stream.id)
        self._remove(stream)
        self.sender.send(reset(stream.id, code))
        stream.client_left()

    def look_at(self, stream: Stream) -> None:
        """Be woken when a stream is to be looked at."""
        self._look_by(stream.due)

    def _remove(self, stream: Stream) -> None:
        """Know a stream no more."""
        self._give_up_place(stream)
        self.sender.forget(stream)
        self.give_back(stream.take_unread())
        self.streams.pop(stream.id, None)
        if not self.streams:
            self._idle()

    def _idle(self) -> None:
        """Wait for the next request, or end."""
        if self._farewell.is_said and not self._is_closing:
            self._end()
        elif self._idle_due == NEVER:
            self._idle_due = self.server.idle_deadline
            self._look_by(self._idle_due)

    # -- refusals --------------------------------------------------------------------------------------

    def _refuse(self, number: int, error: ProtocolError, *, ends: bool) -> None:
        """Answer what is well-formed and not served here, on a stream that has no cycle."""
        self.server.refusals.note(f"Invalid HTTP request received: {error}")
        self._send_refusal(number, error, self.sender.stream_window)
        if not ends:
            self._history.note_cut(number)
            self.sender.send(reset(number, Code.NO_ERROR))
        self._guard.note_reset(self.server.now())

    def _refuse_body(self, stream: Stream, error: ProtocolError) -> None:
        """Answer in the application's place, if it has not begun to."""
        self.server.refusals.note(f"Invalid HTTP request received: {error}")
        self._give_up_place(stream)
        stream.is_waiting = False
        if stream.cycle.is_response_begun:
            self.cut(stream, Code.CANCEL)
            return
        number = stream.id
        self._history.note_cut(number)
        self._remove(stream)
        self._send_refusal(number, error, stream.window)
        self.sender.send(reset(number, Code.NO_ERROR))
        stream.client_left()

    def _send_refusal(self, number: int, error: ProtocolError, window: int) -> None:
        """Say why, in a body as well if the client has room for it."""
        sender, size = self.sender, len(_REFUSAL)
        has_room = size <= min(window, sender.window)
        block = refusal_block(error, self.server.general_fields(0), _REFUSAL if has_room else b"")
        sender.send_fields(number, block, 0 if has_room else END_STREAM)
        if has_room:
            sender.window -= size
            sender.send(frame(DATA, END_STREAM, number, _REFUSAL))

    # -- time ------------------------------------------------------------------------------------------

    def _look_by(self, moment: float) -> None:
        """Be woken then, if not before."""
        if moment < self.deadline:
            self._wait_until(moment)

    def _watch(self) -> None:
        """Be woken when the next of all is due."""
        super()._watch()
        dues = [self._head_due, self._idle_due, self._farewell.due]
        dues += [stream.due for stream in self.streams.values()]
        self._look_by(min(dues))

    def _expire_open(self, now: float) -> None:
        """Do what has to be done at the deadline."""
        try:
            self._expire_parts(now)
        except ConnectionFault as fault:
            self.fail(fault)
        if not self._is_closing:
            self._watch()

    def _expire_parts(self, now: float) -> None:
        if now >= self._head_due:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "request head took too long")
        for stream in [*self.streams.values()]:
            if now < stream.due or not stream.is_open:
                continue
            try:
                stream.expire(now)
            except ProtocolError as error:
                self._refuse_body(stream, error)
            except StreamFault as fault:
                self.server.refusals.note(f"An HTTP/2 stream was closed with {fault.code.name}: {fault}")
                self.cut(stream, fault.code)
        if now >= self._farewell.due:
            self._say_farewell()
        elif now >= self._idle_due and not self.streams:
            self._end()

    # -- the application -------------------------------------------------------------------------------

    @property
    def runners(self) -> Iterable[Runner]:
        """What runs the application for the client."""
        return self._runners.all

    def runner_ended(self, runner: Runner) -> None:
        """Forget a runner that answers nothing more."""
        if not self._runners.forget(runner):
            self.server.runner_ended(runner)
