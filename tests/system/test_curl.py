"""curl against the real server: what people try first, and what it does that browsers do not."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.front_proxy import program
from tests.support.proxy_header import MIRROR, ON
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

BODY = bytes(range(256)) * 20_000  # 5 MB
DIGEST = f"{len(BODY)} {hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture(scope="module", params=["httptools", "h11"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    program("curl")
    # Clients that keep a connection must not find it closed because the machine is slow.
    with ServerProcess(MIRROR, "--http", request.param, "--timeout-keep-alive", "60s") as running:
        yield running


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("curl") / "body"
    file.write_bytes(BODY)
    return str(file)


def curl(*args: str) -> tuple[str, str]:
    """Run curl, which must succeed; return what it wrote and what it did (-v)."""
    done = subprocess.run(
        [program("curl"), "-q", "-sSv", "--max-time", str(int(PATIENCE)), "--noproxy", "*", *args],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_get(server: ServerProcess) -> None:
    said, did = curl(f"{server.url}/path?q=1")
    assert json.loads(said)["path"] == "/path"
    assert "< HTTP/1.1 200 OK" in did
    assert "left intact" in did


def test_an_upload_that_waits_for_100_continue(server: ServerProcess, upload: str) -> None:
    """RFC 9110 section 10.1.1; curl would send the body after a second without an answer, too.

    Here it would wait for longer than it may take.
    """
    flags = ["-H", "Expect: 100-continue", "--expect100-timeout", "600", "--data-binary", f"@{upload}"]
    said, did = curl(*flags, f"{server.url}/digest")
    assert said == DIGEST
    assert "< HTTP/1.1 100 Continue" in did


def test_a_chunked_upload(server: ServerProcess, upload: str) -> None:
    flags = ["-H", "Transfer-Encoding: chunked", "-H", "Expect:", "--data-binary", f"@{upload}"]
    said, did = curl(*flags, f"{server.url}/digest")
    assert said == DIGEST
    assert "> Transfer-Encoding: chunked" in did


def test_an_upload_that_nobody_reads(server: ServerProcess, upload: str) -> None:
    """The answer comes all the same."""
    said, _ = curl("-H", "Expect:", "--data-binary", f"@{upload}", f"{server.url}/")
    assert json.loads(said)["method"] == "POST"


def test_http_1_0(server: ServerProcess, upload: str) -> None:
    """No chunks, and the connection ends with the response; unless it has a length and the client asks."""
    said, did = curl("--http1.0", f"{server.url}/bytes?size=100000")
    assert len(said.encode("utf-8", "surrogateescape")) >= 100_000
    assert "chunked" not in did
    assert "Closing connection" in did
    said, _ = curl("--http1.0", "--data-binary", f"@{upload}", f"{server.url}/digest")
    assert said == DIGEST
    _, did = curl("--http1.0", "-H", "Connection: keep-alive", f"{server.url}/", f"{server.url}/")
    assert "Re-using existing connection" in did


def test_head(server: ServerProcess) -> None:
    """The length is told, the body is not sent, and the connection goes on."""
    said, did = curl("--head", f"{server.url}/bytes?size=5&length=1", f"{server.url}/")
    assert "content-length: 5" in said
    assert "Re-using existing connection" in did


def test_the_connection_is_used_again(server: ServerProcess) -> None:
    _, did = curl(
        f"{server.url}/", f"{server.url}/echo", "-d", "x", f"{server.url}/bytes?size=70000", "-o", "-"
    )
    assert did.count("Re-using existing connection") == 2


def test_hints_and_trailers(server: ServerProcess) -> None:
    """Interim responses and trailers are for clients of HTTP/1.1, the latter for those that ask."""
    said, _ = curl("-i", f"{server.url}/hints", "-H", "TE: trailers", f"{server.url}/trailers")
    assert said.startswith("HTTP/1.1 103 Early Hints")
    assert "hinted" in said
    assert said.endswith("bodyx-after: all\n")
    said, _ = curl("-i", "--http1.0", f"{server.url}/hints", "-H", "TE: trailers", f"{server.url}/trailers")
    assert "103" not in said
    assert said.endswith("body")


def test_cookies(server: ServerProcess, tmp_path: Path) -> None:
    jar = str(tmp_path / "jar")
    curl("-c", jar, f"{server.url}/cookies")
    said, _ = curl("-b", jar, f"{server.url}/cookies")
    assert sorted(said.split("; ")) == ["a=1", "b=2"]


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:{}/s"])
def test_the_proxy_protocol(tmp_path: Path, bind: str) -> None:
    """curl sends version 1 by itself; of a Unix socket it says UNKNOWN."""
    flags = [*ON, "--forwarded-allow-ips", "127.0.0.1,unix"]
    with ServerProcess(MIRROR, *flags, bind=bind.format(tmp_path)) as server:
        where = ["--unix-socket", server.path, "http://test/"] if server.path else [f"{server.url}/"]
        said, did = curl("--haproxy-protocol", *where, "-w", "\n%{local_port}")
        seen, port = said.rsplit("\n", 1)
        client = json.loads(seen)["client"]
        assert client == (["127.0.0.1", int(port)] if not server.path else None)
        assert "HTTP/1.1 200" in did
