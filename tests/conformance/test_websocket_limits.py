"""Messages that are too large, are in too many fragments, or become too large when they are inflated."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conformance.websocket_served import ECHO, fails_with_wsproto, serving
from tests.conformance.websocket_wire import WebSocket, joined
from tests.support.server_waits import FACTOR
from tests.support.websocket_frames import (
    BINARY,
    CONTINUATION,
    PING,
    RSV1,
    TEXT,
    fragments,
    frame,
    head,
)

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

SIZE = 3000
FRAGMENTS = 8
server = serving(ECHO, "--ws-max-size", str(SIZE), "--ws-max-fragments", str(FRAGMENTS))

TOLD_LATE = "wsproto tells of a frame when the first of its payload is there"
IMPATIENCE = 2.0 * FACTOR  #: seconds, where some wait in vain
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover"


def compressed(data: bytes) -> bytes:
    """Return the payload of a message that inflates to this, as any client can make it."""
    packer = zlib.compressobj(wbits=-9)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def cut(data: bytes, count: int) -> list[bytes]:
    """Return data in so many pieces."""
    step = -(-len(data) // count)
    return [data[at * step : (at + 1) * step] for at in range(count)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("count", [1, 2, FRAGMENTS])
def test_the_largest_message(server: ServerProcess, opcode: int, count: int) -> None:
    """--ws-max-size: in bytes, and again and again."""
    payload = ("ä" * (SIZE // 2)).encode()
    with WebSocket(server) as ws:
        for _ in range(3):
            ws.send(joined(fragments(opcode, *cut(payload, count))))
            ws.check_message(opcode, payload)
        ws.check_open()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("count", [1, 2, FRAGMENTS])
def test_a_message_that_is_one_byte_too_large(server: ServerProcess, opcode: int, count: int) -> None:
    """RFC 6455 section 7.4.1: 1009; the message before it, in the same packet, is answered."""
    with WebSocket(server) as ws:
        ws.send(frame(opcode, b"before") + joined(fragments(opcode, *cut(b"x" * (SIZE + 1), count))))
        ws.check_message(opcode, b"before")
        ws.check_failed(1009)


@pytest.mark.parametrize("size", [SIZE + 1, 65536, 1 << 32, (1 << 63) - 1])
def test_the_head_of_a_frame_that_is_too_large_is_enough(
    server: ServerProcess, size: int, request: pytest.FixtureRequest
) -> None:
    """RFC 6455 section 10.4: nothing of it is waited for, or kept."""
    waits_in_vain = fails_with_wsproto(request, TOLD_LATE)
    with WebSocket(server) as ws:
        ws.send(head(BINARY, size))
        if waits_in_vain:
            ws.socket.settimeout(IMPATIENCE)
        ws.check_failed(1009)


def test_the_head_of_a_fragment_that_makes_it_too_large_is_enough(
    server: ServerProcess, request: pytest.FixtureRequest
) -> None:
    """RFC 6455 section 10.4."""
    waits_in_vain = fails_with_wsproto(request, TOLD_LATE)
    with WebSocket(server) as ws:
        ws.send(frame(BINARY, b"x" * (SIZE - 10), is_final=False))
        ws.check_open()
        ws.send(head(CONTINUATION, 11, is_final=False))
        if waits_in_vain:
            ws.socket.settimeout(IMPATIENCE)
        ws.check_failed(1009)


@pytest.mark.parametrize("size", [SIZE + 1, 65536, 1 << 32, (1 << 63) - 1])
def test_the_first_byte_too_many_is_enough(server: ServerProcess, size: int) -> None:
    """RFC 6455 section 10.4: of a frame that is said to be of any size."""
    with WebSocket(server) as ws:
        ws.send(head(BINARY, size) + b"x" * (SIZE + 1))
        ws.check_failed(1009)


def test_a_message_that_grows_without_end(server: ServerProcess) -> None:
    """RFC 6455 section 10.4: it is not its end that is waited for."""
    with WebSocket(server) as ws:
        for opcode in (BINARY, CONTINUATION, CONTINUATION):
            ws.send(frame(opcode, b"x" * (SIZE // 2), is_final=False))
        ws.check_failed(1009)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_most_fragments(server: ServerProcess, opcode: int) -> None:
    """--ws-max-fragments: pings between them are none."""
    with WebSocket(server) as ws:
        for _ in range(3):
            ws.send(joined(each + frame(PING) for each in fragments(opcode, *[b"ab"] * FRAGMENTS)))
            got = [ws.frame() for _ in range(FRAGMENTS + 1)]
            assert [each.payload for each in got if each.opcode == opcode] == [b"ab" * FRAGMENTS]
        ws.check_open()


@pytest.mark.parametrize("piece", [b"", b"a"], ids=["empty", "not empty"])
@pytest.mark.parametrize("is_final", [True, False])
def test_a_fragment_too_many(server: ServerProcess, piece: bytes, is_final: bool) -> None:
    """--ws-max-fragments: 1008; each costs the server something, also an empty one."""
    with WebSocket(server) as ws:
        frames = fragments(TEXT, *[piece] * (FRAGMENTS + 1))
        if not is_final:
            frames[-1] = frame(CONTINUATION, piece, is_final=False)
        ws.send(frame(TEXT, b"before") + joined(frames))
        ws.check_message(TEXT, b"before")
        ws.check_failed(1008)


# -- what is inflated ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_counts_is_the_inflated_size(server: ServerProcess, count: int) -> None:
    """--ws-max-size: as large as can be, and one byte too large."""
    with WebSocket(server, "/", DEFLATE) as ws:
        for _ in range(2):
            ws.send(joined(fragments(BINARY, *cut(compressed(bytes(SIZE)), count), rsv=RSV1)))
            ws.check_message(BINARY, bytes(SIZE))
        ws.send(joined(fragments(BINARY, *cut(compressed(bytes(SIZE + 1)), count), rsv=RSV1)))
        ws.check_failed(1009)


@pytest.mark.parametrize("count", [1, 5])
def test_a_message_that_inflates_to_a_hundred_megabytes(server: ServerProcess, count: int) -> None:
    """RFC 7692 section 8: it is never inflated, however little was sent of it."""
    packer = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    layers = b"".join(packer.compress(zeros) for _ in range(100)) + packer.flush(zlib.Z_SYNC_FLUSH)
    bomb = layers[2:-4]
    [worker] = server.workers()
    with WebSocket(server, "/", DEFLATE) as ws:
        before = psutil.Process(worker).memory_info().rss
        pieces = cut(bomb[:SIZE], count)
        ws.send(joined(fragments(BINARY, *pieces, rsv=RSV1)))
        ws.check_failed(1009)
        assert psutil.Process(worker).memory_info().rss < before + (20 << 20)


def test_a_bomb_within_a_frame_goes_off_before_its_end(server: ServerProcess) -> None:
    """RFC 7692 section 8: or at the latest when the frame is whole."""
    data = compressed(bytes(1 << 20))
    assert len(data) < SIZE
    with WebSocket(server, "/", DEFLATE) as ws:
        ws.send(frame(TEXT, b"before") + frame(TEXT, data, rsv=RSV1))
        ws.check_message(TEXT, b"before")
        ws.check_failed(1009)


RATIO = 20
ratio = serving(ECHO, "--ws-max-inflate-ratio", str(RATIO))


@pytest.mark.parametrize("count", [1, 7])
def test_the_ratio_counts_beyond_a_mebibyte(ratio: ServerProcess, count: int) -> None:
    """--ws-max-inflate-ratio: 1009."""
    with WebSocket(ratio, "/", DEFLATE) as ws:
        for allowed in (bytes(1 << 20), random.Random(1).randbytes(3 << 20)):
            ws.send(joined(fragments(BINARY, *cut(compressed(allowed), count), rsv=RSV1)))
            ws.check_message(BINARY, allowed)
        ws.send(joined(fragments(BINARY, *cut(compressed(bytes(3 << 20)), count), rsv=RSV1)))
        ws.check_failed(1009)
