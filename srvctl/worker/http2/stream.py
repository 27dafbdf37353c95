"""One stream: the connection as the cycle of one request sees it, and one request as the connection does.

Called by its cycle, its connection and the connection's `Sender`.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from srvctl.worker.http.pace import BodyPace, SendPace
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http.roles import ClientDisconnected
from srvctl.worker.http.sendfile import COPY_PIECE, read_in_thread
from srvctl.worker.http2.frames import Code, StreamFault, window_update
from srvctl.worker.http2.intake import Intake
from srvctl.worker.timers import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.file_body import FileBody
    from srvctl.worker.http.link import Link
    from srvctl.worker.http.runner import Runner
    from srvctl.worker.http.scope import Seen
    from srvctl.worker.http2.connection import Http2Connection
    from srvctl.worker.http2.tunnel import Tunnel


class Stream:
    """Carries one request and its response.

    Args:
        connection: Where.
        number: Its identifier.

    Attributes:
        cycle: The request.
        runner: Runs the application for it; None while it waits for its turn.
        tunnel: The stream as it is to a protocol that has taken it over; None while it is HTTP.
        seen: What the access log needs to know of it; None when nobody asks.
        is_waiting: It is not handed to a runner yet.
        has_ended: The client has sent all of it.
        is_open: Frames may be sent on it.
        deadline: When it is to be looked at, in seconds of the loop's clock.
        can_write: What an application that sends has to wait for; None while the client takes it.
        id, window, held, held_from, tail, sent: For the `Sender`.
    """

    __slots__ = (
        "_body_pace",
        "_connection",
        "_intake",
        "_received",
        "_send_pace",
        "_trailers",
        "_unread",
        "can_write",
        "cycle",
        "deadline",
        "has_ended",
        "held",
        "held_from",
        "id",
        "is_open",
        "is_waiting",
        "queue_due",
        "runner",
        "seen",
        "sent",
        "tail",
        "tunnel",
        "window",
    )

    cycle: RequestCycle
    _intake: Intake

    def __init__(self, connection: Http2Connection, number: int) -> None:
        self._connection = connection
        self.id = number
        self.window = connection.sender.stream_window
        self.held = self._trailers = b""
        self.held_from = self.sent = 0
        self.tail: bytes | None = None
        self.runner: Runner | None = None
        self.tunnel: Tunnel | None = None
        self.seen: Seen | None = None
        self.is_waiting = self.is_open = True
        self.has_ended = False
        self.can_write: asyncio.Future[None] | None = None
        self.deadline = self.queue_due = NEVER
        self._received = 0  #: bytes of the body
        self._unread = 0  #: of these, the ones whose room the client has not got back
        self._body_pace: BodyPace | None = None
        self._send_pace: SendPace | None = None

    # -- from the connection ---------------------------------------------------------------------------

    def expect_body(self, size: int, known: int) -> None:
        """Have room for a body."""
        self._intake = Intake(size, known)

    def enlarge_intake(self, change: int) -> None:
        """Learn that the client knows its real window by now."""
        if not self.has_ended:
            self._intake.left += change

    def body_received(self, data: bytes, size: int) -> None:
        """Take a piece of the body, which counts so many bytes in windows.

        Raises:
            StreamFault: The client must not send it.
            ProtocolError: The body is too large.
        """
        if self.has_ended:
            self._connection.give_back(size)
            raise StreamFault(self.id, Code.STREAM_CLOSED, "DATA behind the end of a request")
        if not self._intake.received(size):
            raise StreamFault(self.id, Code.FLOW_CONTROL_ERROR, "more of a body than there is room for")
        self._unread += size
        if self.tunnel is None:
            self._take(data, size)
        elif self.tunnel.received(data):
            self.body_taken()

    def _take(self, data: bytes, size: int) -> None:
        """Take a piece of the body of a request."""
        cycle, length = self.cycle, len(data)
        self._received += length
        if cycle.head.length is not None and self._received > cycle.head.length:
            raise StreamFault(self.id, Code.PROTOCOL_ERROR, "a body longer than its content-length")
        if self._received > self._connection.server.max_body_size:
            raise ProtocolError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request body too large")
        if self._body_pace is not None:
            self._body_pace.received(length)
        if cycle.is_response_complete:  # nobody will ask for it
            self.body_taken()
        else:
            if length:
                cycle.body_received(data)
            if size > length:
                self._give_back(size - length)  # padding

    def request_ended(self) -> None:
        """Learn that the request is complete.

        Raises:
            StreamFault: It is not what was announced (RFC 9113 section 8.1.1).
        """
        length = self.cycle.head.length
        if self.has_ended:
            raise StreamFault(self.id, Code.STREAM_CLOSED, "a second end of a request")
        if length is not None and self._received != length:
            raise StreamFault(self.id, Code.PROTOCOL_ERROR, "a body shorter than its content-length")
        self.has_ended = True
        self._body_pace = None
        if self.tunnel is None:
            self.cycle.request_ended()
        elif self.is_open:
            self.tunnel.ended()
        else:
            self._connection.stream_ended(self)

    def client_left(self) -> None:
        """Learn that nothing reaches the client any more."""
        self.is_open = False
        self.went_on()
        if self.tunnel is not None:
            self.tunnel.lost()
            return
        self.cycle.client_left()
        if self.runner is not None:
            self.runner.detach()

    def take_unread(self) -> int:
        """Return the bytes of windows that its end gives back, once."""
        unread, self._unread = self._unread, 0
        return unread

    # -- called by the cycle ---------------------------------------------------------------------------

    def send_interim(self, block: bytes) -> None:
        """Send an interim response."""
        if self.is_open:
            self._connection.sender.send_fields(self.id, block, 0)

    def send_head(self, block: bytes, body: bytes, *, ends: bool) -> None:
        """Send the head of the response and the first piece of its body, which may be empty."""
        if not self.is_open:
            return
        sender = self._connection.sender
        if ends:
            sender.send_whole(self, block, body)
        else:
            sender.send_fields(self.id, block, 0)
            if body:
                sender.send_body(self, body)

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if self.is_open and data:
            self._connection.sender.send_body(self, data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Send pieces of the body."""
        self.write(b"".join(pieces))

    def end(self, data: bytes = b"") -> None:
        """Send the last piece of the body, which may be empty."""
        if self.is_open:
            self._connection.sender.send_body(self, data, b"")

    def send_trailers(self, block: bytes, *, is_last: bool) -> None:
        """Send trailers, once they are complete."""
        self._trailers += block
        if is_last and self.is_open:
            self._connection.sender.send_body(self, b"", self._trailers)

    async def send_file(self, body: FileBody) -> None:
        """Send a file.

        Raises:
            ClientDisconnected: The client went away.
            OSError: The file ended too soon, or cannot be read.
        """
        while body.left:
            data = body.read_nowait(COPY_PIECE)
            if data is None:
                data = await read_in_thread(self._connection.server.loop, body, COPY_PIECE)
            else:
                await asyncio.sleep(0)  # others have their turn
            if not self.is_open:
                raise ClientDisconnected("the client went away")
            body.taken(len(data))
            self.write(data)
            while self.can_write is not None:
                await asyncio.shield(self.can_write)

    def body_taken(self) -> None:
        """Let the client send more, now that the application took what was received."""
        if self._unread and self.id in self._connection.streams:
            self._give_back(self._unread)

    def response_ended(self, cycle: RequestCycle) -> None:
        """Learn that the response is complete; the client may not have got all of it yet."""
        self._connection.response_ended(self, cycle)

    def response_broken(self, cycle: RequestCycle) -> None:
        """End the stream in a way that the client cannot take for the end of the body."""
        if self.is_open:
            if cycle.is_told_to_end:
                self._connection.count_cut(cycle)
            self._connection.cut(self, Code.INTERNAL_ERROR)

    def give_way(self, cycle: RequestCycle, successor: Link) -> bytes:
        """Let another protocol speak on the stream from now on; return what was received for it."""
        held = cycle.inbox.take() if cycle.inbox is not None else b""
        self._body_pace = None
        self._connection.give_way(self, cycle, successor)
        self.body_taken()
        return held

    def _give_back(self, size: int) -> None:
        self._unread -= size
        self._connection.give_back(size)
        if not self.has_ended and (room := self._intake.taken(size)):
            self._connection.sender.send(window_update(self.id, room))

    # -- called by the sender --------------------------------------------------------------------------

    def held_back(self) -> None:
        """Make the application wait: the client takes nothing for now."""
        server = self._connection.server
        if self.tunnel is not None:
            self.tunnel.held_back()
            return
        if self.can_write is None:
            self.can_write = server.loop.create_future()
        self._send_pace = SendPace(server.timeouts.write_stall, server.next_look)
        self._connection.look_at(self)

    def went_on(self) -> None:
        """Let the application go on."""
        self._send_pace = None
        if self.tunnel is not None:
            self.tunnel.went_on()
        if self.can_write is not None:
            self.can_write.set_result(None)
            self.can_write = None

    def body_ended(self) -> None:
        """Learn that the whole response was handed over."""
        self._connection.stream_ended(self)

    # -- turns -----------------------------------------------------------------------------------------

    def answer_now(self) -> None:
        """Have the request answered; only from a callback of the loop."""
        if self.is_waiting and self.is_open:
            self.is_waiting = False
            self.queue_due = NEVER
            self._connection.run(self)

    # -- time ------------------------------------------------------------------------------------------

    def watch_body(self) -> None:
        """See to it that the rest of the body does not take for ever."""
        server = self._connection.server
        if self.has_ended or self.cycle.is_websocket:
            return  # what a client says in a WebSocket, and when, is its own affair
        if self._body_pace is None and server.limits.request_body_rate:
            pace = BodyPace(server.timeouts.request_body, server.limits.request_body_rate, server.now())
            self._body_pace = pace
            self._excuse_body(pace)
            self._connection.look_at(self)

    def _excuse_body(self, pace: BodyPace) -> None:
        """Blame nobody for a window in which we may have kept the body from coming."""
        inbox = self.cycle.inbox
        is_asked_for = inbox is None or not inbox.expects_continue
        if not is_asked_for or self._intake.is_tight or self._connection.is_intake_tight:
            pace.excuse()

    @property
    def due(self) -> float:
        """When the stream is to be looked at next."""
        body = self._body_pace.due if self._body_pace is not None else NEVER
        sending = self._send_pace.due if self._send_pace is not None else NEVER
        return min(body, sending, self.queue_due)

    def expire(self, now: float) -> None:
        """Do what is due.

        Raises:
            ProtocolError: The request waits, or takes, too long.
            StreamFault: The client takes nothing of the response.
        """
        if now >= self.queue_due:
            self.queue_due = NEVER
            self._connection.turn_away(self)
            return
        pace = self._body_pace
        if pace is not None:
            if pace.is_too_slow(now):
                raise ProtocolError(HTTPStatus.REQUEST_TIMEOUT, "request body came too slowly")
            self._excuse_body(pace)
        sending = self._send_pace
        if sending is not None:
            # Where the transport itself is full, the connection is judged by that.
            progress = -1 if self._connection.sender.is_paused else self.sent
            if sending.is_stalled(progress, now) and progress >= 0:
                raise StreamFault(self.id, Code.ENHANCE_YOUR_CALM, "a client took nothing of its response")

    # -- the end ---------------------------------------------------------------------------------------

    def end_event_stream(self) -> None:
        """End a response that would go on for ever; its client asks again."""
        if self.is_open and self.cycle.is_event_stream:
            self._connection.cut(self, Code.CANCEL)
