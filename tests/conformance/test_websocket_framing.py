"""WebSocket messages of every size, in one frame and in many, whole and in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_served import ECHO, serving
from tests.conformance.websocket_wire import WebSocket, joined
from tests.support.websocket_frames import BINARY, CONTINUATION, PING, PONG, TEXT, fragments, frame, head

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

server = serving(ECHO)

SIZES = [0, 1, 2, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 1 << 20]
KINDS = pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])


def content(opcode: int, size: int) -> bytes:
    """Return bytes that show where one is missing; of text as many, with characters of every width."""
    if opcode == TEXT:
        return ("aä€😀" * (size // 10) + "bcdefghij"[: size % 10]).encode()
    return bytes(range(251)) * (size // 251) + bytes(range(size % 251))


@KINDS
@pytest.mark.parametrize("size", SIZES)
def test_a_message_of_any_size(server: ServerProcess, opcode: int, size: int) -> None:
    """RFC 6455 section 5.2: each form of the length."""
    payload = content(opcode, size)
    assert len(payload) == size
    with WebSocket(server) as ws:
        for _ in range(2):
            ws.send(frame(opcode, payload))
            ws.check_message(opcode, payload)
        ws.check_open()


@KINDS
@pytest.mark.parametrize(
    ("size", "piece"), [(7, 1), (125, 1), (126, 1), (5000, 1), (65535, 997), (65536, 1460)]
)
def test_a_frame_may_come_in_pieces(server: ServerProcess, opcode: int, size: int, piece: int) -> None:
    """RFC 6455 section 5.2: a frame is not a packet."""
    payload = content(opcode, size)
    data = frame(opcode, payload)
    with WebSocket(server) as ws:
        for at in range(0, len(data), piece):
            ws.send(data[at : at + piece])
        ws.check_message(opcode, payload)
        ws.check_open()


@KINDS
@pytest.mark.parametrize("size", [3, 300, 70_000, 1 << 20])
@pytest.mark.parametrize("count", [2, 3, 50])
def test_a_message_may_come_in_fragments(server: ServerProcess, opcode: int, size: int, count: int) -> None:
    """RFC 6455 section 5.4: cut anywhere, also inside a character."""
    payload = content(opcode, size)
    step = size // count + 1
    pieces = [payload[at * step : (at + 1) * step] for at in range(count)]
    with WebSocket(server) as ws:
        ws.send(joined(fragments(opcode, *pieces)))
        ws.check_message(opcode, payload)
        for each in fragments(opcode, *pieces):
            ws.send(each)
        ws.check_message(opcode, payload)
        ws.check_open()


@KINDS
@pytest.mark.parametrize(
    "pieces",
    [
        (b"", b""),
        (b"", b"", b""),
        (b"", b"abc", b""),
        (b"abc", b"", b""),
        (b"", b"", b"abc"),
        (b"a", b"", b"b", b"", b"c"),
    ],
)
def test_fragments_may_be_empty(server: ServerProcess, opcode: int, pieces: tuple[bytes, ...]) -> None:
    """RFC 6455 section 5.4."""
    data = joined(fragments(opcode, *pieces))
    with WebSocket(server) as ws:
        ws.send(data)
        ws.check_message(opcode, b"".join(pieces))
        ws.send_single(data)
        ws.check_message(opcode, b"".join(pieces))
        ws.check_open()


def test_many_messages_in_one_packet_keep_their_order(server: ServerProcess) -> None:
    """RFC 6455 section 5.4: more than the application can be behind with, so that reading pauses."""
    payloads = [b"%d" % number for number in range(500)]
    with WebSocket(server) as ws:
        ws.send(joined(frame(TEXT, payload) for payload in payloads))
        ws.check_echoes(TEXT, *payloads)
        ws.check_open()


def test_a_message_keeps_its_kind(server: ServerProcess) -> None:
    """RFC 6455 section 5.6."""
    with WebSocket(server) as ws:
        for opcode in (TEXT, BINARY, BINARY, TEXT):
            ws.send(frame(opcode, b"same"))
        for opcode in (TEXT, BINARY, BINARY, TEXT):
            ws.check_message(opcode, b"same")


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x80\x7f\0\xfe"])
def test_any_masking_key(server: ServerProcess, key: bytes) -> None:
    """RFC 6455 section 5.3."""
    payload = content(BINARY, 1003)
    with WebSocket(server) as ws:
        ws.send(frame(BINARY, payload, key=key))
        ws.check_message(BINARY, payload)


@pytest.mark.parametrize("before", [b"", frame(TEXT, b"before")], ids=["first", "second"])
@pytest.mark.parametrize(
    "sent",
    [
        frame(CONTINUATION, b"rest"),
        frame(CONTINUATION, b"rest", is_final=False),
        frame(CONTINUATION),
        joined([*fragments(TEXT, b"a", b"b"), frame(CONTINUATION, b"c")]),
        joined([frame(TEXT, b"a", is_final=False), frame(TEXT, b"b")]),
        joined([frame(TEXT, b"a", is_final=False), frame(TEXT, b"b", is_final=False)]),
        joined([frame(TEXT, b"a", is_final=False), frame(BINARY, b"b")]),
        joined([frame(BINARY, b"a", is_final=False), frame(TEXT, b"b")]),
        joined([frame(TEXT, is_final=False), frame(PING), frame(TEXT)]),
        joined(
            [frame(TEXT, is_final=False), frame(PONG), frame(CONTINUATION, is_final=False), frame(BINARY)]
        ),
    ],
    ids=[
        *("only a last fragment", "only a middle fragment", "only an empty fragment", "a fragment too many"),
        *("whole inside fragments", "fragments inside fragments", "binary inside text", "text inside binary"),
        *("behind a ping", "behind a continuation"),
    ],
)
def test_fragments_in_disorder(server: ServerProcess, before: bytes, sent: bytes) -> None:
    """RFC 6455 section 5.4: 1002. What was whole by then is delivered, what comes then is not."""
    for chop in (False, True):
        with WebSocket(server) as ws:
            data = before + sent + frame(TEXT, b"after")
            if chop:
                ws.send_single(before + sent)
            else:
                ws.send(data)
            if before:
                ws.check_message(TEXT, b"before")
            if sent.endswith(frame(CONTINUATION, b"c")):
                ws.check_message(TEXT, b"ab")
            if sent.count(frame(PING)):
                ws.check_pong(b"")
            ws.check_failed(1002)


@pytest.mark.parametrize(("size", "length_bytes"), [(5, 2), (125, 2), (5, 8), (126, 8), (65535, 8)])
def test_a_length_that_is_longer_than_need_be(server: ServerProcess, size: int, length_bytes: int) -> None:
    """RFC 6455 section 5.2: as few bytes as can be; a server need not mind, but must not read it wrongly."""
    payload = b"x" * size
    with WebSocket(server) as ws:
        ws.send(head(BINARY, size, key=b"\0\0\0\0", length_bytes=length_bytes) + payload)
        got = ws.frame()
        if got.opcode == BINARY:
            assert got.payload == payload
            ws.check_open()
        else:
            assert got.code == 1002


def test_a_length_with_its_highest_bit_set(server: ServerProcess) -> None:
    """RFC 6455 section 5.2: not allowed; as a number it is too large anyhow."""
    with WebSocket(server) as ws:
        ws.send(head(BINARY, 1 << 63 | 5) + b"12345")
        ws.check_failed(1002, 1009)
