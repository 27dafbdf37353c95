"""Clients that people have, over HTTP/2: curl, nghttp, h2load and httpx."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import subprocess
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from tests.support.certificates import Authority
from tests.support.front_proxy import program
from tests.support.proxy_header import MIRROR
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

BODY: Final = bytes(range(256)) * 20_000  # 5 MB
DIGEST: Final = f"{len(BODY)} {hashlib.sha256(BODY).hexdigest()}"


#: Clients that keep a connection must not find it closed because the machine is slow.
FLAGS: Final = ("--http2", "--no-access-log", "--timeout-keep-alive", "60s")


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess(MIRROR, *FLAGS) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[ServerProcess]:
    flags = authority.issue("server", "localhost", "127.0.0.1").flags
    with ServerProcess(MIRROR, *FLAGS, *flags) as running:
        yield running


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("upload") / "body"
    file.write_bytes(BODY)
    return file


def run(name: str, *args: str) -> str:
    """Run a program, which must succeed; return what it wrote."""
    done = subprocess.run(
        [program(name), *args], capture_output=True, check=False, timeout=PATIENCE * 2, errors="replace"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl(*args: str) -> str:
    return run("curl", "-q", "-sS", "--max-time", str(int(PATIENCE)), "--noproxy", "*", *args)


class TestCurl:
    VERSION: Final = ("-w", "\n%{http_version} %{http_code} %{num_connects}")

    def test_get(self, server: ServerProcess) -> None:
        said = curl("--http2-prior-knowledge", *self.VERSION, f"{server.url}/path?q=1")
        shown, end = said.rsplit("\n", 1)
        seen = json.loads(shown)
        assert (seen["http_version"], seen["path"], end) == ("2", "/path", "2 200 1")

    def test_tls(self, secure: ServerProcess, authority: Authority) -> None:
        """ALPN: curl asks for HTTP/2 by itself, and gets HTTP/1.1 where it asks for that."""
        ca = ("--cacert", str(authority.file), f"https://localhost:{secure.port}/x")
        for flags, version in (((), "2"), (("--http2",), "2"), (("--http1.1",), "1.1")):
            shown, end = curl(*flags, *self.VERSION, *ca).rsplit("\n", 1)
            seen = json.loads(shown)
            assert (seen["http_version"], seen["scheme"]) == (version, "https")
            assert end == f"{version} 200 1"

    def test_an_upload(self, server: ServerProcess, upload: Path) -> None:
        """With a length, without one, and with Expect: 100-continue."""
        url = f"{server.url}/digest"
        assert curl("--http2-prior-knowledge", "--data-binary", f"@{upload}", url) == DIGEST
        assert curl("--http2-prior-knowledge", "-T", str(upload), url) == DIGEST
        expects = ("-H", "Expect: 100-continue", "-T", str(upload))
        assert curl("--http2-prior-knowledge", *expects, url) == DIGEST

    def test_a_download(self, server: ServerProcess, tmp_path: Path) -> None:
        file = tmp_path / "got"
        curl("--http2-prior-knowledge", "-o", str(file), f"{server.url}/bytes?size={len(BODY)}")
        assert hashlib.sha256(file.read_bytes()).hexdigest() == DIGEST.split()[1]

    def test_many_at_once(self, secure: ServerProcess, authority: Authority) -> None:
        """On one connection; over TLS, since curl 7.88 errs with prior knowledge (with nginx as well)."""
        url = f"https://localhost:{secure.port}/bytes?size=[1000-1099]"
        ca = ("--cacert", str(authority.file))
        said = curl("-Z", "--parallel-max", "50", *ca, "-o", "/dev/null", "-w", "%{size_download}\n", url)
        assert sorted(map(int, said.split())) == [*range(1000, 1100)]

    def test_cookies_hints_and_trailers(self, server: ServerProcess) -> None:
        at = ("--http2-prior-knowledge", "-i")
        assert curl(*at, f"{server.url}/cookies").count("set-cookie: ") == 2
        assert re.match(r"HTTP/2 103 \nlink: .*HTTP/2 200 ", curl(*at, f"{server.url}/hints"), re.DOTALL)
        assert "x-after: all" in curl(*at, "-H", "TE: trailers", f"{server.url}/trailers")


class TestNghttp:
    def test_get(self, server: ServerProcess) -> None:
        """It opens idle streams for its priorities first."""
        said = run("nghttp", "-nv", f"{server.url}/x", f"{server.url}/bytes?size=300000")
        assert said.count(":status: 200") == 2
        assert "error_code=PROTOCOL_ERROR" not in said

    @pytest.mark.parametrize("flags", [("-w", "1"), ("-w", "30", "-W", "30"), ("--no-dep",), ("-p", "256")])
    def test_its_choices(self, server: ServerProcess, flags: tuple[str, ...]) -> None:
        """Windows of one bit and of thirty, and priorities."""
        assert run("nghttp", *flags, f"{server.url}/bytes?size=2000").encode("utf-8", "replace")

    def test_an_upload(self, server: ServerProcess, upload: Path) -> None:
        assert run("nghttp", "-d", str(upload), f"{server.url}/digest") == DIGEST

    def test_trailers(self, server: ServerProcess, upload: Path) -> None:
        """It sends them behind the body."""
        trailers = ("--trailer", "x-after: 1", "-d", str(upload))
        assert run("nghttp", *trailers, f"{server.url}/digest") == DIGEST

    def test_continuation(self, server: ServerProcess) -> None:
        said = run("nghttp", "-v", "--continuation", "-H", f"x-long: {'x' * 9000}", f"{server.url}/x")
        assert ":status: 200" in said


@pytest.mark.parametrize("flags", [("-m1",), ("-m100",), ("-m10", "-w10", "-W10")])
def test_h2load(server: ServerProcess, flags: tuple[str, ...]) -> None:
    """Every request succeeds, however many there are at once."""
    said = run("h2load", "-n", "2000", "-c", "4", *flags, f"{server.url}/bytes?size=3000")
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in said


def test_h2load_uploads(server: ServerProcess, upload: Path) -> None:
    said = run("h2load", "-n", "12", "-c", "2", "-m", "3", "-d", str(upload), f"{server.url}/digest")
    assert "12 succeeded, 0 failed" in said


def test_h2load_over_tls(secure: ServerProcess) -> None:
    said = run("h2load", "-n", "1000", "-c", "2", "-m", "20", f"https://127.0.0.1:{secure.port}/x")
    assert "1000 succeeded, 0 failed" in said
    assert "Application protocol: h2" in said


def ask(client: httpx.Client, url: str, **more: Any) -> dict[str, Any]:
    answer = client.post(url, **more)
    return {"status": answer.status_code, "text": answer.text, "version": answer.http_version}


def test_httpx(server: ServerProcess) -> None:
    """Prior knowledge; it streams the body, as it does by default."""
    with httpx.Client(http1=False, http2=True, trust_env=False, timeout=PATIENCE) as client:
        pieces = [BODY[at : at + 100_000] for at in range(0, len(BODY), 100_000)]
        seen = ask(client, f"{server.url}/digest", content=iter(pieces))
        assert seen == {"status": 200, "text": DIGEST, "version": "HTTP/2"}
        assert client.get(f"{server.url}/bytes?size={len(BODY)}").content == BODY
        assert client.head(f"{server.url}/bytes?size=3&length=1").headers["content-length"] == "3"


def test_httpx_at_once(secure: ServerProcess, authority: Authority) -> None:
    """A hundred requests on one connection over TLS."""

    async def main() -> list[int]:
        context = authority.client()
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(
            http2=True, verify=context, trust_env=False, limits=limits, timeout=PATIENCE
        ) as client:
            url = f"https://localhost:{secure.port}/bytes?size="
            answers = await asyncio.gather(*(client.get(f"{url}{size}") for size in range(100)))
            assert {answer.http_version for answer in answers} == {"HTTP/2"}
            return [len(answer.content) for answer in answers]

    assert asyncio.run(main()) == [*range(100)]
