"""HAProxy in front of the real server, as the sample files have it."""

from __future__ import annotations

import json
import time
from signal import SIGHUP
from typing import TYPE_CHECKING

import pytest

from tests.support import through_proxy
from tests.support.certificates import Authority
from tests.support.client_load import PATIENT
from tests.support.front_programs import haproxy
from tests.support.front_proxy import FrontProxy, program
from tests.support.proxy_header import MIRROR, ON, read_seen
from tests.support.server import ServerProcess
from tests.support.tls_client import TlsConnection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

TRUSTED = ["--forwarded-allow-ips", "127.0.0.1,unix"]
HTTP, TCP = "haproxy/http.cfg", "haproxy/tcp.cfg"
V2 = {" check inter 1s": " send-proxy-v2 check inter 1s"}


@pytest.fixture(scope="module", params=["tcp", "unix"])
def bind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    program("haproxy")
    return "127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path_factory.mktemp('socket')}/s"


@pytest.fixture(scope="module", params=["X-Forwarded-For", "PROXY protocol"])
def setup(
    request: pytest.FixtureRequest, bind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ServerProcess, FrontProxy]]:
    """The server behind HAProxy in mode http."""
    has_protocol = request.param == "PROXY protocol"
    flags = [*TRUSTED, *PATIENT, "--workers", "2", *(ON if has_protocol else [])]
    with (
        ServerProcess(MIRROR, *flags, bind=bind) as server,
        haproxy(server, HTTP, tmp_path_factory.mktemp("haproxy"), V2 if has_protocol else {}) as front,
    ):
        front.wait_status(200)
        yield server, front


@pytest.fixture
def front(setup: tuple[ServerProcess, FrontProxy]) -> FrontProxy:
    return setup[1]


def test_the_application_sees_the_client(front: FrontProxy) -> None:
    with front.connect() as client:
        told = json.loads(client.get("/path").body)
        assert (told["client"][0], told["scheme"], told["path"]) == ("127.0.0.1", "http", "/path")
        assert ["host", "test"] in told["headers"]
        told = json.loads(client.get("/", "X-Forwarded-For: 203.0.113.7").body)
        assert told["client"] == ["203.0.113.7", 0]


def test_large_bodies(front: FrontProxy) -> None:
    through_proxy.large_bodies_arrive(front)


def test_pieces_pass_at_once(front: FrontProxy) -> None:
    through_proxy.pieces_pass_at_once(front)


def test_websockets(front: FrontProxy) -> None:
    through_proxy.websockets_pass(front)


def test_pipelining(front: FrontProxy) -> None:
    through_proxy.pipelined_requests_are_answered_in_order(front)


def test_early_hints_pass(front: FrontProxy) -> None:
    """HAProxy passes interim responses on."""
    with front.connect() as client:
        hint = client.get("/hints", "Connection: close")
        assert (hint.status, hint.headers["link"]) == (103, "</style.css>; rel=preload; as=style")
        assert b"hinted" in client.read_until_end() or b"hinted" in hint.body


def test_reloads_lose_nobody(setup: tuple[ServerProcess, FrontProxy]) -> None:
    server, front = setup
    through_proxy.nobody_is_lost_in_reloads(front, server)


def test_checks_are_no_reason_to_complain(setup: tuple[ServerProcess, FrontProxy]) -> None:
    """They go on all the time, with headers that say LOCAL."""
    server, _ = setup
    time.sleep(1.2)
    assert "A connection" not in server.stderr.text
    assert "Traceback" not in server.stderr.text


def test_connections_are_kept(tmp_path: Path) -> None:
    """Who it is from is seen where HAProxy is not trusted."""
    with (
        ServerProcess(MIRROR, "--forwarded-allow-ips", "10.0.0.1", *PATIENT) as server,
        haproxy(server, HTTP, tmp_path, {"pool-purge-delay 2s": "pool-purge-delay 600s"}) as front,
    ):
        ports = set()
        for _ in range(100):
            with front.connect() as client:
                ports.add(json.loads(client.get().body)["client"][1])
        assert len(ports) < 5


def test_checks_see_the_server_go_and_come(tmp_path: Path) -> None:
    """HAProxy answers 503 for a server that is stopped, and asks it again once it is back."""
    bind = f"unix:{tmp_path}/s"
    with ServerProcess(MIRROR, *TRUSTED, bind=bind) as server, haproxy(server, HTTP, tmp_path) as front:
        front.wait_status(200)
        assert server.stop() == 0
        front.wait_status(503)
        with ServerProcess(MIRROR, *TRUSTED, bind=bind):
            front.wait_status(200)


def test_the_standard_header(tmp_path: Path) -> None:
    """As `option forwarded` of version 2.8 writes it."""
    fields = [flag for name in ("for", "proto", "host") for flag in ("--forwarded-fields", name)]
    written = "http-request set-header Forwarded proto=https;host=shop.example;for=203.0.113.7"
    changes = {"option forwardfor": written}
    with (
        ServerProcess(MIRROR, *TRUSTED, "--forwarded-style", "forwarded", *fields) as server,
        haproxy(server, HTTP, tmp_path, changes) as front,
        front.connect() as client,
    ):
        told = json.loads(client.get("/", "Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1").body)
        assert (told["client"], told["scheme"]) == (["203.0.113.7", 0], "https")
        assert ["host", "shop.example"] in told["headers"]


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("kind", ["send-proxy", "send-proxy-v2"])
def test_tls_passes_through(tmp_path: Path, bind: str, loop: str, kind: str) -> None:
    """And ends in srvctl, which knows the client; also through a reload."""
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    flags = [*ON, *TRUSTED, *pair.flags, "--loop", loop, "--workers", "2"]
    with (
        ServerProcess(MIRROR, *flags, bind=bind) as server,
        haproxy(server, TCP, tmp_path, {" send-proxy-v2 ": f" {kind} "}) as front,
    ):
        for number in range(40):
            if number == 10:
                server.signal(SIGHUP)
            with TlsConnection(("127.0.0.1", front.port), authority.client()) as client:
                host, port = client.socket.getsockname()
                client.send_get()
                told = read_seen(client)
                assert (told["client"], told["scheme"]) == ([host, port], "https")
                assert told["server"] == ["127.0.0.1", front.port]
        server.wait_line("Reload done")
        assert "A connection" not in server.stderr.text


def test_tls_that_ends_in_the_proxy(tmp_path: Path) -> None:
    """The header says that the client spoke it."""
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    pem = tmp_path / "haproxy.pem"
    pem.write_bytes(pair.certfile.read_bytes() + pair.keyfile.read_bytes())
    with ServerProcess(MIRROR, *ON, *TRUSTED) as server:
        changes = {
            "\n    default_backend": f" ssl crt {pem}\n    default_backend",
            "send-proxy-v2 ": "send-proxy-v2-ssl ",
        }
        with (
            haproxy(server, TCP, tmp_path, changes) as front,
            TlsConnection(("127.0.0.1", front.port), authority.client()) as client,
        ):
            client.send_get()
            told = read_seen(client)
            assert (told["client"], told["scheme"]) == ([*client.socket.getsockname()], "https")
