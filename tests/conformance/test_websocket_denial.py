"""WebSockets that the application does not accept, and how it says so."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.conformance.websocket_rules import rule
from tests.conformance.websocket_served import CODECS, RULED, serving
from tests.conformance.websocket_wire import opening
from tests.conformance.wire import CLOSED, Wire, notes
from tests.support.websocket_frames import TEXT, frame

if TYPE_CHECKING:
    from tests.conformance.wire import Answer
    from tests.support.server import ServerProcess

server = serving(RULED, codecs=CODECS)

AFTER = ["websocket.disconnect"] * 2


def ask(server: ServerProcess, path: str, early: bytes = b"") -> Answer:
    """Return what is answered; nothing comes behind it."""
    with Wire(server) as wire:
        wire.send(opening(path) + early)
        answer = wire.answer()
        if answer.all("connection") == ["close"]:
            wire.check_end(CLOSED)
        assert wire.received == b""
        return answer


@rule(39)
def test_closing_it_instead(server: ServerProcess) -> None:
    """ASGI: close. 403; code and reason have no place in it."""
    notes(server, 0)
    assert ask(server, "/close-first").status == 403
    told = notes(server, 7)
    assert told[:2] == AFTER
    assert "accepted" not in told


@pytest.mark.parametrize("query", ["length=6", ""], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("status", [401, 404, 302, 200, 503])
@rule(39)
def test_any_response(server: ServerProcess, status: int, query: str) -> None:
    """ASGI: websocket.http.response; in several pieces."""
    notes(server, 0)
    answer = ask(server, f"/deny?status={status}&{query}")
    assert (answer.status, answer.body) == (status, b"denied")
    assert (answer.all("x-why"), answer.all("www-authenticate")) == (["because"], ["Basic"])
    assert (answer.all("transfer-encoding") == []) == bool(query)
    assert answer.all("sec-websocket-accept") == []
    assert answer.all("upgrade") == []
    told = notes(server, 7)
    assert told[:2] == AFTER
    assert "accepted" not in told


def test_accept_inside_a_response(server: ServerProcess) -> None:
    """ASGI: websocket.http.response. It is too late; the response goes on."""
    notes(server, 0)
    answer = ask(server, "/deny?accepts=1")
    assert (answer.status, answer.body) == (401, b"denied")
    assert notes(server, 8)[0] == "RuntimeError"


@pytest.mark.parametrize("query", ["length=5", "length=7"])
def test_a_response_of_another_length(server: ServerProcess, query: str) -> None:
    """RFC 9112 section 8: visibly cut off, and never more than its length."""
    with Wire(server) as wire:
        wire.send(opening(f"/deny?{query}"))
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while data := wire.socket.recv(65536):
                received += data
        assert b"denied" not in received or query == "length=7"


@pytest.mark.parametrize("query", ["raises=1", "returns=1"])
@rule(40)
def test_a_response_that_is_not_given(server: ServerProcess, query: str) -> None:
    """ASGI: websocket.http.response. 500, or visibly cut off."""
    with Wire(server) as wire:
        wire.send(opening(f"/deny?{query}"))
        try:
            assert wire.answer().status == 500
        except ConnectionResetError:
            assert not wire.received.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("query", ["name=x&value=a%0D%0Ax-evil:%201", "name=x%0D%0Ax-evil"])
def test_headers_that_would_split_the_response(server: ServerProcess, query: str) -> None:
    """RFC 9110 section 5.5: 500, and none of it."""
    answer = ask(server, f"/deny?{query}")
    assert (answer.status, answer.all("x-evil"), answer.all("x-why")) == (500, [], [])


@pytest.mark.parametrize("path", ["/returns-first", "/raises-first"])
@rule(40)
def test_no_decision(server: ServerProcess, path: str) -> None:
    """ASGI: an application that fails is answered for."""
    assert ask(server, path).status == 500


@pytest.mark.parametrize(
    "path", ["/close-first", "/deny?length=6", "/deny", "/returns-first", "/raises-first"]
)
def test_what_was_meant_for_the_websocket_is_no_request(server: ServerProcess, path: str) -> None:
    """RFC 9112 section 9.3: a client that was denied may have sent a frame that looks like one."""
    smuggled = frame(TEXT, b"GET /ok HTTP/1.1\r\nHost: h\r\n\r\n", key=b"\0\0\0\0")
    for early in (smuggled, smuggled[6:]):
        with Wire(server) as wire:
            wire.send(opening(path) + early)
            assert wire.answer().status in {401, 403, 500}
            with contextlib.suppress(ConnectionResetError):
                rest = wire.rest()
                assert not rest.startswith(b"HTTP/1.1 2"), rest
