"""The WebSocket client against small real servers, and the order in which it speaks."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from benchmarks.errors import NoMessagesError, WrongAnswerError
from benchmarks.ws.driver import WsDriver
from benchmarks.ws.frames import plain
from benchmarks.ws.script import Script
from benchmarks.ws.traffic import Broadcast, Echo
from benchmarks.ws.workloads import WS_WORKLOADS
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.ws.connection import Connection

ECHO = WS_WORKLOADS["echo"]


def echo(socket: ServerConnection) -> None:
    for message in socket:
        socket.send(message)


def hang_up(socket: ServerConnection) -> None:
    """Take the second message as a reason to go."""
    socket.send(socket.recv())
    socket.recv()


def mumble(socket: ServerConnection) -> None:
    """Say the right thing once; afterwards something else of the same length."""
    socket.send(socket.recv())
    for message in socket:
        socket.send(str(message).upper())


def fall_silent(socket: ServerConnection) -> None:
    socket.send(socket.recv())
    for _ in socket:
        pass


def keep_alive(socket: ServerConnection) -> None:
    """Echo once; then only after a ping that was answered."""
    socket.send(socket.recv())
    for message in socket:
        assert socket.ping().wait(PATIENCE)
        socket.send(message)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for what is under way at the end, however slow this machine is."""
    monkeypatch.setattr("benchmarks.ws.traffic._LAST_REPLIES_SECONDS", PATIENCE)


@contextmanager
def serving(handler: Callable[[ServerConnection], None]) -> Iterator[int]:
    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


class Hub:
    """Does what the application of the broadcast does, in threads."""

    def __init__(self) -> None:
        self.listeners: set[ServerConnection] = set()

    def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        if socket.request.path == "/send":
            for message in socket:
                for each in tuple(self.listeners):
                    with suppress(ConnectionClosed):  # one that has left, and has not been missed yet
                        each.send(message)
                socket.send(message)
            return
        self.listeners.add(socket)
        try:
            echo(socket)
        except ConnectionClosed:
            pass
        finally:
            self.listeners.discard(socket)


@pytest.mark.parametrize("name", ["echo", "echo-10k", "echo-deflate"])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_messages_are_echoed_and_counted(name: str, in_flight: int) -> None:
    driver = WsDriver(WS_WORKLOADS[name], connections=2, in_flight=in_flight)
    with serving(echo) as port:
        driver.check(port, None)
        with driver.session(port, None) as run:
            load = run(0.2)
    assert load.errors.total == 0
    assert load.requests >= 2 * in_flight
    assert load.received_bytes >= load.requests * 20
    assert load.seconds > 0


@pytest.mark.parametrize("in_flight", [1, 2])
def test_a_broadcast_is_counted_where_it_arrives(in_flight: int) -> None:
    driver = WsDriver(WS_WORKLOADS["broadcast"], connections=3, in_flight=in_flight)
    with serving(Hub()) as port:
        driver.check(port, None)
        with driver.session(port, None) as run:
            load = run(0.2)
    assert load.errors.total == 0
    assert load.requests >= 4
    assert load.requests % 4 == 0


def test_pings_are_answered_and_are_no_replies() -> None:
    with serving(keep_alive) as port, WsDriver(ECHO, connections=2).session(port, None) as run:
        load = run(0.1)
    assert load.errors.total == 0
    assert load.requests >= 2


def test_a_wrong_reply_fails_the_check_and_is_counted_under_load() -> None:
    driver = WsDriver(ECHO, connections=1)
    with serving(mumble) as port:
        with pytest.raises(WrongAnswerError, match="instead of"):
            driver.check(port, None)
        with driver.session(port, None) as run:
            load = run(0.1)
    assert load.errors.status == load.requests > 0


def test_a_server_that_hangs_up_gives_no_figures() -> None:
    driver = WsDriver(ECHO, connections=1)
    with serving(hang_up) as port:
        with pytest.raises(WrongAnswerError, match="instead of"):
            driver.check(port, None)
        with driver.session(port, None) as run, pytest.raises(NoMessagesError, match="1 read"):
            run(0.1)


def test_a_reply_that_does_not_come_is_waited_for_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.ws.traffic._LAST_REPLIES_SECONDS", 0.1)
    driver = WsDriver(ECHO, connections=2)
    with (
        serving(fall_silent) as port,
        driver.session(port, None) as run,
        pytest.raises(NoMessagesError, match="2 timeout"),
    ):
        run(0.1)


def test_where_nobody_listens_no_websocket_is_opened() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # so that nobody else can listen there
        with pytest.raises(WrongAnswerError, match="was not opened"):
            WsDriver(ECHO, connections=1).check(deaf.getsockname()[1], None)


def test_a_socket_that_takes_no_more_gets_the_rest_later() -> None:
    """More is under way than the buffers of a connection hold."""
    workload = replace(ECHO, make_script=lambda: Script.of(b"x" * 200_000))
    driver = WsDriver(workload, connections=1, in_flight=40)
    with serving(echo) as port, driver.session(port, None) as run:
        load = run(0.2)
    assert load.errors.total == 0
    assert load.received_bytes == load.requests * len(plain(b"x" * 200_000))


class Mouth:
    """Stands for a connection, and counts what it says."""

    def __init__(self) -> None:
        self.said = 0

    def send(self, count: int) -> None:
        self.said += count


def mouths(count: int) -> list[Connection]:
    return [cast("Connection", Mouth()) for _ in range(count)]


def said(connection: Connection) -> int:
    return cast("Mouth", connection).said


def test_an_echo_speaks_where_it_was_answered() -> None:
    first, second = mouths(2)
    traffic = Echo([first, second], in_flight=2)
    assert list(traffic.start()) == [first, second]
    assert traffic.awaited == 4
    assert traffic.replied(second, 2, goes_on=True) is second
    assert (said(first), said(second), traffic.awaited) == (2, 4, 4)
    assert traffic.replied(first, 2, goes_on=False) is None
    assert (said(first), said(second), traffic.awaited) == (2, 4, 2)


def test_a_broadcast_goes_on_when_all_have_had_it() -> None:
    sender, listener = mouths(2)
    traffic = Broadcast(sender, listeners=2, in_flight=2)
    assert list(traffic.start()) == [sender]
    assert (said(sender), traffic.awaited) == (2, 6)
    assert traffic.replied(listener, 2, goes_on=True) is None
    assert traffic.replied(listener, 1, goes_on=True) is sender
    assert (said(sender), traffic.awaited) == (3, 6)
    assert traffic.replied(listener, 6, goes_on=False) is None
    assert (said(sender), traffic.awaited) == (3, 0)
