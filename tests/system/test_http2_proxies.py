"""HAProxy and Caddy that speak HTTP/2 with the server."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.support import through_proxy
from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.front_programs import caddy, haproxy
from tests.support.proxy_header import MIRROR
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.front_proxy import FrontProxy

pytestmark = pytest.mark.system

FLAGS: Final = ("--http2", "--workers", "2", "--forwarded-allow-ips", "127.0.0.1", *PATIENT)
NAMES: Final = ("haproxy", "caddy")
#: Its checks name no host by themselves, which only HTTP/1.0 allows (RFC 9113 section 8.3.1).
HAPROXY: Final = {
    " check inter 1s": " proto h2 check inter 1s",
    "option httpchk GET /": "option httpchk\n    http-check send meth GET uri / hdr host srvctl",
}


def front_of(name: str, server: ServerProcess, folder: Path) -> FrontProxy:
    """Run a proxy that knows beforehand what the server speaks."""
    if name == "haproxy":
        return haproxy(server, "haproxy/http.cfg", folder, HAPROXY)
    where = f"reverse_proxy 127.0.0.1:{server.port}"
    return caddy(server, folder, {where: f"reverse_proxy h2c://127.0.0.1:{server.port}"})


@pytest.mark.parametrize("name", NAMES)
def test_requests_and_bodies(name: str, tmp_path: Path) -> None:
    """The application is told of HTTP/2 and of the real client; bodies pass, large and piece by piece."""
    with ServerProcess(MIRROR, *FLAGS) as server, front_of(name, server, tmp_path) as front:
        front.wait_status(200)
        with front.connect() as client:
            told = json.loads(client.get("/path").body)
            assert (told["http_version"], told["path"], told["scheme"]) == ("2", "/path", "http")
            assert told["client"][0] == "127.0.0.1"
        through_proxy.large_bodies_arrive(front)
        if name == "haproxy":  # Caddy answers clients of HTTP/1.1 once their body is complete
            through_proxy.pieces_pass_at_once(front)


@pytest.mark.parametrize("name", NAMES)
def test_no_request_is_lost_by_reloads(name: str, tmp_path: Path) -> None:
    """The proxy understands the GOAWAY, and every client has its answer."""
    site = tmp_path / "site"
    site.mkdir()
    write_app(site, "v1")
    with (
        ServerProcess("site_app:app", *FLAGS, cwd=site) as server,
        front_of(name, server, tmp_path) as front,
    ):
        front.wait_status(200)
        with Load(("127.0.0.1", front.port)) as load:
            load.wait_answered(100, "v1")
            for number in (2, 3):
                write_app(site, f"v{number}")
                server.signal(signal.SIGHUP)
                server.wait_line(f"Reload done: generation {number} runs in 2 workers")
                load.wait_answered(100, f"v{number}")
        assert not load.lost, str(load)
