"""What the application is told about clients behind a proxy, over real sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.client import Connection

MIRROR = "tests.support.apps.mirror:app"
CLIENT = ["203.0.113.7", 0]
FOR = "X-Forwarded-For: 203.0.113.7"
HTTPS = "X-Forwarded-Proto: https"
ALL = [flag for name in ("for", "proto", "host", "port", "prefix") for flag in ("--forwarded-fields", name)]
EVERY_FIELD = [
    FOR,
    HTTPS,
    "X-Forwarded-Host: shop.example",
    "X-Forwarded-Port: 8443",
    "X-Forwarded-Prefix: /shop",
]


def seen(connection: Connection, *fields: str) -> dict[str, Any]:
    """Send a request with these fields; return what the application saw of it."""
    answer = connection.get("/path?q", *fields)
    assert answer.status == 200
    told: dict[str, Any] = json.loads(answer.body)
    return told


def own(connection: Connection) -> list[object]:
    host, port = connection.socket.getsockname()
    return [host, port]


def host_of(told: dict[str, Any]) -> str:
    [host] = [value for name, value in told["headers"] if name == "host"]
    return str(host)


@pytest.fixture(scope="module")
def default() -> Iterator[ServerProcess]:
    with ServerProcess(MIRROR) as server:
        yield server


@pytest.fixture(scope="module")
def generous() -> Iterator[ServerProcess]:
    """Believes every field."""
    with ServerProcess(MIRROR, *ALL) as server:
        yield server


class TestByDefault:
    """As uvicorn does it: the same machine is trusted, and two headers are believed."""

    def test_client_and_scheme_come_from_the_headers(self, default: ServerProcess) -> None:
        with default.connect() as client:
            told = seen(client, FOR, HTTPS)
        assert (told["client"], told["scheme"]) == (CLIENT, "https")
        assert told["server"] == ["127.0.0.1", default.port]

    def test_each_request_is_judged_by_its_own_headers(self, default: ServerProcess) -> None:
        """A proxy keeps its connection, and not for one client."""
        with default.connect() as client:
            assert seen(client, FOR)["client"] == CLIENT
            assert seen(client)["client"] == own(client)
            assert seen(client, "X-Forwarded-For: 2001:db8::7")["client"] == ["2001:db8::7", 0]
            assert seen(client, FOR)["client"] == CLIENT
            assert seen(client, HTTPS)["scheme"] == "https"
            assert seen(client)["scheme"] == "http"

    def test_the_walk_stops_at_the_first_that_is_not_trusted(self, default: ServerProcess) -> None:
        with default.connect() as client:
            told = seen(client, "X-Forwarded-For: 192.0.2.66, 203.0.113.7", "X-Forwarded-For: 127.0.0.1")
        assert told["client"] == CLIENT

    def test_other_fields_change_nothing(self, default: ServerProcess) -> None:
        """And reach the application as they came."""
        with default.connect() as client:
            told = seen(client, *EVERY_FIELD, "Forwarded: host=other.example;for=192.0.2.1")
        assert host_of(told) == "test"
        assert (told["root_path"], told["path"], told["server"][1]) == ("", "/path", default.port)
        assert told["client"] == CLIENT
        names = [name for name, _ in told["headers"]]
        assert {"x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "forwarded"} <= set(names)

    def test_imitations_are_dropped(self, default: ServerProcess) -> None:
        with default.connect() as client:
            told = seen(client, "X_Forwarded_For: 192.0.2.1", "X-Forwarded_Proto: https", "X_Other: 1")
            assert (told["client"], told["scheme"]) == (own(client), "http")
        assert [name for name, _ in told["headers"]] == ["host", "x_other"]


class TestTrust:
    @pytest.mark.parametrize("flags", [["--forwarded-allow-ips", "10.0.0.1"], ["--no-proxy-headers"]])
    def test_who_is_not_trusted_changes_nothing(self, flags: list[str]) -> None:
        with ServerProcess(MIRROR, *flags, *ALL) as server, server.connect() as client:
            told = seen(client, *EVERY_FIELD)
            assert (told["client"], told["scheme"]) == (own(client), "http")
            assert (host_of(told), told["path"]) == ("test", "/path")

    def test_imitations_are_dropped_whoever_sends_them(self) -> None:
        with ServerProcess(MIRROR, "--forwarded-allow-ips", "10.0.0.1") as server, server.connect() as client:
            told = seen(client, "X_Forwarded_For: 192.0.2.1")
        assert [name for name, _ in told["headers"]] == ["host"]

    def test_everyone_is_trusted_with_a_star(self) -> None:
        """The client is then the left-most address."""
        with ServerProcess(MIRROR, "--forwarded-allow-ips", "*") as server, server.connect() as client:
            told = seen(client, "X-Forwarded-For: 203.0.113.7, 192.0.2.1")
        assert told["client"] == CLIENT

    @pytest.mark.parametrize(("entry", "is_trusted"), [("unix", True), ("127.0.0.1", False)])
    def test_a_unix_socket(self, tmp_path: Path, entry: str, is_trusted: bool) -> None:
        flags = ["--forwarded-allow-ips", entry]
        with ServerProcess(MIRROR, *flags, bind=f"unix:{tmp_path}/s") as server, server.connect() as client:
            told = seen(client, FOR, HTTPS)
        assert told["client"] == (CLIENT if is_trusted else None)
        assert told["scheme"] == ("https" if is_trusted else "http")
        assert told["server"] == [f"{tmp_path}/s", None]


class TestFields:
    def test_all_of_them(self, generous: ServerProcess) -> None:
        """The application sees what the client asked for."""
        with generous.connect() as client:
            told = seen(client, *EVERY_FIELD)
        assert (told["client"], told["scheme"]) == (CLIENT, "https")
        assert (host_of(told), told["server"]) == ("shop.example:8443", ["shop.example", 8443])
        assert (told["root_path"], told["path"], told["raw_path"]) == ("/shop", "/shop/path", "/shop/path")

    @pytest.mark.parametrize("field", ["X-Forwarded-Host: <script>", "X-Forwarded-Host: a b"])
    def test_what_is_not_well_formed_changes_nothing(self, generous: ServerProcess, field: str) -> None:
        with generous.connect() as client:
            told = seen(client, field, "X-Forwarded-Port: 0", "X-Forwarded-Prefix: //evil.example")
        assert (host_of(told), told["server"][1], told["root_path"]) == ("test", generous.port, "")

    def test_the_standard_header(self) -> None:
        """RFC 7239; X-Forwarded-For is then nobody's business."""
        flags = ["--forwarded-style", "forwarded"]
        for name in ("for", "proto", "host"):
            flags += ["--forwarded-fields", name]
        with ServerProcess(MIRROR, *flags) as server, server.connect() as client:
            told = seen(
                client, 'Forwarded: for="[2001:db8::7]:4711";proto=https;host=shop.example', FOR, HTTPS
            )
            assert (told["client"], told["scheme"]) == (["2001:db8::7", 4711], "https")
            assert host_of(told) == "shop.example"
            assert seen(client, FOR)["client"] == own(client)


class TestCodecsAndLogs:
    @pytest.mark.parametrize("codec", ["httptools", "h11"])
    def test_both_codecs(self, codec: str) -> None:
        with ServerProcess(MIRROR, "--http", codec, *ALL) as server, server.connect() as client:
            told = seen(client, *EVERY_FIELD, "X_Forwarded_For: 192.0.2.1")
        assert (told["client"], told["scheme"], told["root_path"]) == (CLIENT, "https", "/shop")
        assert "x_forwarded_for" not in [name for name, _ in told["headers"]]

    def test_the_access_log_shows_the_client(self) -> None:
        """It is whom one looks for."""
        with ServerProcess(MIRROR) as server:
            with server.connect() as client:
                _, port = client.socket.getsockname()
                seen(client, FOR)
                seen(client)
                seen(client, "X-Forwarded-For: [2001:db8::7]:4711")
            assert server.stop() == 0
        clients = [line.text.split()[1] for line in server.stdout.all]
        assert clients[:2] == ["203.0.113.7:0", f"127.0.0.1:{port}"]
        assert "2001:db8::7" in clients[2]
