"""--limit-concurrency: who is answered, who waits, who is turned away, and that no place is ever lost."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Connection, ConnectionEnded
from tests.support.connections import has_answer, reset, wait_connections
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import PATIENCE, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server_waits import Visitor

FAULTY = "tests.support.apps.faulty:app"
#: Flags with which only the event that is tested ends a connection.
CALM = ("--no-access-log", "--timeout-keep-alive", "600", "--timeout-request-head", "600")


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as opened:
        yield opened


@contextlib.contextmanager
def held(server: ServerProcess, gate: Gate) -> Iterator[Visitor]:
    """Have a request take a place, as soon as there is one, until the test lets it pass."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with server.connect() as client:
            client.send_get(f"/hold?gate={gate.port}")
            if client.socket in select.select([client.socket, gate._listener], [], [], PATIENCE)[0]:
                assert client.read_response().status == 503
                assert time.monotonic() < deadline, "a place was lost"
                time.sleep(0.01)
                continue
            visitor = gate.wait_visitor()
            yield visitor
            visitor.let_pass()
            assert client.read_response().text == "held"
            return


def check_room(server: ServerProcess, gate: Gate, places: int) -> None:
    """Exactly so many requests find a place, and no more."""
    with contextlib.ExitStack() as stack:
        for _ in range(places):
            stack.enter_context(held(server, gate))
        assert server.get().status == 503


def test_what_counts_is_requests_and_not_connections(gate: Gate) -> None:
    """Twenty connections that idle leave the only place to the one that asks; who asks then gets 503."""
    with ServerProcess(BASIC, "--limit-concurrency", "1", *CALM) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(20)]
        assert {client.get().status for client in clients} == {200}
        with held(server, gate):
            answers = [client.get() for client in clients]
            assert {answer.status for answer in answers} == {503}
        assert {client.get().status for client in clients} == {200}, "the same connections go on"
        server.wait_line(r"WARNING: +Exceeded concurrency limit: \d+ answered 503\.")


def test_503_says_when_to_come_again(gate: Gate) -> None:
    """RFC 9110 section 15.6.4."""
    flags = ("--limit-concurrency", "1", "--limit-retry-after", "7")
    with ServerProcess(BASIC, *flags, *CALM) as server, server.connect() as client:
        with held(server, gate):
            answer = client.get()
            assert (answer.status, answer.headers["retry-after"], answer.is_last) == (503, "7", False)
        assert client.get().status == 200


def test_the_health_path_is_answered_however_full_it_is(gate: Gate) -> None:
    """A load balancer would take a busy server for a dead one; health checks take no place either."""
    flags = ("--limit-concurrency", "1", "--limit-exempt-path", "/up")
    with ServerProcess(BASIC, *flags, *CALM) as server:
        with held(server, gate):
            assert server.get("/up?x=1").status == 200
            assert server.get("/upper").status == 503
        with server.connect() as client:
            client.send_get("/up")
            assert client.read_response().status == 200
        check_room(server, gate, 1)


def test_an_unread_body_is_no_obstacle_to_503(gate: Gate) -> None:
    """The connection goes on behind the body of a request that was turned away."""
    with (
        ServerProcess(BASIC, "--limit-concurrency", "1", *CALM) as server,
        server.connect() as client,
        held(server, gate),
    ):
        client.send(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n01234")
        assert client.read_response().status == 503
        client.send(b"56789")
        assert client.get().status == 503
        client.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
        answer = client.read_response()
        assert (answer.status, answer.is_last) == (503, True)
        assert client.read_until_end() == b""


class TestQueue:
    def test_requests_wait_in_the_order_in_which_they_came(self, gate: Gate) -> None:
        """Each place that becomes free goes to the one who has waited longest."""
        flags = ("--limit-concurrency", "1", "--limit-concurrency-queue", "3", "--timeout-queue", "600")
        with ServerProcess(BASIC, *flags, *CALM) as server, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(4)]
            visitor = None
            for client in clients:
                client.get("/health")  # it is accepted, so what it sends is read before what comes later
                client.send_get(f"/hold?gate={gate.port}")
                visitor = visitor or gate.wait_visitor()
            assert visitor is not None
            assert server.get("/health").status == 200
            assert server.get().status == 503, "the queue is full"
            for number, client in enumerate(clients):
                visitor.let_pass()
                assert client.read_response().text == "held"
                if number < 3:
                    visitor = gate.wait_visitor()
                assert not any(has_answer(other) for other in clients[number + 1 :])

    def test_who_waits_too_long_gets_503(self, gate: Gate) -> None:
        """And keeps the connection; the place in the queue is free again."""
        flags = ("--limit-concurrency", "1", "--limit-concurrency-queue", "1", "--timeout-queue", "0.3")
        with ServerProcess(BASIC, *flags, *CALM) as server, server.connect() as client, held(server, gate):
            for _ in range(2):
                begun = time.monotonic()
                assert client.get().status == 503
                assert time.monotonic() - begun >= 0.3, "it waited, for there was room in the queue"

    def test_a_body_that_comes_in_pieces_neither_loses_nor_prolongs_the_place(self, gate: Gate) -> None:
        """A request joins the queue once, however many packets it comes in."""
        flags = ("--limit-concurrency", "1", "--limit-concurrency-queue", "1", "--timeout-queue", "600")
        with ServerProcess(BASIC, *flags, *CALM) as server, server.connect() as client:
            with held(server, gate):
                client.send(b"POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 40\r\n\r\n")
                for _ in range(4):
                    assert server.get("/health").status == 200
                    client.send(b"0123456789")
                assert not has_answer(client, 0.2)
            assert client.read_response().text == "40"
            check_room_and_queue(server, gate)

    def test_a_slow_body_does_not_prolong_the_wait(self, gate: Gate) -> None:
        """The time in the queue counts from the beginning."""
        flags = ("--limit-concurrency", "1", "--limit-concurrency-queue", "2", "--timeout-queue", "0.5")
        with ServerProcess(BASIC, *flags, *CALM) as server, server.connect() as client, held(server, gate):
            client.send(b"POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n")
            begun = time.monotonic()
            while not has_answer(client, 0.1):
                client.send(b"x")
                assert time.monotonic() - begun < PATIENCE, "every piece has renewed the time"
            assert client.read_response().status == 503

    def test_a_client_that_leaves_gives_its_place_in_the_queue_to_another(self, gate: Gate) -> None:
        """Its request is never seen by the application."""
        flags = ("--limit-concurrency", "1", "--limit-concurrency-queue", "1", "--timeout-queue", "600")
        with ServerProcess(BASIC, *flags, *CALM) as server, server.connect() as client:
            with held(server, gate):
                leaving = server.connect()
                leaving.get("/health")  # it is accepted, so what it sends is read before what comes later
                leaving.send_get(f"/hold?gate={gate.port}")
                server.wait_answer(lambda answer: answer.status == 503)  # once the other is in the queue
                wait_connections(server, 3)
                reset(leaving)
                wait_connections(server, 2)
                client.send_get("/?second")
                assert not has_answer(client, 0.2)
            assert client.read_response().headers["x-query"] == "second"

    def test_a_client_that_leaves_inside_its_request_gives_up_its_place(self, gate: Gate) -> None:
        """A request that will never be whole does not wait."""
        flags = ("--limit-concurrency", "1", "--limit-concurrency-queue", "1", "--timeout-queue", "600")
        with ServerProcess(BASIC, *flags, *CALM) as server, server.connect() as client:
            with held(server, gate):
                leaving = server.connect()
                leaving.send(b"POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n01234")
                wait_connections(server, 3)
                leaving.socket.close()
                wait_connections(server, 2)
                client.send_get("/?second")
                assert not has_answer(client, 0.2)
            assert client.read_response().headers["x-query"] == "second"


def check_room_and_queue(server: ServerProcess, gate: Gate) -> None:
    """One request finds a place, one may wait, the next is turned away."""
    with server.connect() as waiting:
        with held(server, gate):
            waiting.get("/health")
            waiting.send_get("/?waited")
            assert not has_answer(waiting, 0.1)
            assert server.get().status == 503
        assert waiting.read_response().headers["x-query"] == "waited"


def test_a_place_is_given_back_however_the_application_ends(gate: Gate) -> None:
    """Exception, exit, cancellation, return inside the response, work after it."""
    with ServerProcess(FAULTY, "--limit-concurrency", "2", *CALM) as server:
        for path in ("/raise", "/exit", "/cancel", "/break", "/linger"):
            for _ in range(5):
                with contextlib.suppress(ConnectionError, ConnectionEnded):
                    server.get(path)
            check_room(server, gate, 2)


def test_a_place_is_given_back_when_the_client_leaves(gate: Gate) -> None:
    """As soon as the application has taken notice of it."""
    with ServerProcess(BASIC, "--limit-concurrency", "1", *CALM) as server:
        for leave in (reset, lambda client: client.socket.close()):
            client = server.connect()
            client.send_get(f"/watch?gate={gate.port}")
            visitor = gate.wait_visitor()
            assert server.get().status == 503
            leave(client)
            visitor.wait_end()
            server.wait_answer(lambda answer: answer.status == 200)
        check_room(server, gate, 1)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode()


UPLOAD = b"POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 8\r\n\r\n"
#: What the clients below send, in pieces.
BEHAVIOURS = (
    (get("/"),),
    (get("/"), get("/linger"), get("/")),
    (get("/linger") * 4 + get("/") * 4,),
    (UPLOAD, b"0123", b"4567"),
    (UPLOAD + b"01", b"234567" + get("/") + UPLOAD),
    (get("/raise") + get("/"),),
    (get("/break"),),
    (get("/cancel") + get("/"),),
    (get("/stream?pieces=100&size=4000"),),
    (get("/linger") + b"G@T",),
)


class Crowd:
    """Clients that send, read or not, and leave in one way or another, from several threads."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._crash: BaseException | None = None

    def run(self, clients: int) -> None:
        threads = [threading.Thread(target=self._come_and_go, args=(seed, clients)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._crash is not None:
            raise self._crash

    def _come_and_go(self, seed: int, clients: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(clients):
                with contextlib.suppress(ConnectionError, ConnectionEnded), self._server.connect() as client:
                    self._behave(client, chance)
        except BaseException as error:
            self._crash = error

    def _behave(self, client: Connection, chance: random.Random) -> None:
        for piece in chance.choice(BEHAVIOURS):
            client.send(piece)
            if chance.random() < 0.5:
                has_answer(client, chance.random() / 50)
        match chance.randrange(4):
            case 0:
                reset(client)
            case 1:
                with contextlib.suppress(OSError):  # ENOTCONN: the server has reset the connection first
                    client.socket.shutdown(socket.SHUT_WR)
                has_answer(client, 0.1)
            case 2:
                client.read_response()


def test_no_place_is_lost_or_won_in_a_crowd(gate: Gate) -> None:
    """After clients that pipeline, leave, reset and break off, the limit is what it was."""
    flags = ("--limit-concurrency", "3", "--limit-concurrency-queue", "2", "--timeout-queue", "0.05")
    with ServerProcess(FAULTY, *flags, *CALM) as server:
        Crowd(server).run(clients=150)
        with held(server, gate), held(server, gate):
            check_room(server, gate, 1)
        worker, *_ = server.workers()
        wait_connections(server, 0)
        assert server.workers() == [worker]
