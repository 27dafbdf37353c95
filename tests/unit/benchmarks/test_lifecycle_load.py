"""The load against small servers that misbehave in a known way: what it counts is what they did."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.asking import ask
from benchmarks.lifecycle.clients import LoadPlan
from benchmarks.lifecycle.load import Load

if TYPE_CHECKING:
    from benchmarks.lifecycle.tally import Tally

#: Serves one request of a connection, which is its n-th from 0; returns whether the connection goes on.
Serve = Callable[[socket.socket, bytes, int], bool]

RATE = 100
ENOUGH = 20


def answered(request: bytes, more: str = "") -> bytes:
    number = re.search(rb"id=(\d+)", request)
    body = f"{int(number[1]) if number else 0} 42 1"
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}".encode()


def good(sock: socket.socket, request: bytes, _number: int) -> bool:
    sock.sendall(answered(request))
    return b"Connection: close" not in request


def resetting(sock: socket.socket, _request: bytes, _number: int) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
    return False


def closing_used(sock: socket.socket, request: bytes, number: int) -> bool:
    if number:
        return False
    return good(sock, request, number)


def closing_idle(sock: socket.socket, request: bytes, number: int) -> bool:
    good(sock, request, number)
    return False


def announcing(sock: socket.socket, request: bytes, _number: int) -> bool:
    sock.sendall(answered(request, "Connection: close\r\n"))
    return False


def cutting(sock: socket.socket, request: bytes, _number: int) -> bool:
    sock.sendall(answered(request)[:-1])
    return False


def doubling(sock: socket.socket, request: bytes, number: int) -> bool:
    sock.sendall(answered(request) * 2)
    return good(sock, request, number)


def silent(_sock: socket.socket, _request: bytes, _number: int) -> bool:
    return True


def mistaking(sock: socket.socket, request: bytes, _number: int) -> bool:
    sock.sendall(answered(request.replace(b"id=", b"id=9")))
    return True


@contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Serve each connection in a thread of its own; all are over afterwards."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    open_ones: set[socket.socket] = set()

    def talk(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            number = 0
            while (request := sock.recv(4096)) and serve(sock, request, number):
                number += 1
        open_ones.discard(sock)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                open_ones.add(sock)
                threads.append(threading.Thread(target=talk, args=(sock,)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    port: int = listener.getsockname()[1]
    try:
        yield port
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # which wakes accept()
        listener.close()
        acceptor.join()
        for sock in list(open_ones):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port at which nobody listens, and nobody else can."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        yield port


def loaded(
    port: int,
    *,
    kept: int = 2,
    fresh: int = 2,
    patience: float = 30.0,
    is_enough: Callable[[Tally], bool] = lambda _: True,
) -> Tally:
    """Load a server until enough is known, however slow this machine is."""
    load = Load(LoadPlan(port, RATE, kept, fresh, patience=patience, grace=10 if patience > 10 else 0.1))
    try:
        while (seen := load.look()).due < ENOUGH or not is_enough(seen):
            pass
        return load.stop()
    finally:
        load.kill()


def test_a_good_server_loses_nothing() -> None:
    with serving(good) as port:
        tally = loaded(port)
    assert tally.due == tally.answered >= ENOUGH
    assert (tally.broken, tally.retriable, tally.idle_closes) == (0, 0, 0)
    assert tally.workers[42].answers == tally.due
    assert tally.first_goodbye is None


def test_a_reset_of_a_new_connection_is_lost() -> None:
    with serving(resetting) as port:
        tally = loaded(port)
    assert tally.lost == tally.due >= ENOUGH
    assert tally.reasons == {"reset": tally.due}
    assert tally.retriable == 0


def test_a_close_on_reuse_is_retriable_and_the_second_try_counts() -> None:
    with serving(closing_used) as port:
        tally = loaded(port, fresh=0)
    assert tally.answered == tally.due >= ENOUGH
    assert tally.broken == 0
    # The first use is answered, each further one is closed, and answered on a new connection.
    assert tally.retriable >= (tally.due - 2) // 2


def test_connections_closed_while_idle_cost_nothing() -> None:
    with serving(closing_idle) as port:
        # Each idles for half a second, in which its end arrives, if the machine is not busy.
        tally = loaded(port, kept=50, fresh=0, is_enough=lambda seen: seen.idle_closes > 0)
    assert tally.answered == tally.due
    assert tally.broken == 0
    assert tally.idle_closes > 0
    assert tally.first_goodbye is not None


def test_an_announced_close_costs_nothing_and_is_a_goodbye() -> None:
    with serving(announcing) as port:
        tally = loaded(port)
    assert tally.answered == tally.due
    assert (tally.broken, tally.retriable, tally.idle_closes) == (0, 0, 0)
    assert tally.first_goodbye is not None


def test_half_an_answer_is_lost() -> None:
    with serving(cutting) as port:
        tally = loaded(port)
    assert tally.reasons == {"truncated": tally.due}


def test_two_answers_are_wrong() -> None:
    with serving(doubling) as port:
        tally = loaded(port, fresh=0)
    assert tally.wrong > 0
    assert tally.answered + tally.lost + tally.refused + tally.wrong >= tally.due
    assert set(tally.reasons) <= {"more than one answer", "unasked", "another request's answer"}


def test_the_answer_of_another_request_is_wrong() -> None:
    with serving(mistaking) as port:
        tally = loaded(port)
    assert tally.wrong == tally.due
    assert tally.reasons == {"another request's answer": tally.due}


def test_no_answer_is_lost_when_patience_or_the_load_ends() -> None:
    with serving(silent) as port:
        tally = loaded(port, patience=0.05)
    assert tally.lost == tally.due >= ENOUGH
    assert set(tally.reasons) <= {"timeout", "unanswered"}


def test_nobody_listening_is_refused(deaf: int) -> None:
    tally = loaded(deaf)
    assert tally.refused == tally.due >= ENOUGH
    assert tally.lost == 0


def test_a_load_that_is_gone_says_so(deaf: int) -> None:
    load = Load(LoadPlan(deaf, RATE))
    load.kill()
    with pytest.raises(BenchmarkError, match="The load ended with code"):
        load.look()
    load.kill()


def test_asking_tells_who_answered(deaf: int) -> None:
    with serving(good) as port:
        assert ask(port, 3) == {42}
    with serving(cutting) as port:
        assert ask(port) == set()
    assert ask(deaf) == set()
