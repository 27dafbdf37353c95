"""Pings and pongs, and frames that no client may send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_served import ECHO, fails_with_wsproto, serving
from tests.conformance.websocket_wire import WebSocket, joined
from tests.support.server_waits import FACTOR
from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close,
    fragments,
    frame,
    head,
)

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

server = serving(ECHO)

DATA = [TEXT, BINARY]
CONTROL = [CLOSE, PING, PONG]
IMPATIENCE = 2.0 * FACTOR  #: seconds, where some wait in vain
RESERVED = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff\xfe", b"p" * 125])
def test_a_ping_is_answered_with_its_payload(server: ServerProcess, payload: bytes) -> None:
    """RFC 6455 sections 5.5.2 and 5.5.3."""
    with WebSocket(server) as ws:
        ws.send(frame(PING, payload))
        ws.check_pong(payload)
        ws.send_single(frame(PING, payload))
        ws.check_pong(payload)
        ws.check_open()


def test_pings_in_one_packet_are_answered_in_order(server: ServerProcess) -> None:
    """RFC 6455 section 5.5.3: all of them, or at least the last."""
    payloads = [b"%d" % number for number in range(10)]
    with WebSocket(server) as ws:
        ws.send(joined(frame(PING, payload) for payload in payloads))
        for payload in payloads:
            ws.check_pong(payload)
        ws.check_open()


@pytest.mark.parametrize("payload", [b"", b"nobody asked", b"p" * 125])
def test_a_pong_that_nobody_asked_for_is_ignored(server: ServerProcess, payload: bytes) -> None:
    """RFC 6455 section 5.5.3."""
    with WebSocket(server) as ws:
        ws.send(frame(PONG, payload) + frame(PING, b"p") + frame(PONG, payload))
        ws.check_pong(b"p")
        ws.check_open()


@pytest.mark.parametrize("opcode", DATA)
def test_pings_and_pongs_between_fragments(server: ServerProcess, opcode: int) -> None:
    """RFC 6455 section 5.4: answered before the message is whole, and not part of it."""
    first, second, third = fragments(opcode, b"one ", b"two ", b"three")
    with WebSocket(server) as ws:
        ws.send(joined([first, frame(PING, b"1"), second, frame(PONG, b"not asked"), frame(PING, b"2")]))
        ws.check_pong(b"1")
        ws.check_pong(b"2")
        ws.send(third)
        ws.check_message(opcode, b"one two three")
        ws.send_single(joined([first, frame(PING, b"3"), second, frame(PING, b""), third]))
        ws.check_pong(b"3")
        ws.check_pong(b"")
        ws.check_message(opcode, b"one two three")
        ws.check_open()


def test_a_close_between_fragments(server: ServerProcess) -> None:
    """RFC 6455 section 5.4: it counts, and the message is lost."""
    with WebSocket(server) as ws:
        ws.send(frame(TEXT, b"one", is_final=False) + close(1000) + frame(CONTINUATION, b"two"))
        ws.check_close(1000)


# -- what is a violation ------------------------------------------------------------------------------

VIOLATIONS = {
    **{f"opcode {opcode}": frame(opcode) for opcode in RESERVED},
    **{f"opcode {opcode} with a payload": frame(opcode, b"payload") for opcode in RESERVED},
    **{f"rsv {rsv} of opcode {opcode}": frame(opcode, rsv=rsv) for rsv in range(1, 8) for opcode in DATA},
    **{f"rsv {rsv} with a payload": frame(TEXT, b"payload", rsv=rsv) for rsv in range(1, 8)},
    **{f"rsv {rsv} of opcode {opcode}": frame(opcode, rsv=rsv) for rsv in (1, 2, 4) for opcode in CONTROL},
    **{
        f"rsv {rsv} of a continuation": frame(TEXT, b"a", is_final=False) + frame(CONTINUATION, b"b", rsv=rsv)
        for rsv in (1, 2, 4)
    },
    **{f"opcode {opcode} unmasked": frame(opcode, key=None) for opcode in (*DATA, *CONTROL)},
    "text unmasked": frame(TEXT, b"payload", key=None),
    **{
        f"opcode {opcode} of {size} bytes": frame(opcode, b"\x03\xe8" + b"x" * (size - 2))
        for opcode in CONTROL
        for size in (126, 127, 65536)
    },
    **{f"opcode {opcode} in fragments": joined(fragments(opcode, b"", b"")) for opcode in CONTROL},
    **{
        f"opcode {opcode} in fragments inside a message": frame(TEXT, b"a", is_final=False)
        + frame(opcode, is_final=False)
        for opcode in CONTROL
    },
}


@pytest.mark.parametrize("sent", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation(server: ServerProcess, sent: bytes) -> None:
    """RFC 6455 sections 5.1, 5.2 and 5.5: 1002."""
    with WebSocket(server) as ws:
        ws.send(sent)
        ws.check_failed(1002)


@pytest.mark.parametrize("sent", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_between_messages(server: ServerProcess, sent: bytes) -> None:
    """RFC 6455 section 7.1.7: what came before is answered, what comes then is not read."""
    with WebSocket(server) as ws:
        before = joined([frame(TEXT, b"before"), frame(PING, b"and a ping")])
        ws.send(before + sent + frame(TEXT, b"after") + frame(PING, b"after"))
        got = [ws.frame() for _ in range(2)]
        assert {each.payload for each in got} == {b"before", b"and a ping"}
        ws.check_failed(1002)


@pytest.mark.parametrize("name", [name for name in VIOLATIONS if "fragments" not in name][::5])
def test_a_violation_in_single_bytes(server: ServerProcess, name: str) -> None:
    """It is the same however it arrives."""
    with WebSocket(server) as ws:
        ws.send_single((frame(TEXT, b"before") + VIOLATIONS[name])[:200])
        ws.check_message(TEXT, b"before")
        ws.check_failed(1002)


HEADS = {
    **{f"opcode {opcode}": head(opcode, 100) for opcode in (3, 11)},
    **{f"rsv {rsv}": head(TEXT, 100, rsv=rsv) for rsv in (1, 2, 4)},
    **{f"unmasked {size} bytes": head(TEXT, size, key=None) for size in (100, 1000)},
    **{f"opcode {opcode} too long": head(opcode, 126) for opcode in CONTROL},
    "fragment of a ping": head(PING, 100, is_final=False),
    "only a continuation": head(CONTINUATION, 100),
    "text inside text": frame(TEXT, b"a", is_final=False) + head(TEXT, 100),
}
LATE = ("only a continuation", "text inside text")


@pytest.mark.parametrize("name", HEADS)
def test_the_head_of_a_frame_is_enough(
    server: ServerProcess, name: str, request: pytest.FixtureRequest
) -> None:
    """RFC 6455 section 7.1.7: nobody waits for a payload that would be thrown away."""
    reason = "wsproto looks at the order of fragments with the first of their payload"
    waits_in_vain = name in LATE and fails_with_wsproto(request, reason)
    with WebSocket(server) as ws:
        ws.send(HEADS[name])
        if waits_in_vain:
            ws.socket.settimeout(IMPATIENCE)
        ws.check_failed(1002)


@pytest.mark.parametrize("name", LATE)
def test_the_first_byte_of_a_payload_is_enough(server: ServerProcess, name: str) -> None:
    """RFC 6455 section 7.1.7: or the frame could be of any size."""
    with WebSocket(server) as ws:
        ws.send(HEADS[name] + b"x")
        ws.check_failed(1002)
