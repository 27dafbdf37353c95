"""Bodies on their way: disconnects, streams, and that neither side can make a worker hoard memory."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Connection
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import FACTOR, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
LARGE = 64 * MIB
BOUND = 8 * MIB  #: what such a body may cost a worker; far less than the body, far more than its buffers
SILENCE = 0.5 * FACTOR  #: seconds without progress that tell that a side is being held back


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(BASIC, "--timeout-keep-alive", "600", "--timeout-request-head", "600") as running:
        yield running


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as opened:
        yield opened


def peak(pid: int) -> int:
    """The most memory the process ever had, in bytes (VmHWM of proc_pid_status(5))."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_a_client_that_leaves_is_noticed(server: ServerProcess, gate: Gate) -> None:
    """The application that waits in receive() gets http.disconnect."""
    with server.connect() as client:
        client.send_get(f"/watch?gate={gate.port}")
        visitor = gate.wait_visitor()
        assert visitor.wait_word() == "http.request"
    assert visitor.wait_word() == "http.disconnect"
    assert visitor.wait_word() == ""
    assert server.get().status == 200


def test_an_application_may_end_when_the_client_left(server: ServerProcess, gate: Gate) -> None:
    """Returning without a response after http.disconnect is right, and no error."""
    mark = server.mark()
    with server.connect() as client:
        client.send_get(f"/watch?gate={gate.port}")
        visitor = gate.wait_visitor()
        visitor.wait_word()
    visitor.wait_end()
    assert server.get().status == 200
    assert not server.stderr.matches("ERROR|Traceback", mark)


def test_a_client_that_leaves_in_the_middle_of_its_upload_is_noticed(
    server: ServerProcess, gate: Gate
) -> None:
    """The application gets what was sent, and then http.disconnect instead of the rest."""
    with server.connect() as client:
        client.send(b"POST /watch?gate=%d HTTP/1.1\r\nHost: test\r\n" % gate.port)
        client.send(b"Content-Length: 100\r\n\r\n0123456789")
        visitor = gate.wait_visitor()
        assert visitor.wait_word() == "http.request"
    assert visitor.wait_word() == "http.disconnect"
    assert visitor.wait_word() == ""


def test_a_client_that_only_stops_sending_gets_its_response(server: ServerProcess, gate: Gate) -> None:
    """Shutting down one's own side after the request, as nc -N does, is not leaving."""
    with server.connect() as client:
        client.send_get(f"/hold?gate={gate.port}")
        client.socket.shutdown(socket.SHUT_WR)
        gate.wait_visitor().let_pass()
        assert client.read_response().text == "held"
        assert client.read_until_end() == b""


def test_a_client_that_waits_for_100_continue_gets_it(server: ServerProcess) -> None:
    """It comes when the application asks for the body, and once."""
    with server.connect() as client:
        client.send(b"POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n")
        client.send(b"Expect: 100-continue\r\n\r\n")
        assert client.read_exactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"12345")
        assert client.read_response().text == "5"


def test_a_stream_is_chunked(server: ServerProcess) -> None:
    """A body of unknown length goes out piece by piece, and the connection can be used again."""
    with server.connect() as client:
        answer = client.get("/stream?pieces=4")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in answer.headers
        assert answer.chunks == [b"0,", b"1,", b"2,", b"3,"]
        assert client.get().text == "basic"


def test_a_stream_to_an_old_client_ends_with_the_connection(server: ServerProcess) -> None:
    """HTTP/1.0 knows no chunks."""
    with server.connect() as client:
        client.send(b"GET /stream?pieces=4 HTTP/1.0\r\n\r\n")
        answer = client.read_response()
        assert "transfer-encoding" not in answer.headers
        assert answer.text == "0,1,2,3,"


def test_pieces_arrive_before_the_response_is_complete(server: ServerProcess, gate: Gate) -> None:
    """The first piece is not held back until the last is there."""
    with server.connect() as client:
        client.send_get(f"/stream?pieces=100000&size=1024&gate={gate.port}")
        gate.wait_visitor()
        assert b"\r\n0,...." in client.socket.recv(65536)


def test_pipelined_requests_are_answered_in_order(server: ServerProcess) -> None:
    """Three requests in one packet, the first of which is a stream, get three responses."""
    with server.connect() as client:
        targets = ["/stream?pieces=3", "/?second", "/?third"]
        client.send(b"".join(b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % t.encode() for t in targets))
        assert client.read_response().text == "0,1,2,"
        assert client.read_response().headers["x-query"] == "second"
        assert client.read_response().headers["x-query"] == "third"


def test_a_large_upload_arrives_whole(server: ServerProcess) -> None:
    """An application that reads gets every byte, and the worker never holds more than a part of them."""
    with server.connect() as client:
        pid = client.get().pid
        before = peak(pid)
        client.send(b"POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // MIB):
            client.send(bytes(MIB))
        assert client.read_response().text == str(LARGE)
        assert client.get().status == 200
        assert peak(pid) - before < BOUND


def test_an_upload_that_nobody_reads_is_not_taken_in(server: ServerProcess, gate: Gate) -> None:
    """The client has to wait, memory does not grow, and the response still reaches it."""
    with server.connect() as client:
        pid = client.get().pid
        before = peak(pid)
        client.send(b"POST /hold?gate=%d HTTP/1.1\r\nHost: test\r\n" % gate.port)
        client.send(b"Content-Length: %d\r\n\r\n" % LARGE)
        visitor = gate.wait_visitor()
        sent = send_until_blocked(client, LARGE)
        assert sent < LARGE / 2, "the kernel's buffers alone cannot hold this"
        assert peak(pid) - before < BOUND
        visitor.let_pass()
        answer = client.read_response()
        assert (answer.text, answer.pid) == ("held", pid)
    assert server.get().pid == pid


def send_until_blocked(client: Connection, size: int) -> int:
    """Send until the other side takes nothing more, and return how much it took."""
    client.socket.settimeout(SILENCE)
    sent = 0
    try:
        while sent < size:
            sent += client.socket.send(bytes(min(MIB, size - sent)))
    except TimeoutError:
        pass
    finally:
        client.socket.settimeout(None)
    return sent


def test_a_slow_reader_makes_the_application_wait(server: ServerProcess, gate: Gate) -> None:
    """A stream of 64 MiB stops when the client does, memory does not grow, and all of it arrives later."""
    pieces, size = 1024, 64 * 1024
    with Connection(("127.0.0.1", server.port), receive_buffer=64 * 1024) as client:
        pid = client.get().pid
        before = peak(pid)
        client.send_get(f"/stream?pieces={pieces}&size={size}&gate={gate.port}")
        visitor = gate.wait_visitor()
        made = list(visitor.words_until_silent(SILENCE))
        assert len(made) < pieces / 2, "the application was not held back"
        answer = client.read_response()
        assert len(answer.body) == pieces * size
        assert answer.body[-size:].startswith(b"1023,....")
        assert peak(pid) - before < BOUND


def test_a_client_that_leaves_in_the_middle_of_a_stream_ends_it(server: ServerProcess, gate: Gate) -> None:
    """The application that waits in send() is woken with an error, and the worker goes on."""
    mark = server.mark()
    with Connection(("127.0.0.1", server.port), receive_buffer=64 * 1024) as client:
        client.send_get(f"/stream?pieces=1024&size=65536&gate={gate.port}")
        visitor = gate.wait_visitor()
        made = list(visitor.words_until_silent(SILENCE))
    visitor.wait_end()
    assert len(made) < 1024
    assert server.get().status == 200
    assert not server.stderr.matches("ERROR|Traceback", mark)
