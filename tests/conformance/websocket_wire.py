"""A WebSocket client that sends any bytes, and reads strictly."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Final

from tests.conformance.wire import Wire
from tests.support.websocket_frames import CLOSE, CONTINUATION, PING, PONG, RSV1, TEXT, Frame, close, frame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tests.conformance.wire import Answer
    from tests.support.server import ServerProcess

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
_ASKED: Final = {
    "Host": "h",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
_TAIL: Final = b"\x00\x00\xff\xff"  #: what RFC 7692 section 7.2.1 leaves out


def opening(
    path: str = "/",
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    without: Collection[str] = (),
) -> bytes:
    """Return a request to open a WebSocket.

    Args:
        path: The target.
        fields: Further lines, also in place of those left out.
        method: The method.
        version: Of HTTP.
        without: Names of fields to leave out.
    """
    asked = [f"{name}: {value}" for name, value in _ASKED.items() if name not in without]
    return "\r\n".join([f"{method} {path} HTTP/{version}", *asked, *fields, "", ""]).encode("latin-1")


def accept_of(key: str) -> str:
    """Return the proof that a server has read the key (RFC 6455 section 4.2.2)."""
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    return base64.b64encode(digest).decode()


def check_accepted(answer: Answer) -> None:
    """It is the answer that opens the WebSocket (RFC 6455 section 4.2.2)."""
    assert answer.status == 101, answer
    assert answer.all("upgrade") == ["websocket"]
    assert [value.lower() for value in answer.all("connection")] == ["upgrade"]
    assert answer.all("sec-websocket-accept") == [accept_of(KEY)]


class WebSocket(Wire):
    """An open WebSocket.

    Args:
        server: Whom to ask.
        path: The target.
        fields: Further lines of the request.
        early: What is sent together with the request.

    Attributes:
        opened: The answer to the request.
        inflater: Reads what comes compressed; None where that was not agreed.
    """

    def __init__(self, server: ServerProcess, path: str = "/", *fields: str, early: bytes = b"") -> None:
        super().__init__(server)
        self.inflater = None
        try:
            self.send(opening(path, *fields) + early)
            self.opened = self.answer()
            check_accepted(self.opened)
        except BaseException:
            self.socket.close()
            raise
        if self.opened.all("sec-websocket-extensions"):
            self.inflater = zlib.decompressobj(-zlib.MAX_WBITS)

    def send_single(self, data: bytes) -> None:
        """Send each byte by itself."""
        for byte in data:
            self.socket.send(bytes([byte]))

    # -- reading ---------------------------------------------------------------------------------------

    def frame(self) -> Frame:
        """Read one frame, which a server may send (RFC 6455 sections 5.1, 5.2 and 5.5)."""
        first, second = self.take(2)
        assert second < 128, "masked"
        size = second
        if second > 125:
            wide = second == 127
            size = int.from_bytes(self.take(8 if wide else 2), "big")
            assert size > (65535 if wide else 125), "not the shortest length"
        read = Frame(first & 15, self.take(size), bool(first & 128), first >> 4 & 7)
        assert read.opcode in {CONTINUATION, TEXT, 2, CLOSE, PING, PONG}
        if read.opcode >= CLOSE:
            assert (read.is_final, read.rsv) == (True, 0), read
            assert size <= 125
        else:
            assert read.rsv in ({0, RSV1} if self.inflater else {0}), read
        return read

    def message(self) -> Frame:
        """Read one whole message, inflated."""
        read = [self.frame()]
        assert read[0].opcode not in {CONTINUATION, PING, PONG}, read
        assert read[0].opcode != CLOSE, f"closed: {read[0].code} {read[0].reason}"
        while not read[-1].is_final:
            read.append(self.frame())
            assert (read[-1].opcode, read[-1].rsv) == (CONTINUATION, 0), read[-1]
        payload = b"".join(each.payload for each in read)
        if read[0].rsv:
            assert self.inflater is not None
            payload = self.inflater.decompress(payload + _TAIL)
            assert not self.inflater.unconsumed_tail
        if read[0].opcode == TEXT:
            payload.decode()
        return Frame(read[0].opcode, payload)

    # -- what must come --------------------------------------------------------------------------------

    def check_message(self, opcode: int, payload: bytes) -> None:
        """The next message is this one."""
        got = self.message()
        assert (got.opcode, len(got.payload)) == (opcode, len(payload))
        assert got.payload == payload

    def check_echoes(self, opcode: int, *payloads: bytes) -> None:
        """The next messages are these."""
        for payload in payloads:
            self.check_message(opcode, payload)

    def check_pong(self, payload: bytes) -> None:
        """The next frame is this pong."""
        assert self.frame() == Frame(PONG, payload)

    def check_open(self) -> None:
        """It is open, and nothing more has come on it."""
        self.send(frame(PING, b"still there?"))
        self.check_pong(b"still there?")

    def check_close(self, code: int | None, reason: str | None = None) -> None:
        """The next frame closes it, with this code; once that is answered, the connection ends."""
        got = self.frame()
        assert got.opcode == CLOSE, got
        assert got.code == code, f"{got.code} {got.reason}"
        if reason is not None:
            assert got.reason == reason
        self.check_end_of_connection(close(code))

    def check_failed(self, *codes: int) -> None:
        """The next frame closes it with one of these codes; once that is answered, the connection ends."""
        got = self.frame()
        assert got.opcode == CLOSE, got
        assert got.code in codes, f"{got.code} {got.reason}"
        self.check_end_of_connection(close(got.code))

    def check_end_of_connection(self, answer: bytes = b"") -> None:
        """Nothing more comes; where the server had unread bytes, its end is a reset."""
        with contextlib.suppress(ConnectionError):
            if answer:
                self.send(answer)
        with contextlib.suppress(ConnectionResetError):
            assert self.rest() == b""


def will_reset(wire: Wire) -> None:
    """Have the connection end with a reset when it is closed."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def joined(frames: Iterable[bytes]) -> bytes:
    """Return frames that go into one packet."""
    return b"".join(frames)
