"""A client of HTTP/2 for tests: it asks, waits, and looks what became of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from tests.support.http2_frames import (
    ACK,
    FRAME_SIZE,
    GOAWAY,
    INITIAL_WINDOW_SIZE,
    PING,
    RST_STREAM,
    WINDOW,
    Code,
    asked,
    block,
    data,
    headers,
    ping,
)
from tests.support.http2_link import Ended, Http2Link

if TYPE_CHECKING:
    from tests.support.http2_answer import Answer
    from tests.support.http2_frames import Field, Frame

__all__ = ["Ended", "Http2"]

_LIVE: Final = b"alive?!?"


class Http2(Http2Link):
    """A connection, and what is asked on it."""

    # -- asking ----------------------------------------------------------------------------------------

    def new_stream(self) -> int:
        """Return the next stream that a client may open."""
        stream, self._next = self._next, self._next + 2
        return stream

    def send_request(
        self,
        path: str = "/ok",
        *fields: Field,
        method: str = "GET",
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """Send a request, its body as windows allow; return its stream."""
        stream = self.new_stream()
        is_whole = end and not body
        self.send(headers(stream, block(*asked(path, *fields, method=method)), end=is_whole))
        if body:
            self.send_body(stream, body, end=end)
        return stream

    def send_request_on(self, stream: int, path: str) -> None:
        """Send a request on this stream."""
        self.send(headers(stream, block(*asked(path))))

    def ask(self, path: str = "/ok", *fields: Field, method: str = "GET", body: bytes = b"") -> Answer:
        """Send a request and read its response."""
        return self.answer(self.send_request(path, *fields, method=method, body=body))

    def room(self, stream: int) -> int:
        """Return how much of a body may be sent on a stream now."""
        initial = self.theirs.get(INITIAL_WINDOW_SIZE, WINDOW)
        return min(self.their_window, initial + self.their_windows.get(stream, 0))

    def send_data(self, stream: int, content: bytes = b"", *, end: bool = False) -> None:
        """Send one DATA frame, and count it."""
        self.their_window -= len(content)
        self.their_windows[stream] = self.their_windows.get(stream, 0) - len(content)
        self.send(data(stream, content, end=end))

    def send_body(self, stream: int, body: bytes, *, end: bool = True) -> None:
        """Send a body, as windows allow; what comes meanwhile is read."""
        most = FRAME_SIZE
        at = 0
        while at < len(body):
            while (room := self.room(stream)) <= 0:
                self.step()
                answer = self.answers.get(stream)
                if answer is not None and answer.is_over:
                    return
            piece = body[at : at + min(room, most)]
            at += len(piece)
            self.send_data(stream, piece, end=end and at == len(body))

    # -- waiting ---------------------------------------------------------------------------------------

    def answer(self, stream: int) -> Answer:
        """Read the response on a stream; it is whole, or was reset."""
        while stream not in self.answers or not self.answers[stream].is_over:
            self.step()
        return self.answers[stream]

    def wait_head(self, stream: int) -> Answer:
        """Read the head of a response."""
        while stream not in self.answers or not self.answers[stream].status:
            self.step()
        return self.answers[stream]

    def wait_body(self, stream: int, size: int) -> Answer:
        """Read so much of a body."""
        answer = self.wait_head(stream)
        while len(answer.body) < size:
            assert not answer.is_over, answer
            self.step()
        return answer

    def wait_settings(self) -> None:
        """Wait until each side has acknowledged the other's settings."""
        while not self.theirs or self._unacknowledged:
            self.step()

    # -- what must come --------------------------------------------------------------------------------

    def check_open(self) -> None:
        """The connection lives: a PING comes back."""
        self.send(ping(_LIVE))
        self.until(lambda frame: frame.kind == PING and frame.has(ACK) and frame.payload == _LIVE)
        assert self.goaway is None, self.goaway

    def check_serves(self) -> None:
        """The connection lives, and a request on it is answered."""
        answer = self.ask("/ok")
        assert (answer.status, answer.has_ended) == (200, True), answer
        assert self.goaway is None, self.goaway

    def check_failed(self, *codes: Code) -> Frame:
        """The connection is ended for one of these reasons (section 5.4.1)."""
        frame = self.until_failed()
        assert frame.code in codes, f"{frame} is none of {[code.name for code in codes]}"
        self.check_end()
        return frame

    def until_failed(self) -> Frame:
        """Read on until the server says that the connection failed."""
        try:
            return self.until(lambda frame: frame.kind == GOAWAY and frame.code != Code.NO_ERROR)
        except Ended as error:
            raise AssertionError(f"no GOAWAY: {error}") from None

    def check_end(self) -> None:
        """The connection ends; what comes before is taken in."""
        with contextlib.suppress(Ended):
            while True:
                self.step()

    def check_reset(self, stream: int, *codes: Code) -> Answer:
        """The stream is ended for one of these reasons, and the connection goes on (section 5.4.2)."""
        self.until(
            lambda frame: frame.kind == GOAWAY or (frame.kind == RST_STREAM and frame.stream == stream)
        )
        assert self.goaway is None, f"the connection ends: {self.goaway}"
        answer = self.answers[stream]
        assert answer.reset in codes, f"{answer} was to be {[code.name for code in codes]}"
        return answer
