"""What an HTTP/2 client and we have to agree on: settings, windows, pings, and the end of the connection.

The half of `Http2Connection` that is about no single request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.worker.http.link import Link
from srvctl.worker.http2.farewell import Farewell
from srvctl.worker.http2.frames import (
    ACK,
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    FRAME_SIZE,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    PING,
    SETTINGS,
    WINDOW,
    Code,
    ConnectionFault,
    frame,
    goaway,
    settings_frame,
    window_update,
)
from srvctl.worker.http2.guard import Guard
from srvctl.worker.http2.history import History
from srvctl.worker.http2.intake import Intake
from srvctl.worker.http2.sending import Sender
from srvctl.worker.timers import NEVER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http2.stream import Stream
    from srvctl.worker.server import Server

#: WINDOW_UPDATE frames that are taken for what they are: two for each piece of a body is what simple clients
#: send, and some to begin with. Those beyond move nothing.
_WINDOWS_PER_PIECE: Final = 4
_WINDOWS_FREE: Final = 16


class Peering(Link):
    """The connection as a whole, without its requests.

    Args:
        server: The server it belongs to.

    Attributes:
        server: As given.
        sender: Sends for the streams.
        streams: Those that are open, by number.
    """

    __slots__ = (
        "_farewell",
        "_guard",
        "_history",
        "_idle_due",
        "_intake",
        "_is_settled",
        "_windows",
        "sender",
        "server",
        "streams",
    )

    sender: Sender

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        limits = server.limits
        self.server = server
        self.streams: dict[int, Stream] = {}
        self._farewell = Farewell()
        self._guard = Guard(limits.http2_resets, limits.http2_idle_frames)
        self._history = History()
        self._intake, _ = Intake.of_connection(limits.http2_window)
        self._is_settled = False  #: the client knows our settings
        self._windows = 0  #: WINDOW_UPDATE frames that came
        self._idle_due = NEVER

    # -- called by the event loop ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection: say what may be sent (RFC 9113 section 3.4)."""
        super().connection_made(transport)
        server, limits = self.server, self.server.limits
        self.sender = Sender(self.write, server.loop, limits.response_buffer)
        server.connection_made(self)
        settings = {
            MAX_CONCURRENT_STREAMS: limits.http2_streams,
            INITIAL_WINDOW_SIZE: min(limits.request_buffer, LARGEST_WINDOW),
            MAX_HEADER_LIST_SIZE: limits.request_head_size,
        }
        if server.opener is not None:
            settings[ENABLE_CONNECT_PROTOCOL] = 1  # RFC 8441 section 3
        hello = settings_frame(settings.items())
        if room := Intake.of_connection(limits.http2_window)[1]:
            hello += window_update(0, room)
        self.write(hello)

    def pause_writing(self) -> None:
        """Hold bodies back, and read nothing that would have to be answered."""
        self.sender.is_paused = True
        super().pause_writing()
        self._pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self.sender.is_paused = False
        if not self._is_closing:
            self.sender.pump()
            self._resume_reading()

    # -- called by the reader --------------------------------------------------------------------------

    def on_settings(self, settings: list[tuple[int, int]]) -> None:
        """Obey the client's settings, in their order, and say so (RFC 9113 section 6.5.3).

        Raises:
            ConnectionFault: A value is none.
        """
        self._guard.note_idle_frame(self.server.now())
        sender = self.sender
        for name, value in settings:
            if name == INITIAL_WINDOW_SIZE:
                if value > LARGEST_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window larger than there can be")
                sender.resize_streams(self.streams.values(), value)
            elif name == MAX_FRAME_SIZE:
                if not FRAME_SIZE <= value <= LARGEST_FRAME:
                    raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame size that cannot be")
            elif name == HEADER_TABLE_SIZE:
                sender.resize_table(value)
            elif name in {ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL} and value > 1:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "a switch that is neither on nor off")
        sender.send(frame(SETTINGS, ACK, 0))
        sender.pump()  # behind the answer: clients hold us to what they know that we know

    def on_settings_ack(self) -> None:
        """Hold the client to our settings from now on."""
        if self._is_settled:
            self._guard.note_idle_frame(self.server.now())
            return
        self._is_settled = True
        buffer = self.server.limits.request_buffer
        if buffer < WINDOW:
            for stream in self.streams.values():
                stream.enlarge_intake(buffer - WINDOW)

    def on_window(self, stream: int, size: int) -> None:
        """Send more.

        Raises:
            ConnectionFault: The window becomes larger than there can be, or there never was such a stream.
            StreamFault: The same, on one stream.
        """
        self._windows += 1
        if self._windows > _WINDOWS_FREE + _WINDOWS_PER_PIECE * self.sender.pieces:
            self._guard.note_idle_frame(self.server.now())
        if not stream:
            self.sender.enlarge(size)
            return
        known = self.streams.get(stream)
        if known is not None:
            self.sender.enlarge_stream(known, size)
        else:
            self._history.require_used(stream)

    def on_ping(self, payload: bytes, *, is_answer: bool) -> None:
        """Answer a ping; the answer to ours says that the client knows of the end."""
        if is_answer and self._farewell.is_answered(payload):
            self._say_farewell()
            return
        self._guard.note_idle_frame(self.server.now())
        if not is_answer:
            self.sender.send(frame(PING, ACK, 0, payload))

    def on_goaway(self, last: int, code: int) -> None:  # noqa: ARG002 - it leaves, whatever the reason
        """Learn that the client leaves: what it has asked for is answered."""
        self._guard.note_idle_frame(self.server.now())

    def on_idle_frame(self) -> None:
        """Count a frame that moves nothing.

        Raises:
            ConnectionFault: These are too many.
        """
        self._guard.note_idle_frame(self.server.now())

    # -- called by the streams -------------------------------------------------------------------------

    def give_back(self, size: int) -> None:
        """Let the client send so much more, of any body."""
        if size and (room := self._intake.taken(size)) and not self._is_closing:
            self.sender.send(window_update(0, room))

    @property
    def is_intake_tight(self) -> bool:
        """Whether the client may have to wait for room that other bodies take."""
        return self._intake.is_tight

    def extra_info(self, name: str, default: object) -> object:
        """Return what the transport says of itself."""
        return self._transport.get_extra_info(name, default)

    def _give_up_place(self, stream: Stream) -> None:
        """Let others go before a request that will never be handed over."""
        if stream.is_waiting and self.server.admission is not None:
            self.server.admission.gives_up(stream)
            self.server.request_done(stream.cycle)

    @property
    def cycles(self) -> Iterable[RequestCycle]:
        """The requests being received or answered."""
        return [stream.cycle for stream in self.streams.values() if stream.tunnel is None]

    # -- the end ---------------------------------------------------------------------------------------

    def drain(self, idle: float) -> None:
        """Let the client know, then take no more requests, and close when all are answered."""
        if self._is_closing:
            return
        now = self.server.now()
        if not self._farewell.is_begun:
            self.sender.send(self._farewell.begin(now, idle))
            self._watch()
        elif now >= self._farewell.due:
            self._say_farewell()

    def _say_farewell(self) -> None:
        """Refuse what comes from now on; that is where the last request is told (RFC 9113 section 6.8)."""
        if not self._farewell.is_said:
            self.sender.send(self._farewell.say(self._history.last))
        if not self.streams and not self._is_closing:
            self._end()

    def _end(self, code: Code = Code.NO_ERROR, reason: str = "") -> None:
        """Say why, and close."""
        if self._is_closing:
            return
        self._is_closing = True
        if code or not self._farewell.is_said:
            self._farewell.end()
            self.sender.send(goaway(self._history.last, code, reason))
        self.sender.flush()
        self._drop_streams()
        self.sender.close()
        self._close_lingering()

    def fail(self, fault: ConnectionFault) -> None:
        """End the connection of a client that broke a rule."""
        self.server.refusals.note(f"An HTTP/2 connection was closed with {fault.code.name}: {fault}")
        self._end(fault.code, str(fault))

    def _drop_streams(self) -> None:
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            self._give_up_place(stream)
            self.sender.forget(stream)
            stream.client_left()

    def end_event_stream(self) -> None:
        """End responses that would go on for ever."""
        for stream in [*self.streams.values()]:
            stream.end_event_stream()

    def abort(self) -> None:
        """End the connection at once, and so that nothing unfinished looks as if it were whole."""
        if not self._is_closing:
            for cycle in self.cycles:
                self.count_cut(cycle)
            self.sender.send(goaway(self._history.last, Code.NO_ERROR))
            self.sender.flush()
        if self._transport.get_write_buffer_size():
            self._reset()
        else:
            super().abort()
