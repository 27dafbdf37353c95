"""Neither an application that does not read nor a client that does not makes a worker hoard memory.

Measured as the growth of its resident set, while far more waits to come in or to go out.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.client import Connection
from tests.support.connections import has_answer
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, PATIENCE, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

either_loop = pytest.mark.parametrize("server", ["uvloop", "asyncio"], indirect=True)
EXTENDED = "tests.support.apps.extended:app"
MIB = 1024 * 1024
HUGE = 5 * 1000 * MIB
BOUND = 4 * MIB  #: what one connection may cost, whatever it carries
SILENCE = 0.5 * FACTOR  #: seconds without progress that tell that a side is being held back


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    flags = ("--no-access-log", "--timeout-keep-alive", "600", "--timeout-request-head", "600")
    loop = getattr(request, "param", "uvloop")
    with ServerProcess(EXTENDED, *flags, "--loop", loop) as running:
        for _ in range(3):  # what is loaded on first use is there
            running.get("/whole?size=1000000")
        yield running


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as opened:
        yield opened


@contextlib.contextmanager
def bounded(server: ServerProcess, bound: int = BOUND) -> Iterator[None]:
    """Memory grows by no more than this, and others are answered all the same."""
    [worker] = server.workers()
    process = psutil.Process(worker)
    before = process.memory_info().rss
    yield
    assert server.get().status == 200
    grown = process.memory_info().rss - before
    assert grown < bound, f"{grown / MIB:.1f} MiB more"


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


def post(path: str, framing: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n".encode()


def send_until_blocked(client: Connection, piece: bytes, most: int = HUGE) -> int:
    """Send the piece again and again until nothing is taken any more; return how many bytes were."""
    client.socket.settimeout(SILENCE)
    sent, rest = 0, b""
    with contextlib.suppress(TimeoutError):
        while sent < most:
            rest = rest or piece
            taken = client.socket.send(rest)
            rest = rest[taken:]
            sent += taken
    client.socket.settimeout(PATIENCE)
    return sent


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        (f"Content-Length: {HUGE}", b"x" * MIB),
        ("Transfer-Encoding: chunked", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        ("Transfer-Encoding: chunked", b"1\r\nx\r\n" * 10_000),
    ],
    ids=["length", "chunks", "chunks of one byte"],
)
def test_an_upload_that_nobody_reads_waits_in_the_kernel(
    server: ServerProcess, gate: Gate, framing: str, piece: bytes
) -> None:
    """5 GB are announced; the client has to stop after a few MB, and still gets its response."""
    with server.connect() as client:
        with bounded(server):
            client.send(post(f"/hold?gate={gate.port}", framing))
            visitor = gate.wait_visitor()
            assert send_until_blocked(client, piece) < 100 * MIB
        visitor.let_pass()
        assert client.read_response().text == "held"


@either_loop
def test_an_application_that_reads_slowly_holds_its_client_back(server: ServerProcess, gate: Gate) -> None:
    """It gets every byte in the end."""
    size = 64 * MIB
    with server.connect() as client, bounded(server, 2 * BOUND):
        client.send(post(f"/later?gate={gate.port}", f"Content-Length: {size}"))
        visitor = gate.wait_visitor()
        sent = send_until_blocked(client, b"x" * MIB, size)
        assert sent < size
        visitor.let_pass()
        client.send(b"x" * (size - sent))
        assert client.read_response().text == str(size)


@either_loop
def test_a_stream_to_a_client_that_does_not_read_stops(server: ServerProcess, gate: Gate) -> None:
    """5 GB are to be sent; the application has to stop after a few MB."""
    path = f"/stream?pieces={HUGE // 65536}&size=65536&gate={gate.port}"
    with Connection(("127.0.0.1", server.port), receive_buffer=65536) as client, bounded(server):
        client.send(get(path))
        made = list(gate.wait_visitor().words_until_silent(SILENCE))
        assert len(made) * 65536 < 100 * MIB


@pytest.mark.parametrize("path", ["/", "/doze?seconds=0.01", "/whole?size=30000"])
def test_pipelined_requests_wait_in_the_kernel(server: ServerProcess, path: str) -> None:
    """Thousands, faster than they can be answered, and no answer is read."""
    with server.connect() as client, bounded(server):
        send_until_blocked(client, get(path) * 5000, 200 * MIB)
        assert not server.lines("Traceback")


def test_pipelined_requests_with_bodies_wait_in_the_kernel(server: ServerProcess, gate: Gate) -> None:
    """Each that is read does not bring in hundreds of others."""
    request = post("/doze?seconds=0.005", "Content-Length: 1") + b"x"
    with server.connect() as client, bounded(server):
        client.socket.settimeout(0)
        until = time.monotonic() + 4 * SILENCE
        rest, blob = b"", request * 5000
        while time.monotonic() < until:
            rest = rest or blob
            with contextlib.suppress(BlockingIOError):
                rest = rest[client.socket.send(rest) :]
            if has_answer(client, 0.001):
                client.socket.recv(65536)


def test_thousands_of_pipelined_requests_are_answered_in_order(server: ServerProcess) -> None:
    """By a client that reads while it sends."""
    count = 3000
    with server.connect() as client, bounded(server):
        for first in range(0, count, 500):
            client.send(b"".join(get(f"/?{number}") for number in range(first, first + 500)))
            for number in range(first, first + 500):
                assert client.read_response().headers["x-query"] == str(number)


def test_a_gigabyte_in_each_direction(server: ServerProcess) -> None:
    """At full speed: every byte is counted, and none is kept."""
    size = 1000 * MIB
    piece = memoryview(b"x" * MIB)
    with server.connect() as client, bounded(server):
        client.send(post("/count", f"Content-Length: {size}"))
        for _ in range(size // MIB):
            client.socket.sendall(piece)
        assert client.read_response().text == str(size)
    with server.connect() as client, bounded(server):
        client.send(get(f"/whole-stream?pieces={size // MIB}"))
        head = client._read_until(b"\r\n\r\n")
        assert b"content-length: %d" % size in head
        seen, rest = hashlib.sha256(client._received), size - len(client._received)
        buffer = bytearray(MIB)
        while rest and (got := client.socket.recv_into(buffer, min(rest, MIB))):
            seen.update(memoryview(buffer)[:got])
            rest -= got
        wanted = hashlib.sha256()
        for _ in range(size // MIB):
            wanted.update(piece)
        assert seen.digest() == wanted.digest()
