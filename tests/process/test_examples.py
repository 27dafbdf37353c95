"""Each example under the real srvctl, over HTTP, and the sample files that serve the first of them."""

from __future__ import annotations

import json
import signal
from html.parser import HTMLParser

import pytest

from tests.support.server import ServerProcess


class _Links(HTMLParser):
    """Collects where a page leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


class TestFastapi:
    TARGET = "examples.fastapi_hello:app"

    def test_the_page_says_what_it_is_and_its_links_lead_somewhere(self) -> None:
        """It names the worker that answered and the master to signal; each link is answered."""
        with ServerProcess(self.TARGET, "--workers", "2") as server:
            page = server.get("/")
            assert page.status == 200
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "Hello from srvctl" in page.text
            assert any(f"Worker {pid} answered" in page.text for pid in server.workers())
            assert f"kill -HUP {server.pid}" in page.text
            links = _Links(page.text).found
            assert links
            for link in links:
                assert server.get(link.replace("seconds=5", "seconds=0")).status == 200

    def test_an_item_is_returned_and_a_wrong_one_refused(self) -> None:
        """FastAPI's own validation works."""
        with ServerProcess(self.TARGET) as server:
            assert json.loads(server.get("/items/7?q=seven").body) == {"item_id": 7, "q": "seven"}
            assert server.get("/items/seven").status == 422

    def test_a_slow_answer_comes_though_the_server_is_asked_to_stop(self) -> None:
        """What the page says of /slow is true."""
        with ServerProcess(self.TARGET) as server, server.connect() as client, server.connect() as other:
            client.send_get("/slow?seconds=6")  # the signal comes sooner, however slow the machine is
            other.get("/slow?seconds=0")  # sent later and answered: the worker has the first request too
            server.signal(signal.SIGTERM)
            server.wait_line("Waiting for 1 request to finish")
            assert json.loads(client.read_response().body)["waited"] == 6
            assert server.wait_exit() == 0

    @pytest.mark.parametrize("name", ["srvctl.toml", "srvctl.yaml"])
    def test_the_sample_files_serve_it(self, name: str) -> None:
        """A setting on the command line wins over the file."""
        with ServerProcess(f"--config=configs/{name}") as server:
            assert "Hello from srvctl" in server.get("/").text
            assert server.stop() == 0


class TestStarlette:
    def test_it_greets_and_streams(self) -> None:
        """The path parameter arrives, and the lines come in pieces."""
        with ServerProcess("examples.starlette_hello:app") as server:
            assert server.get("/").text == "Hello, world!\n"
            assert server.get("/hello/you").text == "Hello, you!\n"
            assert server.get("/count").chunks == [b"1\n", b"2\n", b"3\n"]


class TestBareAsgi:
    def test_it_greets_and_echoes(self) -> None:
        """The command lines of the README get the answers that stand there."""
        with ServerProcess("examples.asgi_hello:app") as server, server.connect() as client:
            assert client.get("/").text == "Hello from bare ASGI!\n"
            client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 7\r\n\r\nan echo")
            assert client.read_response().text == "an echo"

    def test_the_log_says_that_it_has_no_lifespan(self) -> None:
        """So nobody wonders."""
        with ServerProcess("examples.asgi_hello:app") as server:
            server.wait_line("ASGI 'lifespan' protocol appears unsupported")
