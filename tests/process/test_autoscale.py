"""Workers that come with the load and go when it is over; nothing is lost, and an operator has a say."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from tests.support.client_load import PATIENT, Load
from tests.support.server import BASIC
from tests.support.server_waits import Gate
from tests.support.supervised import AILING, Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALED = r"Scaled from {} to {} workers?: "


@contextlib.contextmanager
def burning(server: Supervised, threads: int) -> Iterator[list[int]]:
    """Have clients send requests that compute; yield the status of each answer."""
    stop = threading.Event()
    answers: list[int] = []

    def burn() -> None:
        while not stop.is_set():
            answers.append(server.get("/compute_in_the_loop?n=0.05").status)

    running = [threading.Thread(target=burn) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in running:
            thread.join()


def test_requests_in_flight_bring_workers_up_to_the_most_and_nothing_is_lost_as_they_go() -> None:
    """Twelve requests wait in one worker, and four each are wanted: three workers are all there may be.

    A reload and the operator are obeyed meanwhile, and none of them brings the first number back.
    """
    flags = ("--max-workers", "3", "--scale-in-flight", "3", "--scale-down-delay", "1")
    with Gate() as gate, Supervised(BASIC, *flags, *PATIENT) as server, contextlib.ExitStack() as stack:
        [first] = server.workers()
        clients = [stack.enter_context(server.connect()) for _ in range(12)]
        for client in clients:
            client.send_get(f"/hold?gate={gate.port}")
        visitors = [gate.wait_visitor() for _ in clients]
        server.wait_line(SCALED.format(r"\d", 3) + r"\d+ requests in flight per worker \(3 wanted\)")
        server.wait_line(r"WARNING: +The load needs 4 workers, and there are \d \(workers\.max\)")
        assert first in server.wait_workers(3)
        done = server.command("status")
        assert "3 workers are wanted, of 1 to 3 by the load, which needs more (workers.max)" in done.stdout
        done = server.command("scale", "4")
        assert done.returncode == 5
        assert "from 1 (workers.min) to 3 (workers.max); 4 is not between them" in done.stderr
        # With pauses: clients that take none keep more than one worker busy, on a machine that is fast.
        with Load(("127.0.0.1", server.port), pause=0.01) as load:
            for visitor in visitors:
                visitor.let_pass()
            assert {client.read_response().status for client in clients} == {200}
            load.wait_answered(100)
            for client in clients:
                client.socket.close()
            server.wait_line(SCALED.format(3, 2))
            server.wait_line(SCALED.format(2, 1))
            gone = server.wait_death(count=2)[1]
            assert server.death(int(gone)).asked_by == "scaled down"
            wait_until(lambda: server.workers() == [first], "the first worker stays")
            load.wait_answered(100)
        assert not load.lost, load
        done = server.command("scale", "2")
        assert done.stdout.startswith("Scaled to 2 workers, from where their number follows the load"), done
        server.wait_line(SCALED.format(2, 1), count=2)
        assert not server.lines("ERROR")


def test_loops_that_are_busy_bring_workers_and_a_reload_keeps_them() -> None:
    """However little of a CPU there is for the test: a tenth of one is what is wanted."""
    flags = ("--min-workers", "1", "--max-workers", "2", "--scale-utilization", "10")
    with Supervised(AILING, *flags, "--scale-down-delay", "600", *PATIENT) as server:
        [first] = server.workers()
        with burning(server, 3) as answers:
            server.wait_line(SCALED.format(1, 2) + r"(loops \d+ % busy|requests for \S+ busy loops)")
            assert first in server.wait_workers(2)
            events = server.command("events")
            assert "2 workers wanted: " in events.stdout
        assert set(answers) == {200}
        old = set(server.wait_workers(2))
        done = server.command("reload")
        assert done.returncode == 0, done
        assert "generation 2 runs in 2 workers" in done.stdout
        assert not old & set(server.wait_workers(2))
        assert server.status()["scale"]["changes"]["up utilization"] == 1
        assert not server.lines("ERROR")
