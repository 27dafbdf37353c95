"""What an application may send and is told, once its WebSocket is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance import test_websocket_close as closing
from tests.conformance import test_websocket_control as control
from tests.conformance import test_websocket_denial as denial
from tests.conformance import test_websocket_handshake as handshake
from tests.conformance.websocket_rules import RULES, covered, rule
from tests.conformance.websocket_served import RULED, serving
from tests.conformance.websocket_wire import WebSocket, opening, will_reset
from tests.conformance.wire import Wire, notes
from tests.support.websocket_frames import BINARY, TEXT, close, frame

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

server = serving(RULED)

__all__ = ["closing", "control", "denial", "handshake"]  # they cover rules


def test_every_rule_is_covered() -> None:
    """By a test of this module or of those above."""
    assert covered.keys() == RULES.keys()


@pytest.mark.parametrize(("path", "code"), [("/returns", 1000), ("/raises", 1011)])
def test_an_application_that_ends(server: ServerProcess, path: str, code: int) -> None:
    """ASGI: what it sent is delivered, then the WebSocket is closed: 1000, or 1011 if it failed."""
    mark = server.mark()
    with WebSocket(server, path) as ws:
        ws.check_message(TEXT, b"last")
        ws.check_close(code)
    if code == 1011:  # the next test reads the log: what this one leaves there has arrived
        server.wait_line("ValueError", since=mark)


def test_a_failure_is_logged_and_a_leaving_client_is_not(server: ServerProcess) -> None:
    """An operator reads of what is wrong, and only of that."""
    mark = server.mark()
    with WebSocket(server, "/echo") as ws:
        ws.check_open()
    with WebSocket(server, "/raises") as ws:
        ws.check_message(TEXT, b"last")
        ws.check_close(1011)
    server.wait_line("ValueError", since=mark)
    written = "\n".join(line.text for line in server.stderr.all[mark:])
    assert written.count("Traceback") == 1, written


def test_the_kinds_of_messages(server: ServerProcess) -> None:
    """ASGI: receive and send. Exactly one of bytes and text, also where it is empty."""
    notes(server, 0)
    with WebSocket(server, "/kinds") as ws:
        ws.send(frame(TEXT) + frame(BINARY))
        ws.check_message(TEXT, b"")
        ws.check_echoes(BINARY, b"", b"array", b"view")
        assert notes(server, 2) == ["text", "bytes"]
        ws.check_open()


@pytest.mark.parametrize("how", ["close", "fin", "rst"])
@rule(17, 42)
def test_sending_to_a_client_that_left(server: ServerProcess, how: str) -> None:
    """ASGI WebSocket spec 2.4: an OSError; and receive() goes on to tell of the end."""
    notes(server, 0)
    with WebSocket(server, "/send-after-end") as ws:
        if how == "close":
            ws.send(close(4000, "bye"))
            ws.check_close(4000)
        elif how == "rst":
            will_reset(ws)
    end = "disconnect 4000 bye" if how == "close" else "disconnect 1006 "
    told = notes(server, 5)
    assert told[:3] == [end, "OSError", "OSError"]
    assert told[3] != "accepted"
    assert told[4] == end


@pytest.mark.parametrize("how", ["fin", "rst"])
@rule(17)
def test_an_application_that_only_sends_learns_it_too(server: ServerProcess, how: str) -> None:
    """ASGI WebSocket spec 2.4: an OSError."""
    notes(server, 0)
    with WebSocket(server, "/send-for-ever") as ws:
        ws.take(100_000)
        if how == "rst":
            will_reset(ws)
    assert notes(server, 1) == ["OSError"]


def test_sending_after_closing(server: ServerProcess) -> None:
    """ASGI: close. An error of the application, whatever it sends."""
    notes(server, 0)
    with WebSocket(server, "/send-after-close") as ws:
        ws.check_close(1000)
    assert notes(server, 3) == ["RuntimeError"] * 3


def test_messages_that_may_not_come_first(server: ServerProcess) -> None:
    """ASGI: only accept, close and the start of a response."""
    notes(server, 0)
    with WebSocket(server, "/wrong-first") as ws:
        assert notes(server, 5) == ["RuntimeError"] * 5
        ws.check_open()


def test_messages_that_may_not_come_later(server: ServerProcess) -> None:
    """ASGI: only send and close; a send has something to send, a close a code that can be sent."""
    notes(server, 0)
    with WebSocket(server, "/wrong-later") as ws:
        ws.check_message(TEXT, b"unharmed")
        told = notes(server, 8)
        assert "accepted" not in told
        assert "OSError" not in told
        ws.check_open()


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_client_that_does_not_wait_for_the_decision(server: ServerProcess, how: str) -> None:
    """ASGI: disconnect. 1006; accepting then is no use."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(opening("/wait"))
        if how == "rst":
            will_reset(wire)
    told = notes(server, 2)
    assert told[0] == "disconnect 1006 "
    assert told[1] != "accepted"


@rule(44)
def test_a_violation_is_named(server: ServerProcess) -> None:
    """RFC 6455 section 7.4.1."""
    for sent, code in ((frame(3), 1002), (frame(TEXT, b"\xff"), 1007), (frame(TEXT, b"a", key=None), 1002)):
        with WebSocket(server, "/echo") as ws:
            ws.send(sent)
            ws.check_failed(code)
