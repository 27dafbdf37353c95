"""How streams end when a worker does: event streams soon, others at the end of the grace; then everything."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Connection, ConnectionEnded
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR

if TYPE_CHECKING:
    from pathlib import Path

STREAMING = "tests.support.apps.streaming:app"
SHORT = 0.5 * FACTOR
BEGUN = b"data: begun\n\n"


def serving(tmp_path: Path, stream: float, grace: float, *flags: str) -> ServerProcess:
    times = ("--timeout-stream-shutdown", str(stream), "--timeout-graceful-shutdown", str(grace))
    return ServerProcess(STREAMING, *times, *flags, env={"JOURNAL": str(tmp_path / "journal")})


def journal(tmp_path: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return (tmp_path / "journal").read_text().split("\n")[:-1]
    return []


def begin(client: Connection, path: str) -> None:
    """Ask for a stream, and wait until it has begun."""
    client.send_get(path)
    while BEGUN not in client._received:
        client._need_more()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("how", ["stop", "reload"])
def test_an_event_stream_ends_soon(tmp_path: Path, how: str, loop: str) -> None:
    """After --timeout-stream-shutdown its application is told that the client left, and may say goodbye."""
    with serving(tmp_path, SHORT, 60, "--loop", loop) as server, server.connect() as client:
        begin(client, "/listen?events")
        begun = time.monotonic()
        server.signal(signal.SIGTERM if how == "stop" else signal.SIGHUP)
        answer = client.read_response()
        assert answer.body.endswith(b"data: bye\n\n"), "whole, with the last word"
        assert time.monotonic() - begun >= SHORT
        assert client.read_until_end() == b""
        if how == "stop":
            assert server.wait_exit() == 0
            assert journal(tmp_path) == ["told", "shut down"]
        assert not server.lines("ERROR|Traceback")


def test_an_event_stream_that_only_sends_ends_soon_as_well(tmp_path: Path) -> None:
    """Its application never asks whether the client left: for it, sending has to fail."""
    with serving(tmp_path, SHORT, 60) as server, server.connect() as client:
        begin(client, "/send?events")
        server.signal(signal.SIGTERM)
        with contextlib.suppress(ConnectionResetError, ConnectionEnded):
            client.read_response()
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["failed", "shut down"]


def test_a_download_is_not_cut_off_before_the_end_of_the_grace(tmp_path: Path) -> None:
    """It is no event stream, however long it takes; then its application is told."""
    with serving(tmp_path, 0, 4 * SHORT) as server, server.connect() as client:
        begin(client, "/listen")
        begun = time.monotonic()
        server.signal(signal.SIGTERM)
        answer = client.read_response()
        assert time.monotonic() - begun >= 4 * SHORT - 0.1
        assert answer.body.endswith(b"data: bye\n\n")
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["told", "shut down"]


def test_an_application_that_ignores_everything_is_cancelled(tmp_path: Path) -> None:
    """And the application as a whole is shut down only then (ASGI: lifespan)."""
    with serving(tmp_path, 0, SHORT) as server, server.connect() as client:
        begin(client, "/ignore?events")
        server.signal(signal.SIGTERM)
        with pytest.raises((ConnectionEnded, ConnectionResetError)):
            client.read_response()
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["cancelled", "shut down"]
        server.wait_line(r"Cancel 1 running task\(s\)")


def test_pipelined_requests_end_with_the_response_that_says_so(tmp_path: Path) -> None:
    """RFC 9112 section 9.6: nothing is answered behind Connection: close, and nothing is lost before it."""
    flags = ("--timeout-drain-idle", "600", "--timeout-keep-alive", "600")
    with serving(tmp_path, 60, 60, *flags) as server, server.connect() as client:
        assert client.get().status == 200
        server.signal(signal.SIGTERM)
        server.wait_line("Shutting down")
        client.send(b"GET /?first HTTP/1.1\r\nHost: t\r\n\r\n" + b"GET /?second HTTP/1.1\r\nHost: t\r\n\r\n")
        answer = client.read_response()
        assert (answer.headers["x-query"], answer.is_last) == ("first", True)
        assert client.read_until_end() == b""
        assert server.wait_exit() == 0
