"""What each proxy, as the samples have it, passes on of requests and answers; over TCP and Unix sockets."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.connections import reset
from tests.support.front_programs import NAMES, front
from tests.support.front_proxy import program
from tests.support.proxy_header import MIRROR
from tests.support.proxy_traffic import request
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.front_proxy import FrontProxy

pytestmark = pytest.mark.system

TRUSTED = ("--forwarded-allow-ips", "127.0.0.1,unix")
LIMITS = ("--limit-request-head-size", "12k", "--limit-request-body-size", "1m")
Setup = tuple[ServerProcess, "FrontProxy"]


@pytest.fixture(
    scope="module", params=[(name, bind) for name in NAMES for bind in ("tcp", "unix")], ids="-".join
)
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    name, kind = request.param
    program(name)
    folder = tmp_path_factory.mktemp(name)
    bind = "127.0.0.1:0" if kind == "tcp" else f"unix:{folder}/s"
    with ServerProcess(MIRROR, *TRUSTED, *LIMITS, bind=bind) as server, front(name, server, folder) as proxy:
        proxy.wait_status(200)
        yield server, proxy


def sockets(pid: int) -> set[str]:
    """Return the sockets of a process; the kernel gives none of its numbers twice while a test runs."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(str(link.readlink()))
    return {name for name in found if name.startswith("socket:")}


def test_connections_to_the_server_are_kept(setup: Setup) -> None:
    """Of fifty clients, one after another, the worker sees the same connection."""
    server, proxy = setup
    [worker] = server.workers()
    with proxy.connect() as client:
        client.get()
    before = sockets(worker)
    for _ in range(50):
        with proxy.connect() as client:
            assert client.get().status == 200
    assert len(sockets(worker) - before) <= 1  # HAProxy's check may have one


def test_a_body_that_is_too_large(setup: Setup) -> None:
    """413 comes from srvctl: the samples let its limit decide. Clients may be told while they send."""
    _, proxy = setup
    with proxy.connect() as client:
        with contextlib.suppress(ConnectionError):
            client.send(request("POST", b"x" * 3_000_000, path="/stream/digest"))
        assert client.read_response().status == 413


def test_a_head_that_is_too_large(setup: Setup) -> None:
    """What the proxy takes and srvctl does not; and what both take."""
    _, proxy = setup
    with proxy.connect() as client:
        assert client.get("/", f"Cookie: {'x' * 9_000}").status == 200
    with proxy.connect() as client:
        assert client.get("/", f"Cookie: {'x' * 13_000}").status == 431


def test_a_response_head_that_is_large(setup: Setup) -> None:
    _, proxy = setup
    with proxy.connect() as client:
        assert client.get("/long").headers["x-long"] == "x" * 12_000


def test_a_chunked_upload(setup: Setup) -> None:
    """Whether the proxy passes it on in pieces or as a whole: the application gets all of it."""
    _, proxy = setup
    with proxy.connect() as client:
        client.send(b"POST /digest HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(20):
            piece = b"piece %d" % number * 100
            client.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        client.send(b"0\r\n\r\n")
        whole = b"".join(b"piece %d" % number * 100 for number in range(20))
        assert client.read_response().body.startswith(b"%d " % len(whole))


def test_a_client_that_leaves_early(setup: Setup) -> None:
    """In the middle of its request, or of the response: nothing is said of it, and the worker goes on."""
    server, proxy = setup
    workers, since = server.workers(), server.mark()
    for _ in range(3):
        with proxy.connect() as client:
            client.send(b"POST /stream/digest HTTP/1.1\r\nHost: test\r\nContent-Length: 900000\r\n\r\n")
            client.send(b"x" * 300_000)
            reset(client)
        with proxy.connect() as client:
            client.send_get("/stream/bytes?size=50000000")
            assert client.socket.recv(1000)
            reset(client)
    with proxy.connect() as client:
        assert client.get().status == 200
    assert server.workers() == workers
    said = "\n".join(line.text for line in server.stderr.all[since:])
    assert not [word for word in ("ERROR", "Traceback", "WARNING") if word in said], said


def test_a_client_that_is_slow(setup: Setup) -> None:
    """Its request comes byte by byte, and it reads in small pieces: others are answered meanwhile."""
    _, proxy = setup
    with proxy.connect() as slow:
        for byte in request("POST", b"slowly"):
            slow.send(bytes([byte]))
            threading.Event().wait(0.002)
        assert slow.read_response().body.startswith(b"6 ")
        slow.send_get("/stream/bytes?size=3000000&length=1")
        with proxy.connect() as other:
            assert other.get().status == 200
        assert len(slow.read_response().body) == 3_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_is_full(name: str, tmp_path: Path) -> None:
    """503 and Retry-After come through, and no proxy takes the server for dead because of it."""
    flags = ("--limit-concurrency", "1")
    with (
        ServerProcess(BASIC, *TRUSTED, *flags, bind=f"unix:{tmp_path}/s") as server,
        front(name, server, tmp_path, {"option httpchk GET /": ""} if name == "haproxy" else {}) as proxy,
        Gate() as gate,
        proxy.connect() as first,
        proxy.connect() as second,
    ):
        first.send_get(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        for _ in range(5):
            refused = second.get()
            assert (refused.status, "retry-after" in refused.headers) == (503, True)
        visitor.let_pass()
        assert first.read_response().text == "held"
        assert second.get().status == 200
