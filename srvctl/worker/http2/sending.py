"""What a connection sends: frames joined into writes, and DATA held back as the client's windows say.

No frame is larger than what every client takes, whatever this one says that it takes: Python's h2 ends a
connection on which a larger one comes together with the answer to its settings. Next to nothing is lost.

Called by the streams and by their connection. Knows no ASGI and no requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from srvctl.worker.http2.frames import (
    DATA,
    END_STREAM,
    FRAME_SIZE,
    LARGEST_WINDOW,
    WINDOW,
    Code,
    ConnectionFault,
    StreamFault,
    headers_frames,
    pack_head,
)
from srvctl.worker.http2.hpack import SIZE_NOTHING, TABLE_SIZE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable


class Outgoing(Protocol):
    """What a sender needs of a stream."""

    id: int
    window: int  #: bytes that the client takes; below 0 where it has made its windows smaller
    held: bytes  #: body that waits for a window
    held_from: int  #: where in it what is not sent begins
    tail: bytes | None  #: block of trailers behind it; empty for none, None while the body goes on
    sent: int  #: bytes of its body

    def held_back(self) -> None:
        """Learn that something waits for the client, and make the application wait as well."""

    def went_on(self) -> None:
        """Learn that nothing waits any more."""

    def body_ended(self) -> None:
        """Learn that everything was handed over."""


class Sender:
    """Sends for the streams of one connection.

    Args:
        write: Hands bytes to the transport.
        loop: The running loop.
        most: Bytes that are joined before they are written.

    Attributes:
        window: Bytes of all bodies that the client takes.
        stream_window: Of each new stream.
        waiting: Streams whose bodies wait for the client, in the order of their turns.
        is_paused: The transport takes no more for now.
        is_reading: Whoever reads will flush.
        pieces: DATA frames that were sent.
    """

    __slots__ = (
        "_frames",
        "_is_scheduled",
        "_loop",
        "_most",
        "_prefix",
        "_size",
        "_write",
        "is_paused",
        "is_reading",
        "pieces",
        "stream_window",
        "waiting",
        "window",
    )

    def __init__(self, write: Callable[[bytes], None], loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._write = write
        self._loop = loop
        self._most = most
        self._frames: list[bytes] = []
        self._size = 0
        self._is_scheduled = False
        self._prefix = b""  #: of the next field block
        self.is_reading = False
        self.pieces = 0
        self.window = self.stream_window = WINDOW
        self.waiting: dict[Outgoing, None] = {}
        self.is_paused = False

    # -- frames ----------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Send a frame, soon: with the others of this turn of the loop."""
        self._frames.append(frame)
        self._size += len(frame)
        if self._size >= self._most:
            self.flush()
        elif not (self.is_reading or self._is_scheduled):
            self._is_scheduled = True
            self._loop.call_soon(self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        self._is_scheduled = False
        self.flush()

    def flush(self) -> None:
        """Write what there is to write."""
        frames = self._frames
        if frames:
            self._frames, self._size = [], 0
            self._write(frames[0] if len(frames) == 1 else b"".join(frames))

    def close(self) -> None:
        """Send nothing more."""
        self._frames, self._size = [], 0
        self._write = _discard

    def send_fields(self, stream: int, block: bytes, flags: int) -> None:
        """Send a field block."""
        if self._prefix:
            block, self._prefix = self._prefix + block, b""
        self.send(headers_frames(stream, block, flags, FRAME_SIZE))

    def send_whole(self, stream: Outgoing, block: bytes, body: bytes) -> None:
        """Send the head and all of the body of a response; most are small, and fit one frame each."""
        size, head_size = len(body), len(block)
        if (
            0 < size <= FRAME_SIZE
            and size <= self.window
            and size <= stream.window
            and head_size <= FRAME_SIZE
            and not self._prefix
            and not self.is_paused
        ):
            self.pieces += 1
            self.window -= size
            stream.window -= size
            number = stream.id
            head = pack_head(head_size >> 8, head_size & 0xFF, 1, 4, number)
            self.send(b"".join((head, block, pack_head(size >> 8, size & 0xFF, 0, 1, number), body)))
            stream.body_ended()
            return
        self.send_fields(stream.id, block, 0 if body else END_STREAM)
        if body:
            self.send_body(stream, body, b"")
        else:
            stream.body_ended()

    # -- bodies ----------------------------------------------------------------------------------------

    def send_body(self, stream: Outgoing, body: bytes, tail: bytes | None = None) -> None:
        """Send a piece of a body, as far as the client takes it.

        Args:
            stream: Whose.
            body: May be empty.
            tail: The block of the trailers behind it, empty for none; None when more of the body will come.
        """
        if stream.held:
            body = stream.held[stream.held_from :] + body
        stream.held, stream.held_from, stream.tail = body, 0, tail
        while self._send_piece(stream):
            pass
        self._settle(stream)

    def _send_piece(self, stream: Outgoing) -> bool:
        """Send one frame of what a stream holds; return whether there is another, and it may be sent."""
        start = stream.held_from
        left = len(stream.held) - start
        if not left or self.is_paused:
            return False
        size = min(left, self.window, stream.window, FRAME_SIZE)
        if size <= 0:
            return False
        body = stream.held
        piece = body if size == len(body) else body[start : start + size]
        is_last = size == left and stream.tail == b""
        self.pieces += 1
        self.window -= size
        stream.window -= size
        stream.sent += size
        head = pack_head(size >> 8, size & 0xFF, DATA, END_STREAM if is_last else 0, stream.id)
        if size == left:
            stream.held, stream.held_from = b"", 0
            if is_last:
                stream.tail = None
                self.send(head + piece)
                stream.body_ended()
                return False
        else:
            stream.held_from = start + size
        self.send(head + piece)
        return size < left

    def _settle(self, stream: Outgoing) -> None:
        """Put a stream among those that wait, or take it away; end it if nothing is left but its end."""
        if stream.held:
            if stream not in self.waiting:
                self.waiting[stream] = None
                stream.held_back()
            return
        if stream in self.waiting:
            del self.waiting[stream]
            stream.went_on()
        tail, stream.tail = stream.tail, None
        if tail is not None:
            if tail:
                self.send_fields(stream.id, tail, END_STREAM)
            else:
                self.send(pack_head(0, 0, DATA, END_STREAM, stream.id))
            stream.body_ended()

    def pump(self) -> None:
        """Send what waits, a frame of each stream in turn, as far as the client takes it."""
        has_moved = True
        while has_moved and self.waiting and self.window > 0 and not self.is_paused:
            has_moved = False
            for stream in [*self.waiting]:
                before = stream.sent
                self._send_piece(stream)
                has_moved = has_moved or stream.sent != before
                if not stream.held:
                    self._settle(stream)

    def forget(self, stream: Outgoing) -> None:
        """Send nothing more for a stream."""
        stream.held, stream.tail = b"", None
        if stream in self.waiting:
            del self.waiting[stream]
            stream.went_on()

    # -- what the client says --------------------------------------------------------------------------

    def enlarge(self, size: int) -> None:
        """Take a WINDOW_UPDATE of the connection.

        Raises:
            ConnectionFault: The window becomes larger than there can be (RFC 9113 section 6.9.1).
        """
        self.window += size
        if self.window > LARGEST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window larger than there can be")
        self.pump()

    def enlarge_stream(self, stream: Outgoing, size: int) -> None:
        """Take one of a stream.

        Raises:
            StreamFault: The same.
        """
        stream.window += size
        if stream.window > LARGEST_WINDOW:
            raise StreamFault(stream.id, Code.FLOW_CONTROL_ERROR, "a window larger than there can be")
        if stream in self.waiting:
            self.pump()

    def resize_streams(self, streams: Iterable[Outgoing], size: int) -> None:
        """Take another initial window, which moves every window (section 6.9.2); `pump` sends what it lets.

        Raises:
            ConnectionFault: A window becomes larger than there can be.
        """
        change, self.stream_window = size - self.stream_window, size
        for stream in streams:
            stream.window += change
            if stream.window > LARGEST_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a window larger than there can be")

    def resize_table(self, size: int) -> None:
        """Take another size of the header table; one that shrinks wants to be told (RFC 7541 section 4.2)."""
        if size < TABLE_SIZE:
            self._prefix = SIZE_NOTHING


def _discard(_data: bytes) -> None:
    """Send to nobody."""
