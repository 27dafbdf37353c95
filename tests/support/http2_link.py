"""A connection of a client that speaks HTTP/2: it sends any bytes, and reads strictly.

Whatever a server does that RFC 9113 does not allow fails the test that looks on. SETTINGS and PINGs of the
server are answered, and windows are given back, where nobody says otherwise. Tests use `http2_client`.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final, Self

from hpack import Decoder

from tests.support.http2_answer import Answer
from tests.support.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE,
    GOAWAY,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MOST,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW,
    WINDOW_UPDATE,
    Frame,
    ping,
    settings,
    window_update,
)
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from tests.support.client import Address

_LIVE: Final = b"alive?!?"


class Ended(AssertionError):  # noqa: N818 - an outcome, not always an error
    """The server ended the connection before what was waited for."""


class Http2Link:
    """A connection.

    Args:
        address: Where.
        tls: What is trusted and spoken; it must be told to offer ``h2`` (ALPN). None: no TLS.
        values: What the first SETTINGS frame says; None: the preface is left to the caller.
        gives_back: Whether a body that has come may be followed by as much again.
        receive_buffer: What the kernel takes in ahead; 0 for what it thinks best.

    Attributes:
        theirs: The settings of the server.
        answers: By stream.
        goaway: The last such frame of the server.
        seen: Every frame, in order.
        acks: How often our settings were acknowledged.
        has_ended: Whether the end of the connection was read.
    """

    def __init__(
        self,
        address: Address,
        *,
        tls: ssl.SSLContext | None = None,
        values: Mapping[int, int] | None = {},
        gives_back: bool = True,
        receive_buffer: int = 0,
    ) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.theirs: dict[int, int] = {}
        self.answers: dict[int, Answer] = {}
        self.goaway: Frame | None = None
        self.seen: list[Frame] = []
        self.acks = 0
        self.has_ended = False
        self.gives_back = gives_back
        self._received = bytearray()
        self._decoder = Decoder(max_header_list_size=1 << 20)
        self._section: tuple[int, int, bytes] | None = None  #: one that is not whole: stream, flags, block
        self._next = 1
        self._unacknowledged: list[dict[int, int]] = []
        self._ours = {INITIAL_WINDOW_SIZE: WINDOW, MAX_FRAME_SIZE: FRAME_SIZE, HEADER_TABLE_SIZE: 4096}
        self.window = WINDOW  #: what the server may send
        self.their_window = WINDOW  #: what we may send, on all streams together
        self.their_windows: dict[int, int] = {}  #: and on each, relative to their INITIAL_WINDOW_SIZE
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(address)
            if not isinstance(address, str):
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                wrapped = tls.wrap_socket(self.socket, server_hostname="localhost")
                self.socket = wrapped
                assert wrapped.selected_alpn_protocol() == "h2", "no h2"
            if values is not None:
                self.socket.sendall(PREFACE)
                self.send_settings(dict(values))
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # -- sending ---------------------------------------------------------------------------------------

    def send(self, *frames: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(b"".join(frames))

    def send_quietly(self, *frames: bytes) -> None:
        """Send bytes; a server that refuses them may have gone already."""
        with contextlib.suppress(ConnectionError):
            self.send(*frames)

    def send_settings(self, values: dict[int, int]) -> None:
        """Send settings, which hold once they are acknowledged."""
        self._unacknowledged.append(values)
        # What allows more may be used at once.
        initial = values.get(INITIAL_WINDOW_SIZE, 0)
        if initial > self._ours[INITIAL_WINDOW_SIZE]:
            self._set_initial_window(initial)
        self._ours[MAX_FRAME_SIZE] = max(self._ours[MAX_FRAME_SIZE], values.get(MAX_FRAME_SIZE, 0))
        self.send(settings(values))

    # -- reading ---------------------------------------------------------------------------------------

    def step(self) -> Frame:
        """Read a frame and take it in.

        Raises:
            Ended: There is none.
        """
        size = int.from_bytes(self._take(9, remove=False)[:3], "big")
        assert size <= self._ours[MAX_FRAME_SIZE], f"a frame of {size} bytes (section 4.2)"
        raw = self._take(9 + size)
        frame = Frame(raw[3], raw[4], int.from_bytes(raw[5:9], "big"), raw[9:])
        if not self.seen:
            assert frame.kind == SETTINGS, f"the first is {frame} (section 3.4)"
            assert not frame.has(ACK), f"the first is {frame} (section 3.4)"
        self.seen.append(frame)
        if self._section is not None:
            assert (frame.kind, frame.stream) == (CONTINUATION, self._section[0]), f"{frame} (section 6.10)"
        taken_in = _BY_KIND.get(frame.kind)
        assert taken_in is not None, f"{frame} of a server"
        taken_in(self, frame)
        return frame

    def _take(self, size: int, *, remove: bool = True) -> bytes:
        while len(self._received) < size:
            try:
                more = self.socket.recv(262144)
            except TimeoutError:
                raise AssertionError(f"nothing more came; the last were {self._last()}") from None
            except ConnectionResetError:
                self.has_ended = True
                raise Ended(f"reset; the last frames were {self._last()}") from None
            if not more:
                self.has_ended = True
                assert not self._received, "the connection ends inside a frame"
                raise Ended(f"the last frames were {self._last()}")
            self._received += more
        taken = bytes(self._received[:size])
        if remove:
            del self._received[:size]
        return taken

    def _last(self) -> str:
        return " ".join(str(frame) for frame in self.seen[-5:]) or "none"

    def until(self, is_it: Callable[[Frame], bool]) -> Frame:
        """Read on until there is such a frame."""
        while True:
            if is_it(frame := self.step()):
                return frame

    # -- what comes ------------------------------------------------------------------------------------

    def _answer_of(self, stream: int) -> Answer:
        assert stream % 2, f"stream {stream} (section 5.1.1)"
        return self.answers.setdefault(stream, Answer(stream, self._ours[INITIAL_WINDOW_SIZE]))

    def _data_came(self, frame: Frame) -> None:
        size = len(frame.payload)
        answer = self._answer_of(frame.stream)
        assert size <= self.window, f"{size} bytes in a window of {self.window} (section 6.9)"
        self.window -= size
        answer.data_came(frame.content, size, is_end=frame.has(END_STREAM))
        if self.gives_back and size:
            if self.window < WINDOW // 2:
                self.give_back(0, WINDOW)
            if not answer.is_over and answer.window < self._ours[INITIAL_WINDOW_SIZE] // 2:
                self.give_back(frame.stream, self._ours[INITIAL_WINDOW_SIZE])

    def give_back(self, stream: int, size: int) -> None:
        """Let the server send so much more; 0 is the connection."""
        if stream:
            self._answer_of(stream).window += size
        else:
            self.window += size
        self.send_quietly(window_update(stream, size))

    def _headers_came(self, frame: Frame) -> None:
        if frame.kind == CONTINUATION:
            assert self._section is not None, "CONTINUATION behind nothing (section 6.10)"
            stream, flags, so_far = self._section
        else:
            stream, flags, so_far = frame.stream, frame.flags, b""
        encoded = so_far + frame.content
        if not frame.has(END_HEADERS):
            self._section = stream, flags, encoded
            return
        self._section = None
        decoded = self._decoder.decode(encoded, raw=True)
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in decoded]
        self._answer_of(stream).headers_came(fields, is_end=bool(flags & END_STREAM))

    def _reset_came(self, frame: Frame) -> None:
        assert len(frame.payload) == 4
        self._answer_of(frame.stream).reset = frame.code

    def _settings_came(self, frame: Frame) -> None:
        assert frame.stream == 0
        if frame.has(ACK):
            assert not frame.payload
            self.acks += 1
            self._acknowledged(self._unacknowledged.pop(0) if self._unacknowledged else {})
            return
        assert len(frame.payload) % 6 == 0
        self.theirs |= frame.settings or {0: 0}
        self.send_quietly(settings(ack=True))

    def _acknowledged(self, values: dict[int, int]) -> None:
        if INITIAL_WINDOW_SIZE in values:
            self._set_initial_window(values[INITIAL_WINDOW_SIZE])
        if HEADER_TABLE_SIZE in values:
            self._decoder.max_allowed_table_size = values[HEADER_TABLE_SIZE]
        self._ours |= values

    def _set_initial_window(self, size: int) -> None:
        for answer in self.answers.values():
            answer.window += size - self._ours[INITIAL_WINDOW_SIZE]
        self._ours[INITIAL_WINDOW_SIZE] = size

    def _ping_came(self, frame: Frame) -> None:
        assert (frame.stream, len(frame.payload)) == (0, 8)
        if not frame.has(ACK):
            self.send_quietly(ping(frame.payload, ack=True))

    def _goaway_came(self, frame: Frame) -> None:
        assert frame.stream == 0
        assert len(frame.payload) >= 8
        if self.goaway is not None:
            assert frame.number <= self.goaway.number, "the last stream goes up (section 6.8)"
        self.goaway = frame

    def _window_came(self, frame: Frame) -> None:
        assert len(frame.payload) == 4
        assert frame.number, f"{frame} of 0 (section 6.9)"
        if not frame.stream:
            self.their_window += frame.number
            assert self.their_window <= MOST
        else:
            self.their_windows[frame.stream] = self.their_windows.get(frame.stream, 0) + frame.number


_BY_KIND: Final[dict[int, Callable[[Http2Link, Frame], None]]] = {
    DATA: Http2Link._data_came,
    HEADERS: Http2Link._headers_came,
    CONTINUATION: Http2Link._headers_came,
    RST_STREAM: Http2Link._reset_came,
    SETTINGS: Http2Link._settings_came,
    PING: Http2Link._ping_came,
    GOAWAY: Http2Link._goaway_came,
    WINDOW_UPDATE: Http2Link._window_came,
}
