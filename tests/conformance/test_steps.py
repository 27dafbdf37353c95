"""HTTP/1.1 and ASGI where a case takes more than one step."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.conformance.cases import get, post
from tests.conformance.rules import rule
from tests.conformance.wire import CLOSED, OPEN, PROBE, Wire, notes

if TYPE_CHECKING:
    from tests.support.server import ServerProcess


@pytest.mark.parametrize("path", ["/short-stream", "/long-stream", "/raises-in-stream", "/returns-in-stream"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@rule(5, 6, 10, 11)
def test_a_response_that_cannot_be_completed_is_visibly_cut_off(
    server: ServerProcess, path: str, version: str
) -> None:
    """RFC 9112 section 8: never more than its length, and never the end that a whole one has."""
    with Wire(server) as wire:
        wire.send(get(path, version=version))
        received = b""
        try:
            while data := wire.socket.recv(65536):
                received += data
            was_reset = False
        except ConnectionResetError:
            was_reset = True
        assert b"abc" not in received
        assert not received.endswith(b"0\r\n\r\n")
        assert was_reset, "or HTTP/1.0 would take it for the whole"


@rule(29)
def test_100_continue_is_sent_when_the_application_reads(server: ServerProcess) -> None:
    """RFC 9110 section 10.1.1."""
    with Wire(server) as wire:
        begun = time.monotonic()
        wire.send(post("Expect: 100-continue", "Content-Length: 3", path="/late"))
        assert wire.answer().status == 100
        assert time.monotonic() - begun > 0.025, "before it read"  # its loop counts whole milliseconds
        wire.send(b"abc")
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"3")
        wire.check_end(OPEN)


@pytest.mark.parametrize("path", ["/ok", "/raises"])
@rule(29)
def test_no_100_continue_when_it_does_not(server: ServerProcess, path: str) -> None:
    """RFC 9110 section 10.1.1: the final answer at once, and a connection on which no body can be missed."""
    with Wire(server) as wire:
        wire.send(post("Expect: 100-continue", "Content-Length: 3", path=path))
        answer = wire.answer()
        assert answer.status in {200, 500}
        assert answer.all("connection") == ["close"]
        wire.check_end(CLOSED)


@rule(30)
def test_a_large_unread_body_ends_the_connection_and_not_the_answer(server: ServerProcess) -> None:
    """RFC 9112 section 9.6: the client gets the whole answer, however much it goes on sending."""
    size = 4_000_000
    with Wire(server) as wire:
        wire.send(post(f"Content-Length: {size}", path="/ok"))
        with contextlib.suppress(ConnectionError):
            for _ in range(size // 100_000):
                wire.send(b"x" * 100_000)
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"ok")
        with contextlib.suppress(ConnectionResetError):
            assert wire.rest() == b""


@pytest.mark.parametrize("rest", [b"", get("/slow")], ids=["one", "two"])
@rule(31)
def test_a_client_that_shut_down_its_side_gets_its_answers(server: ServerProcess, rest: bytes) -> None:
    """RFC 9112 section 9.6: half-closed is not gone."""
    with Wire(server) as wire:
        wire.send(get("/slow") + rest)
        wire.socket.shutdown(socket.SHUT_WR)
        for _ in range(2 if rest else 1):
            answer = wire.answer()
            assert (answer.status, answer.body) == (200, b"ok")
        wire.check_end(CLOSED)


def test_a_client_that_shut_down_its_side_inside_a_request(server: ServerProcess) -> None:
    """RFC 9112 section 8: an incomplete request is not answered as if it were whole."""
    for sent in (b"GET /ok HTT", get("/ok")[:-2], post("Content-Length: 5", body=b"abc")):
        with Wire(server) as wire:
            wire.send(sent)
            wire.socket.shutdown(socket.SHUT_WR)
            assert not wire.rest().startswith(b"HTTP/1.1 2")


@rule(15, 18)
def test_receive_and_send_after_the_response(server: ServerProcess) -> None:
    """ASGI: disconnect, repeatedly; sending is an error."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(get("/after-end"))
        assert wire.answer().body == b"ok"
        assert notes(server, 3) == ["http.disconnect", "http.disconnect", "send raised"]
        wire.check_end(OPEN)


@pytest.mark.parametrize("size", [0, 3, 300_000])
@rule(32)
def test_a_client_that_leaves_is_noticed_at_once(server: ServerProcess, size: int) -> None:
    """ASGI: http.disconnect, also behind a large body."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(post(f"Content-Length: {size}", path="/watch", body=b"x" * size))
        time.sleep(0.1)
    assert notes(server, 1) == ["http.disconnect"]


@rule(32)
def test_a_client_that_pipelines_and_leaves_is_noticed(server: ServerProcess) -> None:
    """ASGI: http.disconnect."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(get("/watch") + get("/ok"))
    assert notes(server, 1) == ["http.disconnect"]


@rule(16)
def test_sending_to_a_client_that_left_raises(server: ServerProcess) -> None:
    """ASGI HTTP spec 2.4: an OSError."""
    notes(server, 0)
    with Wire(server) as wire:
        wire.send(get("/for-ever"))
        wire.take(1000)
    assert notes(server, 1) == ["OSError: True"]


@rule(33)
def test_state_is_copied_for_each_request_and_its_objects_are_shared(server: ServerProcess) -> None:
    """ASGI lifespan: a shallow copy."""
    seen = []
    with Wire(server) as wire:
        for _ in range(3):
            wire.send(get("/state"))
            seen.append(wire.answer().json)
    assert [mine for mine, _ in seen] == [None] * 3
    assert [len(pool) for _, pool in seen] == [len(seen[0][1]) + number for number in range(3)]


def test_the_next_request_has_its_own_host(server: ServerProcess) -> None:
    """RFC 9112 section 3.2.2: an authority does not outlive its request."""
    with Wire(server) as wire:
        for target in ("http://evil/echo", "/echo", "/echo", "http://evil/echo", "/echo"):
            wire.send(get(target))
            host = "evil" if target.startswith("http") else "h"
            assert wire.answer().json["headers"] == [["host", host]]


def test_a_body_that_looks_like_a_request_is_a_body(server: ServerProcess) -> None:
    """RFC 9112 section 6: however it is cut, and however alike it looks."""
    with Wire(server) as wire:
        wire.send(PROBE)
        wire.answer()
        wire.send(PROBE + PROBE + post(f"Content-Length: {len(PROBE)}"))
        time.sleep(0.05)
        wire.send(PROBE)
        assert [wire.answer().body for _ in range(2)] == [b"ok", b"ok"]
        assert wire.answer().json["body"] == PROBE.decode()
        wire.check_end(OPEN)


def test_a_slow_head_is_not_a_faulty_one(server: ServerProcess) -> None:
    """Byte by byte."""
    with Wire(server) as wire:
        for byte in get("/echo", "X: y", "Content-Length: 2", body=b"ab"):
            wire.send(bytes([byte]))
        assert wire.answer().json["body"] == "ab"
        wire.check_end(OPEN)
