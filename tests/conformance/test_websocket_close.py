"""How a WebSocket ends: who says it, with which code, and what the application is told."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_rules import rule
from tests.conformance.websocket_served import RULED, fails_with_wsproto, serving
from tests.conformance.websocket_wire import WebSocket, joined, will_reset
from tests.conformance.wire import notes
from tests.support.server_waits import FACTOR
from tests.support.websocket_frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    close,
    frame,
    head,
    masked,
)

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

CLOSE_TIMEOUT = 0.5
server = serving(RULED, "--ws-close-timeout", str(CLOSE_TIMEOUT))

#: RFC 6455 section 7.4, with those that were registered since.
GOOD = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]
BAD = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", GOOD)
@rule(41)
def test_the_client_closes(server: ServerProcess, code: int, request: pytest.FixtureRequest) -> None:
    """RFC 6455 section 5.5.1: its code comes back, and the application is told it, with the reason."""
    if code == 1014:
        fails_with_wsproto(request, "wsproto knows the registered codes up to 1013")
    notes(server, 0)
    for reason in ("", "why: ü"):
        with WebSocket(server, "/echo") as ws:
            ws.send(close(code, reason))
            ws.check_close(code)
            assert notes(server, 1) == [f"disconnect {code} {reason}"]


@pytest.mark.parametrize("code", BAD)
def test_the_client_closes_with_a_code_that_it_may_not_send(server: ServerProcess, code: int) -> None:
    """RFC 6455 sections 7.4.1 and 7.4.2: 1002."""
    with WebSocket(server, "/echo") as ws:
        ws.send(close(code))
        ws.check_failed(1002)


@rule(42)
def test_the_client_closes_without_a_code(server: ServerProcess) -> None:
    """RFC 6455 section 7.1.5: 1005, which is never sent."""
    notes(server, 0)
    with WebSocket(server, "/echo") as ws:
        ws.send(close())
        got = ws.frame()
        assert (got.opcode, got.code) in {(CLOSE, None), (CLOSE, 1000)}
        ws.check_end_of_connection()
    assert notes(server, 1) == ["disconnect 1005 "]


@pytest.mark.parametrize("chop", [False, True], ids=["whole", "in single bytes"])
def test_the_longest_reason(server: ServerProcess, chop: bool) -> None:
    """RFC 6455 section 5.5: 123 bytes."""
    notes(server, 0)
    with WebSocket(server, "/echo") as ws:
        (ws.send_single if chop else ws.send)(close(1000, "r" * 123))
        ws.check_close(1000)
    assert notes(server, 1) == ["disconnect 1000 " + "r" * 123]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(CLOSE, b"\x03"), 1002),
        (close(1000, "r" * 124), 1002),
        (close(1000, b"\xff"), 1007),
        (close(1000, b"\xed\xa0\x80"), 1007),
        (close(1000, b"r" * 120 + b"\xe2\x82"), 1007),
    ],
    ids=["half a code", "too long", "no text", "surrogate", "unfinished text"],
)
def test_a_close_frame_that_is_not_well_formed(server: ServerProcess, sent: bytes, code: int) -> None:
    """RFC 6455 sections 5.5.1 and 8.1. What came before is answered."""
    with WebSocket(server, "/echo") as ws:
        ws.send(frame(TEXT, b"before") + sent)
        ws.check_message(TEXT, b"before")
        ws.check_failed(code)


@pytest.mark.parametrize(
    "after",
    [
        frame(TEXT, b"after"),
        frame(PING, b"after"),
        close(1001),
        frame(TEXT, b"after", key=None),
        frame(3, b"after", rsv=7),
        head(BINARY, 1 << 40),
        b"\xff" * 1000,
    ],
    ids=["text", "ping", "close", "unmasked", "reserved", "a head", "rubbish"],
)
def test_whatever_follows_a_close_is_ignored(server: ServerProcess, after: bytes) -> None:
    """RFC 6455 section 5.5.1: in the same packet."""
    notes(server, 0)
    with WebSocket(server, "/echo") as ws:
        ws.send(frame(TEXT, b"before") + close(4000, "bye") + after)
        ws.check_message(TEXT, b"before")
        ws.check_close(4000)
    assert notes(server, 1) == ["disconnect 4000 bye"]


def test_what_the_application_sent_comes_before_the_close(server: ServerProcess) -> None:
    """RFC 6455 section 5.5.1: all answers, then the close, and nothing behind it."""
    payloads = [b"%d" % number for number in range(20)]
    with WebSocket(server, "/echo") as ws:
        ws.send(joined(frame(TEXT, payload) for payload in payloads) + close(1000))
        ws.check_echoes(TEXT, *payloads)
        ws.check_close(1000)


def test_a_client_that_shuts_down_its_side_behind_its_close(server: ServerProcess) -> None:
    """RFC 6455 section 7.1.1: it still gets the answer."""
    notes(server, 0)
    with WebSocket(server, "/echo") as ws:
        ws.send(close(4000))
        ws.socket.shutdown(socket.SHUT_WR)
        assert ws.frame() == Frame(CLOSE, (4000).to_bytes(2, "big"))
        ws.check_end_of_connection()
    assert notes(server, 1) == ["disconnect 4000 "]


def test_the_server_is_the_first_to_end_the_connection(server: ServerProcess) -> None:
    """RFC 6455 section 7.1.1: at once, in order, and not after a time."""
    with WebSocket(server, "/echo") as ws:
        ws.send(close(1000))
        assert ws.frame().code == 1000
        assert ws.socket.recv(1) == b""


@pytest.mark.parametrize("sent", [b"", frame(TEXT, b"a", is_final=False), head(TEXT, 9), b"\x81"])
@pytest.mark.parametrize("how", ["fin", "rst"])
@rule(42)
def test_a_client_that_is_lost(server: ServerProcess, sent: bytes, how: str) -> None:
    """RFC 6455 section 7.1.5: 1006, whatever was under way."""
    notes(server, 0)
    with WebSocket(server, "/echo") as ws:
        ws.check_open()
        ws.send(sent)
        if how == "rst":
            will_reset(ws)
    assert notes(server, 1) == ["disconnect 1006 "]


# -- the application closes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [("", 1000, ""), ("code=4001", 4001, ""), ("code=3000&reason=w%C3%BC", 3000, "wü")],
)
@rule(43)
def test_the_application_closes(server: ServerProcess, query: str, code: int, reason: str) -> None:
    """ASGI: close. Then receive() tells its own code, again and again."""
    notes(server, 0)
    with WebSocket(server, f"/close?{query}") as ws:
        ws.check_close(code, reason)
    told = f"disconnect {code} {reason}"
    assert notes(server, 3) == [told, told, told]


def test_messages_that_crossed_with_a_close_are_ignored(server: ServerProcess) -> None:
    """RFC 6455 section 5.5.1: the client had not seen it."""
    notes(server, 0)
    with WebSocket(server, "/close?code=4001") as ws:
        ws.send(joined(frame(TEXT, b"x" * 1000) for _ in range(20)) + frame(PING))
        ws.check_close(4001)
    assert notes(server, 3) == ["disconnect 4001 "] * 3


def test_closes_that_crossed(server: ServerProcess) -> None:
    """RFC 6455 section 7.1.5: each side has said it, so that is the end."""
    notes(server, 0)
    with WebSocket(server, "/close?code=4001", early=close(4002, "mine")) as ws:
        got = ws.frame()
        assert (got.opcode, got.code in {4001, 4002}) == (CLOSE, True)
        ws.check_end_of_connection()
    assert len(notes(server, 3)) == 3


@pytest.mark.parametrize("sent", [b"", frame(TEXT, b"deaf"), head(BINARY, 500) + masked(b"part")])
def test_a_client_that_does_not_answer_a_close(server: ServerProcess, sent: bytes) -> None:
    """RFC 6455 section 7.1.1: --ws-close-timeout."""
    begun = time.monotonic()  # the server closes at once, whenever this thread goes on
    with WebSocket(server, "/close?code=4001") as ws:
        assert ws.frame().code == 4001
        ws.send(sent)
        ws.check_end_of_connection()
        assert time.monotonic() - begun > CLOSE_TIMEOUT / 2, "it had no time to answer"


def test_a_client_that_does_not_stop_is_left_all_the_same(server: ServerProcess) -> None:
    """RFC 6455 section 7.1.1: the time does not begin again with each frame."""
    with WebSocket(server, "/close?code=4001") as ws:
        assert ws.frame().code == 4001
        deadline = time.monotonic() + 30 * FACTOR
        try:
            while not select.select([ws.socket], [], [], 0.01)[0]:
                ws.send(frame(PONG))
                assert time.monotonic() < deadline
            assert ws.socket.recv(1) == b""
        except ConnectionError:
            pass


@pytest.mark.parametrize("sent", [b"", frame(3), frame(TEXT, b"\xff")])
def test_a_client_that_does_not_answer_that_it_failed(server: ServerProcess, sent: bytes) -> None:
    """RFC 6455 section 7.1.7: nobody waits for it for ever."""
    with WebSocket(server, "/close?code=1008" if not sent else "/echo") as ws:
        ws.send(sent)
        assert ws.frame().opcode == CLOSE
        ws.check_end_of_connection()


@pytest.mark.parametrize("violation", [frame(3), frame(TEXT, b"\xff"), frame(TEXT, b"a", key=None)])
def test_what_the_application_is_told_of_a_violation(server: ServerProcess, violation: bytes) -> None:
    """RFC 6455 section 7.1.5: that the WebSocket ended, and not that all was well."""
    notes(server, 0)
    with WebSocket(server, "/echo") as ws:
        ws.send(violation)
        code = ws.frame().code
    [told] = notes(server, 1)
    assert told.split()[:2] in (["disconnect", "1006"], ["disconnect", str(code)])
