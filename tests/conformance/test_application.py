"""What an application is told, and what it may rely on, beyond one request on one connection."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from tests.conformance.cases import get, post
from tests.conformance.conftest import FLAGS
from tests.conformance.rules import rule
from tests.conformance.wire import CLOSED, OPEN, Wire
from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.server import ServerProcess
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVED = "tests.conformance.served:app"


@pytest.fixture(scope="module", params=["native", "h11"])
def strict(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """Serve with request ids, few requests for each connection and a root path."""
    flags = (*FLAGS, "--limit-requests-per-connection", "3", "--request-id", "--root-path", "/api")
    with ServerProcess(SERVED, "--http", request.param, *flags) as running:
        yield running


@rule(23)
def test_a_path_begins_with_the_root_path(strict: ServerProcess) -> None:
    """ASGI: HTTP connection scope, since version 2.3."""
    with Wire(strict) as wire:
        wire.send(get("/a%20b?c"))
        seen = wire.answer().json
        assert (seen["root_path"], seen["path"], seen["query_string"]) == ("/api", "/api/a b", "c")


def test_the_last_request_of_a_connection_says_so(strict: ServerProcess) -> None:
    """RFC 9112 section 9.6: what is pipelined behind it is not answered."""
    with Wire(strict) as wire:
        wire.send(get("/ok") * 5)
        answers = [wire.answer() for _ in range(3)]
        assert [answer.all("connection") for answer in answers] == [[], [], ["close"]]
        wire.check_end(CLOSED)


@pytest.mark.parametrize("sent", ["abc-1.2_3~/+=:@", "x" * 128])
def test_a_request_keeps_its_name(strict: ServerProcess, sent: str) -> None:
    """The application sees it, the response repeats it."""
    with Wire(strict) as wire:
        wire.send(get("/echo", f"X-Request-ID: {sent}"))
        answer = wire.answer()
        assert answer.all("x-request-id") == [sent]
        assert answer.json["headers"].count(["x-request-id", sent]) == 1


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "a\tb", "\xe4", 'a"b', "<a>"])
def test_a_request_with_no_proper_name_gets_one(strict: ServerProcess, sent: str) -> None:
    """The application never sees the other, which may be meant to confuse a log."""
    with Wire(strict) as wire:
        wire.send(get("/echo", f"X-Request-ID: {sent}"))
        answer = wire.answer()
        [given] = answer.all("x-request-id")
        seen = [value for name, value in answer.json["headers"] if name == "x-request-id"]
        assert seen == [given]
        assert len(given) == 32


def test_an_application_may_name_its_response(strict: ServerProcess) -> None:
    """Then nothing is added."""
    with Wire(strict) as wire:
        wire.send(get("/named"))
        assert wire.answer().all("x-request-id") == ["mine"]


@pytest.mark.parametrize("path", ["/raises", "/named-alike"])
def test_every_other_response_is_named(strict: ServerProcess, path: str) -> None:
    """Also one that the server gives, or that has a field of a similar name."""
    with Wire(strict) as wire:
        wire.send(get(path, "X-Request-ID: mine"))
        assert wire.answer().all("x-request-id") == ["mine"]


@rule(48)
def test_extensions_depend_on_the_version(server: ServerProcess) -> None:
    """ASGI: extensions; RFC 9110 section 15.2. Each of them is tested with the extensions."""
    for version, offered in (("1.1", True), ("1.0", False)):
        with Wire(server) as wire:
            wire.send(get("/echo", version=version))
            assert ("http.response.early_hint" in wire.answer().json["extensions"]) == offered


@rule(24)
def test_a_unix_socket_has_no_client(tmp_path: Path) -> None:
    """ASGI: HTTP connection scope."""
    path = tmp_path / "s"
    with ServerProcess(SERVED, bind=f"unix:{path}") as server, Connection(str(path)) as client:
        seen = client.get("/echo").text
        assert f'"server": ["{path}", null]' in seen
        assert '"client": null' in seen
        assert server.path == str(path)


@rule(34)
def test_an_application_without_lifespan_is_served(tmp_path: Path) -> None:
    """ASGI: lifespan. Its exception means that it has none; the log says so, and which it was."""
    write_app(tmp_path, "plain")
    with ServerProcess("site_app:app", cwd=tmp_path) as server:
        assert server.get().status == 200
        server.wait_line(r"INFO: +ASGI 'lifespan' protocol appears unsupported\.")


@rule(35)
def test_a_startup_that_fails_is_told(tmp_path: Path) -> None:
    """ASGI: lifespan.startup.failed. Its message is logged, and the exit code is not 0."""
    failing = """
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})
    """
    write_app(tmp_path, "failing", after=failing)
    with ServerProcess("site_app:app", cwd=tmp_path, is_ready=False) as server:
        assert server.wait_exit() == 3
        server.wait_line("no database")


@rule(36)
def test_the_lifespan_ends_after_the_last_request(tmp_path: Path) -> None:
    """ASGI: lifespan.shutdown."""
    journal = tmp_path / "journal"
    with (
        Gate() as gate,
        ServerProcess("tests.support.apps.journal:app", env={"JOURNAL": str(journal)}) as server,
    ):
        with server.connect() as client:
            client.send_get(f"/hold?gate={gate.port}")
            visitor = gate.wait_visitor()
            server.signal(signal.SIGTERM)
            server.wait_line("Waiting for 1 request")
            visitor.let_pass()
            assert client.read_response().text == "held"
        assert server.wait_exit() == 0
    events = [line.split(" ", 1)[1] for line in journal.read_text().splitlines()]
    assert events == ["lifespan.startup", "answered /hold", "lifespan.shutdown"]


def test_each_request_has_a_fresh_context(server: ServerProcess) -> None:
    """What one sets in a context variable, the next on the same connection does not see."""
    with Wire(server) as wire:
        for name in ("a", "b"):
            wire.send(get(f"/context?{name}"))
            assert wire.answer().body == b"unset"


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("path", ["/ok", "/raises"])
def test_the_rest_of_an_unread_body_may_come_with_the_next_request(
    server: ServerProcess, framing: str, path: str
) -> None:
    """RFC 9112 section 9.3: what the answered request left behind is never taken for another."""
    head = "Content-Length: 20" if framing == "length" else "Transfer-Encoding: chunked"
    body = b"GET /raises HTTP/1.1" if framing == "length" else b"14\r\nGET /raises HTTP/1.1\r\n0\r\n\r\n"
    with Wire(server) as wire:
        wire.send(post(head, path=path, body=body[:7]))
        assert wire.answer().status == (200 if path == "/ok" else 500)
        wire.send(body[7:] + get("/ok") + get("/ok"))
        assert [wire.answer().status for _ in range(2)] == [200, 200]
        wire.check_end(OPEN)


def test_a_body_that_is_too_large_is_refused_as_soon_as_that_is_known(server: ServerProcess) -> None:
    """RFC 9110 section 15.5.14: by its length before it is sent, in chunks when they are too many."""
    with Wire(server) as wire:
        wire.send(post("Content-Length: 8000001"))
        assert wire.answer().status == 413
        wire.check_end(CLOSED)
    with Wire(server) as wire:
        wire.send(post("Transfer-Encoding: chunked"))
        with contextlib.suppress(ConnectionError):
            for _ in range(90):
                wire.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        assert wire.answer().status == 413
