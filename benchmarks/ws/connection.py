"""One WebSocket of the client: blocking while it is opened and checked, then asked when epoll says so."""

from __future__ import annotations

import socket
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from benchmarks.errors import WrongAnswerError
from benchmarks.ws.frames import CLOSE, PING, PONG, TEXT, Frame, FrameReader, Inflater, masked, plain
from benchmarks.ws.handshake import check_response

if TYPE_CHECKING:
    from benchmarks.ws.script import Script

_READ_BYTES: Final = 65536
_SHOWN_BYTES: Final = 40
_CLOSE: Final = masked(b"\x03\xe8", opcode=CLOSE)  # 1000, which means that all is well


class Connection:
    """Says the messages of a script one after the other, and compares what comes back.

    Attributes:
        received: Bytes so far.
        wrong: Replies that were not the expected ones, among those `receive` has counted.
        outgoing: What the socket did not take yet.
    """

    __slots__ = (
        "_expected",
        "_frames",
        "_inflater",
        "_payloads",
        "_read",
        "_reader",
        "_replies",
        "_script",
        "_sock",
        "outgoing",
        "received",
        "wrong",
    )

    def __init__(self, sock: socket.socket, script: Script) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._read = sock.recv
        self._script = script
        self._frames = cycle(script.frames)
        self._payloads = cycle(script.payloads)
        self._replies = cycle(script.replies)
        self._expected = next(self._replies)
        self._reader = FrameReader()
        self._inflater = Inflater()
        self.received = 0
        self.wrong = 0
        self.outgoing = b""

    def __repr__(self) -> str:
        return f"<Connection fd={self.fileno()} received={self.received} wrong={self.wrong}>"

    def fileno(self) -> int:
        """Return the descriptor, for epoll."""
        return self._sock.fileno()

    def ask(self, request: bytes) -> None:
        """Send the opening handshake."""
        self._sock.sendall(request)

    def wait_until_open(self) -> None:
        """Wait for the handshake's answer.

        Raises:
            WrongAnswerError: It opens no WebSocket as the script needs it.
        """
        head = b""
        while b"\r\n\r\n" not in head:
            data = self._read(_READ_BYTES)
            if not data:
                raise WrongAnswerError(f"Closed instead of opened: {head[:_SHOWN_BYTES]!r}.")
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        check_response(head, offered_deflate=self._script.is_compressed)
        if rest:
            raise WrongAnswerError(f"It speaks without being asked: {rest[:_SHOWN_BYTES]!r}.")

    def say(self) -> None:
        """Send one message, however long that takes."""
        self._sock.sendall(next(self._frames))

    def wait_for_reply(self) -> None:
        """Wait for one reply, inflate it if it is compressed, and compare it byte by byte.

        Raises:
            WrongAnswerError: It is another one, or none.
        """
        frames: list[Frame] = []
        while not frames:
            data = self._read(_READ_BYTES)
            if not data:
                raise WrongAnswerError("Closed instead of a reply.")
            frames = self._reader.feed(data)
        frame, *more = frames
        expected = next(self._payloads)
        payload = self._inflater.inflate(frame.payload) if frame.is_compressed else frame.payload
        if more:
            raise WrongAnswerError(f"More than the reply: {more[0].payload[:_SHOWN_BYTES]!r}.")
        if frame.opcode != TEXT or payload != expected:
            raise WrongAnswerError(f"{payload[:_SHOWN_BYTES]!r} instead of {expected[:_SHOWN_BYTES]!r}.")
        if frame.is_compressed is not self._script.is_compressed:
            raise WrongAnswerError("Its reply is not compressed, though that was agreed upon.")
        self._expected = next(self._replies)

    def leave_blocking(self) -> None:
        """From now on, `send` and `receive` do what can be done at once."""
        self._sock.setblocking(False)

    def block(self, seconds: float) -> None:
        """From now on, `say` and `wait_for_reply` wait at most so long."""
        self._sock.settimeout(seconds)

    def send(self, count: int) -> None:
        """Send the next messages; `outgoing` is what has to wait."""
        data = next(self._frames) if count == 1 else b"".join(islice(self._frames, count))
        if self.outgoing:
            self.outgoing += data
            return
        self._send(data)

    def flush(self) -> None:
        """Send what had to wait."""
        self._send(self.outgoing)

    def _send(self, data: bytes) -> None:
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(data)  # it is lost; `receive` will tell
        self.outgoing = b"" if sent == len(data) else data[sent:]

    def receive(self) -> int:
        """Return how many replies have come.

        Raises:
            OSError: There is nothing to read yet, or there never will be.
        """
        data = self._read(_READ_BYTES)
        self.received += len(data)
        if data == self._expected and data and not self._reader.is_amid_frame:
            self._expected = next(self._replies)
            return 1
        if not data:
            raise ConnectionResetError("closed by the server")
        return sum(self._is_reply(frame) for frame in self._reader.feed(data))

    def _is_reply(self, frame: Frame) -> bool:
        """Return whether a frame is a reply, and note it if it is a wrong one.

        Of a compressed one only the head is looked at: inflating it would cost more than serving it.
        """
        if frame.opcode == TEXT:
            expected, self._expected = self._expected, next(self._replies)
            if self._script.is_compressed:
                is_right = frame.is_compressed
            else:
                is_right = not frame.is_compressed and expected == plain(frame.payload)
            self.wrong += not is_right
            return True
        if frame.opcode == PING:
            self._send(self.outgoing + masked(frame.payload, opcode=PONG))
        elif frame.opcode == CLOSE:
            raise ConnectionResetError(f"closed by the server with {frame.payload.hex()}")
        return False

    def say_goodbye(self) -> None:
        """Start the closing handshake."""
        self._sock.send(_CLOSE)

    def wait_until_closed(self, seconds: float) -> None:
        """Wait until the server has closed, then close."""
        self._sock.settimeout(seconds)
        while self._read(_READ_BYTES):
            pass

    def is_open(self) -> bool:
        """Return whether the server has not closed it."""
        try:
            while self._read(_READ_BYTES):
                pass  # pings
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        """Close without a word."""
        self._sock.close()
