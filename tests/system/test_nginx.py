"""nginx in front of the real server, as the sample files have it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import through_proxy
from tests.support.certificates import Authority
from tests.support.client_load import PATIENT
from tests.support.front_programs import nginx
from tests.support.front_proxy import FrontProxy, program
from tests.support.proxy_header import MIRROR, ON, read_seen
from tests.support.server import ServerProcess
from tests.support.tls_client import TlsConnection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

TRUSTED = ["--forwarded-allow-ips", "127.0.0.1,unix"]
SAMPLE, STREAM = "nginx/http.conf", "nginx/stream.conf"


@pytest.fixture(scope="module", params=["tcp", "unix"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    program("nginx")
    bind = "127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path_factory.mktemp('socket')}/s"
    with ServerProcess(MIRROR, *TRUSTED, *PATIENT, "--workers", "2", bind=bind) as running:
        yield running


@pytest.fixture(scope="module")
def front(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontProxy]:
    with nginx(server, SAMPLE, tmp_path_factory.mktemp("nginx")) as running:
        running.wait_status(200)
        yield running


def test_the_application_sees_the_client(front: FrontProxy) -> None:
    """And whom it asked for, as if there were no proxy; the port is not in X-Forwarded-For."""
    with front.connect() as client:
        told = json.loads(client.get("/path", "X_Forwarded_For: 192.0.2.1").body)
        assert (told["client"], told["scheme"], told["path"]) == (["127.0.0.1", 0], "http", "/path")
        assert ["host", "test"] in told["headers"]
        told = json.loads(client.get("/", "X-Forwarded-For: 203.0.113.7, 127.0.0.1").body)
        assert told["client"] == ["203.0.113.7", 0]


def test_connections_are_kept(tmp_path: Path) -> None:
    """Hundreds of requests come over one: who it is from is seen where nginx is not trusted."""
    with (
        ServerProcess(MIRROR, "--forwarded-allow-ips", "10.0.0.1", *PATIENT) as server,
        nginx(server, SAMPLE, tmp_path, {"keepalive_timeout 4s": "keepalive_timeout 600s"}) as front,
        front.connect() as client,
    ):
        ports = {json.loads(client.get().body)["client"][1] for _ in range(300)}
        assert len(ports) == 1


def test_large_bodies(front: FrontProxy) -> None:
    through_proxy.large_bodies_arrive(front)


def test_pieces_pass_at_once(front: FrontProxy) -> None:
    through_proxy.pieces_pass_at_once(front)


def test_websockets(front: FrontProxy) -> None:
    through_proxy.websockets_pass(front)


def test_pipelining(front: FrontProxy) -> None:
    through_proxy.pipelined_requests_are_answered_in_order(front)


def test_trailers_do_no_harm(front: FrontProxy) -> None:
    """nginx asks for none, and drops those that come."""
    with front.connect() as client:
        assert client.get("/trailers", "TE: trailers").text == "body"
        assert client.get("/trailers").text == "body"


def test_reloads_lose_nobody(front: FrontProxy, server: ServerProcess) -> None:
    through_proxy.nobody_is_lost_in_reloads(front, server)


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:{}/s"])
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_proxy_protocol_before_tls(tmp_path: Path, bind: str, loop: str) -> None:
    """The stream module passes TLS on, and the client's address before it."""
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    flags = [*ON, *TRUSTED, *pair.flags, "--loop", loop, "--workers", "2"]
    with (
        ServerProcess(MIRROR, *flags, bind=bind.format(tmp_path)) as server,
        nginx(server, STREAM, tmp_path) as front,
    ):
        for _ in range(20):
            with TlsConnection(("127.0.0.1", front.port), authority.client()) as client:
                host, port = client.socket.getsockname()
                for _ in range(2):
                    client.send_get()
                    told = read_seen(client)
                    assert (told["client"], told["scheme"]) == ([host, port], "https")
                    assert told["server"] == ["127.0.0.1", front.port]
        assert "A connection" not in server.stderr.text
