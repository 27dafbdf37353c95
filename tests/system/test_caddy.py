"""Caddy in front of the real server, as the sample file has it; what all proxies share is in test_proxy_*."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from signal import SIGTERM
from typing import TYPE_CHECKING

import pytest

from tests.support import through_proxy
from tests.support.front_programs import caddy
from tests.support.front_proxy import CONFIGS, FrontProxy, program
from tests.support.proxy_header import MIRROR
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

TRUSTED = ("--forwarded-allow-ips", "127.0.0.1,unix")


@pytest.fixture(scope="module", params=["tcp", "unix"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    program("caddy")
    bind = "127.0.0.1:0" if request.param == "tcp" else f"unix:{tmp_path_factory.mktemp('socket')}/s"
    with ServerProcess(MIRROR, *TRUSTED, "--workers", "2", bind=bind) as running:
        yield running


@pytest.fixture(scope="module")
def front(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontProxy]:
    with caddy(server, tmp_path_factory.mktemp("caddy")) as running:
        running.wait_status(200)
        yield running


def test_the_application_sees_the_client(front: FrontProxy) -> None:
    """And whom it asked for; what the client claims of itself is dropped by Caddy."""
    with front.connect() as client:
        told = json.loads(client.get("/path", "X-Forwarded-For: 203.0.113.7").body)
    assert (told["client"], told["scheme"], told["path"]) == (["127.0.0.1", 0], "http", "/path")
    assert ["host", "test"] in told["headers"]


def test_large_bodies(front: FrontProxy) -> None:
    through_proxy.large_bodies_arrive(front)


def test_pieces_of_a_response_pass_at_once(front: FrontProxy) -> None:
    """Caddy 2.6 reads a request to its end first: no client may wait for an answer to a part of it."""
    with front.connect() as client:
        client.send(b"POST /stream/duet HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nword")
        assert b"".join(client.stream()) == b"heard word"


def test_websockets(front: FrontProxy) -> None:
    through_proxy.websockets_pass(front)


def test_checks_of_the_console(tmp_path: Path) -> None:
    """As the comment of the sample has them: Caddy sends nothing more before the server goes."""
    flags = (*TRUSTED, "--console", "127.0.0.1:0", "--drain-delay", "600s")
    with ServerProcess(MIRROR, *flags) as server, contextlib.ExitStack() as stack:
        port = server.wait_line(r"The console is at http://127\.0\.0\.1:(\d+)")[1]
        checks = f"health_uri /readyz\n\t\thealth_port {port}\n\t\thealth_interval 100ms\n\t\tlb_retries 2"
        proxy = stack.enter_context(caddy(server, tmp_path, {"lb_retries 2": checks}))
        proxy.wait_status(200)
        server.signal(SIGTERM)
        server.wait_line("accepting for 600 s")
        proxy.wait_status(503)
        assert server.get().status == 200


def test_the_sample_is_formatted_and_taken(tmp_path: Path) -> None:
    """As Caddy itself sees it, with a name and so with TLS, too."""
    command, sample = program("caddy"), CONFIGS / "caddy/Caddyfile"
    homes = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    formatted = subprocess.run(
        [command, "fmt", str(sample)], env={**os.environ, **homes}, check=False, capture_output=True
    )
    assert formatted.stdout == sample.read_bytes()
    for site in (":80 {", "shop.example {"):
        file = tmp_path / "Caddyfile"
        file.write_text(sample.read_text("utf-8").replace("\n:80 {", f"\n{site}"))
        done = subprocess.run(
            [command, "validate", "--config", str(file), "--adapter", "caddyfile"],
            env={**os.environ, **homes},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
