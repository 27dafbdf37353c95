"""The HTTP clients that Python people use, against the real server."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import json
import threading
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest
import requests

from tests.support.proxy_header import MIRROR
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

pytestmark = pytest.mark.system

PIECES = [bytes([number]) * 100_000 for number in range(50)]
BODY = b"".join(PIECES)  # 5 MB
DIGEST = f"{len(BODY)} {hashlib.sha256(BODY).hexdigest()}"
LARGE = 20_000_000


def pattern(size: int) -> bytes:
    """What /bytes answers."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.fixture(scope="module", params=["httptools", "h11"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    # Clients that keep a connection must not find it closed because the machine is slow.
    with ServerProcess(MIRROR, "--http", request.param, "--timeout-keep-alive", "60s") as running:
        yield running


class TestHttpx:
    @pytest.fixture
    def client(self, server: ServerProcess) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False) as running:
            yield running

    def test_one_connection_serves_all(self, client: httpx.Client) -> None:
        ports = {client.get("/").json()["client"][1] for _ in range(5)}
        assert len(ports) == 1
        assert client.head("/bytes?size=5&length=1").headers["content-length"] == "5"
        assert client.post("/digest", content=BODY).text == DIGEST
        assert client.get("/").json()["client"][1] in ports

    def test_streams_in_both_directions(self, client: httpx.Client) -> None:
        assert client.post("/digest", content=iter(PIECES)).text == DIGEST
        with client.stream("POST", "/echo", content=iter(PIECES)) as answer:
            assert b"".join(answer.iter_bytes()) == BODY
        with client.stream("GET", f"/bytes?size={LARGE}") as answer:
            assert sum(map(len, answer.iter_bytes())) == LARGE

    def test_a_response_that_is_left(self, client: httpx.Client) -> None:
        """The next request gets an answer of its own."""
        with client.stream("GET", f"/bytes?size={LARGE}") as answer:
            assert next(answer.iter_bytes())
        assert client.get("/").status_code == 200

    def test_cookies_hints_and_trailers(self, client: httpx.Client) -> None:
        assert client.get("/cookies").text == ""
        assert sorted(client.get("/cookies").text.split("; ")) == ["a=1", "b=2"]
        assert client.get("/hints").text == "hinted"
        assert client.get("/trailers", headers={"TE": "trailers"}).text == "body"

    def test_forms_files_and_names(self, client: httpx.Client) -> None:
        """Boundaries and percent-encoding arrive as they are."""
        told = client.get("/caf\u00e9 au lait?q=%20").json()
        assert (told["path"], told["raw_path"]) == ("/café au lait", "/caf%C3%A9%20au%20lait")
        sent = client.build_request("POST", "/echo", files={"a": ("b.txt", b"content")}, data={"c": "d"})
        assert client.send(sent).content == sent.read()


class TestRequests:
    @pytest.fixture
    def session(self) -> Iterator[requests.Session]:
        with requests.Session() as running:
            running.trust_env = False
            yield running

    def test_one_connection_serves_all(self, session: requests.Session, server: ServerProcess) -> None:
        ports = set()
        for _ in range(5):
            ports.add(session.get(server.url, timeout=PATIENCE).json()["client"][1])
            assert session.post(f"{server.url}/digest", data=BODY, timeout=PATIENCE).text == DIGEST
            assert session.put(f"{server.url}/digest", data=iter(PIECES), timeout=PATIENCE).text == DIGEST
        assert len(ports) == 1

    def test_bodies(self, session: requests.Session, server: ServerProcess) -> None:
        for length in ("", "&length=1"):
            answer = session.get(f"{server.url}/bytes?size={LARGE}{length}", stream=True, timeout=PATIENCE)
            assert sum(map(len, answer.iter_content(65536))) == LARGE
        assert session.head(f"{server.url}/bytes?size=5&length=1", timeout=PATIENCE).content == b""
        assert session.get(f"{server.url}/bytes?size=1000", timeout=PATIENCE).content == pattern(1000)

    def test_cookies_hints_and_trailers(self, session: requests.Session, server: ServerProcess) -> None:
        session.get(f"{server.url}/cookies", timeout=PATIENCE)
        answer = session.get(f"{server.url}/cookies", timeout=PATIENCE)
        assert sorted(answer.text.split("; ")) == ["a=1", "b=2"]
        assert (
            session.get(f"{server.url}/trailers", headers={"TE": "trailers"}, timeout=PATIENCE).text == "body"
        )
        assert session.get(f"{server.url}/", timeout=PATIENCE).status_code == 200


class TestAiohttp:
    def test_everything(self, server: ServerProcess) -> None:
        async def talk() -> None:
            timeout = aiohttp.ClientTimeout(total=PATIENCE * 2)
            cookies = aiohttp.CookieJar(unsafe=True)  # which takes them of hosts without a name, too
            async with aiohttp.ClientSession(server.url, timeout=timeout, cookie_jar=cookies) as session:
                for _ in range(3):
                    async with session.get("/") as answer:
                        assert (await answer.json())["http_version"] == "1.1"
                for data in (io.BytesIO(BODY), _pieces()):
                    async with session.post("/digest", data=data, expect100=True) as answer:
                        assert await answer.text() == DIGEST
                async with session.post("/echo", data=_pieces()) as answer:
                    assert await answer.read() == BODY
                async with session.get(f"/bytes?size={LARGE}") as answer:
                    sizes = [len(piece) async for piece in answer.content.iter_any()]
                    assert sum(sizes) == LARGE
                for expected in ("", "a=1; b=2"):
                    async with session.get("/cookies") as answer:
                        assert "; ".join(sorted((await answer.text()).split("; "))) == expected
                async with session.get("/trailers", headers={"TE": "trailers"}) as answer:
                    assert await answer.text() == "body"

        asyncio.run(talk())

    def test_a_hundred_at_once(self, server: ServerProcess) -> None:
        async def talk() -> None:
            connector = aiohttp.TCPConnector(limit=100)
            async with aiohttp.ClientSession(server.url, connector=connector) as session:

                async def ask(size: int) -> None:
                    async with session.get(f"/bytes?size={size}") as answer:
                        assert await answer.read() == pattern(size)

                await asyncio.wait_for(asyncio.gather(*(ask(size) for size in range(0, 50_000, 500))), 60)

        asyncio.run(talk())

    def test_a_conversation(self, server: ServerProcess) -> None:
        """The next word is sent when the last was answered."""

        async def talk() -> None:
            answers: asyncio.Queue[bytes] = asyncio.Queue()

            async def words() -> AsyncIterator[bytes]:
                for number in range(3):
                    yield b"%d" % number
                    assert await answers.get()

            async with (
                aiohttp.ClientSession(server.url) as session,
                session.post("/stream/duet", data=words()) as answer,
            ):
                heard = b""
                async for piece in answer.content.iter_any():
                    heard += piece
                    answers.put_nowait(piece)
                assert heard == b"heard 0heard 1heard 2"

        asyncio.run(asyncio.wait_for(talk(), PATIENCE))


async def _pieces() -> AsyncIterator[bytes]:
    for piece in PIECES:
        yield piece


class TestHttpClient:
    """Python's own, which has no pool and no opinion."""

    def test_many_on_one_connection(self, server: ServerProcess) -> None:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        client.connect()
        sock = client.sock
        for number in range(50):
            client.request("POST", "/echo", b"x" * number * 1000, {"X-Number": str(number)})
            assert client.getresponse().read() == b"x" * number * 1000
        client.request("DELETE", "/a%2Fb")
        told = json.loads(client.getresponse().read())
        assert (told["method"], told["path"], told["raw_path"]) == ("DELETE", "/a/b", "/a%2Fb")
        assert client.sock is sock
        client.close()

    def test_threads(self, server: ServerProcess) -> None:
        failures: list[str] = []

        def ask() -> None:
            client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
            for size in range(0, 100_000, 5_000):
                client.request("GET", f"/bytes?size={size}")
                if client.getresponse().read() != pattern(size):
                    failures.append(str(size))
            client.close()

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert not failures
