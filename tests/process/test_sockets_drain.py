"""How WebSockets end when a worker does: with 1012, one after the other, and nothing said is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from signal import SIGHUP, SIGTERM
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect, unix_connect

from tests.support.apps.talking import LOUD_COUNT, LOUD_SIZE
from tests.support.certificates import Authority
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from websockets.sync.client import ClientConnection

TALKING = "tests.support.apps.talking:app"
RESTART = 1012


def serving(tmp_path: Path, *flags: str, bind: str = "127.0.0.1:0") -> ServerProcess:
    names = {"JOURNAL": str(tmp_path / "journal"), "GO": str(tmp_path / "go")}
    return ServerProcess(TALKING, *flags, env=names, bind=bind)


def journal(tmp_path: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return (tmp_path / "journal").read_text().splitlines()
    return []


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise NeverHappened
        time.sleep(0.01)


@contextlib.contextmanager
def opened(server: ServerProcess, path: str) -> Iterator[tuple[ClientConnection, int]]:
    """Open a WebSocket; return it and the worker it is in."""
    url = f"ws://127.0.0.1:{server.port}{path}"
    with connect(url, open_timeout=PATIENCE, close_timeout=PATIENCE) as socket:
        yield socket, int(socket.recv(PATIENCE))


def closed(socket: ClientConnection) -> tuple[int, str]:
    """Wait until it is closed; return the server's code and reason."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            socket.recv(PATIENCE)
    close = socket.protocol.close_rcvd
    assert close is not None, "closed without a close frame"
    return close.code, close.reason


@pytest.mark.parametrize("protocol", ["websockets", "wsproto"])
def test_a_stop_closes_every_websocket_with_1012(
    tmp_path: Path, loop_flags: list[str], protocol: str
) -> None:
    """Clients know that they may come back; applications are told the same."""
    with (
        serving(tmp_path, "--ws", protocol, *loop_flags) as server,
        opened(server, "/echo") as (first, _),
        opened(server, "/echo") as (second, _),
    ):
        sockets = (first, second)
        server.signal(SIGTERM)
        assert [closed(socket) for socket in sockets] == 2 * [(RESTART, "service restart")]
        assert server.wait_exit() == 0
        assert journal(tmp_path) == [*2 * ["1012 service restart"], "shut down"]
        assert not server.lines("ERROR|Traceback")


def test_after_a_reload_clients_find_the_new_worker(tmp_path: Path) -> None:
    """The old one ends once its WebSockets have."""
    with serving(tmp_path) as server:
        with opened(server, "/echo") as (socket, old):
            server.signal(SIGHUP)
            assert closed(socket)[0] == RESTART
        with opened(server, "/echo") as (again, new):
            assert new != old
            again.send("still there")
            assert again.recv(PATIENCE) == "still there"
        wait_for(lambda: server.workers() == [new])


def test_what_waits_for_the_application_comes_before_the_disconnect(tmp_path: Path) -> None:
    """It is busy when the worker is asked to stop, and takes what had come only later."""
    with serving(tmp_path) as server, opened(server, "/late") as (socket, _):
        for word in ("a", "b", "c"):
            socket.send(word)
        socket.ping().wait(PATIENCE)  # all of it has come
        server.signal(SIGTERM)
        assert closed(socket)[0] == RESTART
        (tmp_path / "go").touch()
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["a,b,c 1012", "shut down"]


def test_what_was_sent_comes_before_the_close(tmp_path: Path) -> None:
    """However much of it the client has not read."""
    flags = ("--limit-response-buffer", "10MB")
    with serving(tmp_path, *flags) as server, opened(server, "/loud") as (socket, _):
        socket.send("go on")
        wait_for(lambda: journal(tmp_path) == ["said"])
        server.signal(SIGTERM)
        for _ in range(LOUD_COUNT):
            assert socket.recv(PATIENCE) == bytes(LOUD_SIZE)
        assert closed(socket)[0] == RESTART
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["said", "1012", "shut down"]


def test_many_websockets_are_closed_one_after_the_other(tmp_path: Path) -> None:
    """Their clients would all come back at the same moment."""

    async def last_close(port: int, stop: Callable[[], None]) -> float:
        async with contextlib.AsyncExitStack() as stack:
            url = f"ws://127.0.0.1:{port}/echo"
            sockets = [await stack.enter_async_context(connect_async(url)) for _ in range(60)]
            began = time.monotonic()
            stop()
            for socket in sockets:
                await socket.wait_closed()
                assert socket.close_code == RESTART
            return time.monotonic() - began

    with serving(tmp_path, "--ws-drain-spread", "2") as server:
        assert asyncio.run(last_close(server.port, lambda: server.signal(SIGTERM))) > 1.5
        assert server.wait_exit() == 0
        assert journal(tmp_path).count("1012 service restart") == 60


def test_a_client_that_does_not_answer_a_close_holds_nobody_up(tmp_path: Path) -> None:
    with serving(tmp_path, "--ws-close-timeout", "0.1") as server, server.connect() as client:
        client.send(
            b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        client._read_until(b"\r\n\r\n")
        server.signal(SIGTERM)
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["1012 service restart", "shut down"]


def test_an_application_that_never_listens_is_cancelled_at_the_end(tmp_path: Path) -> None:
    flags = ("--timeout-graceful-shutdown", "0.5")
    with serving(tmp_path, *flags) as server, opened(server, "/deaf") as (socket, _):
        server.signal(SIGTERM)
        assert closed(socket)[0] == RESTART
        assert server.wait_exit() == 0
        assert journal(tmp_path) == ["cancelled", "shut down"]
        assert server.lines("Cancel 1 running task")


def test_websockets_over_tls(tmp_path: Path, loop_flags: list[str]) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server", "localhost", "127.0.0.1")
    with serving(tmp_path, *pair.flags, *loop_flags) as server:
        url = f"wss://127.0.0.1:{server.port}/echo"
        with connect(url, ssl=authority.client(), max_size=None) as socket:
            socket.recv(PATIENCE)
            for message in ("a", 3_000_000 * "é", b"b"):
                socket.send(message)
                assert socket.recv(PATIENCE) == message
            server.signal(SIGTERM)
            assert closed(socket)[0] == RESTART
        assert server.wait_exit() == 0


def test_websockets_on_a_unix_socket(tmp_path: Path, loop_flags: list[str]) -> None:
    path = tmp_path / "socket"
    with (
        serving(tmp_path, *loop_flags, bind=f"unix:{path}") as server,
        unix_connect(str(path), "ws://localhost/echo") as socket,
    ):
        socket.recv(PATIENCE)
        socket.send("a")
        assert socket.recv(PATIENCE) == "a"
        server.signal(SIGTERM)
        assert closed(socket)[0] == RESTART
