"""TTIN and TTOU change the number of workers; signals with no meaning do no harm."""

from __future__ import annotations

import os
import signal

from tests.support.client_load import PATIENT, Load
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate


class TestScale:
    def test_the_number_of_workers_follows_without_a_loss(self) -> None:
        """From one to three and back under load; every request is answered."""
        with ServerProcess(BASIC, *PATIENT) as server:
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(100)
                for count in (2, 3):
                    server.signal(signal.SIGTTIN)
                    server.wait_line(f"Received SIGTTIN, scaling to {count} worker")
                    assert len(server.wait_workers(count)) == count
                    load.wait_answered(200)
                for gone in (1, 2):
                    server.signal(signal.SIGTTOU)
                    server.wait_death(count=gone)
                    load.wait_answered(200)
                assert len(server.workers()) == 1
            assert not load.lost, load
            assert not server.lines("ERROR|WARNING")

    def test_one_worker_is_the_floor(self) -> None:
        """TTOU never takes the last worker."""
        with ServerProcess() as server:
            before = server.workers()
            for count in (1, 2):
                server.signal(signal.SIGTTOU)
                server.wait_line("Received SIGTTOU, scaling to 1 worker", count=count)
            assert server.wait_workers(1) == before
            assert not server.lines("Shutting down")

    def test_a_worker_that_is_not_wanted_any_more_finishes_its_request(self) -> None:
        """The request that runs on it is answered, however long that takes."""
        with Gate() as gate, ServerProcess(BASIC, "--workers", "2") as server:
            second = server.workers()[1]
            with server.hold_on(second, gate) as (client, visitor):
                server.signal(signal.SIGTTOU)
                server.wait_line("Waiting for 1 request to finish")
                visitor.let_pass()
                assert client.read_response().pid == second
            server.wait_death(second)


def test_signals_without_a_meaning_do_not_kill() -> None:
    """USR1 to all and USR2 to a worker, whose default is to end a process, leave master and workers alone."""
    with ServerProcess() as server:
        before = server.workers()
        server.signal_group(signal.SIGUSR1)
        os.kill(before[0], signal.SIGUSR2)
        server.signal(signal.SIGTTOU)  # its line tells that the others were looked at
        server.wait_line("scaling to 1 worker")
        assert server.wait_workers(1) == before
        assert not server.lines("ERROR|WARNING|pgrade")


def test_a_hangup_of_the_terminal_is_the_masters_business() -> None:
    """HUP, TTIN and TTOU to the whole process group reach the fleet once and end no worker by themselves."""
    with ServerProcess() as server:
        (old,) = server.workers()
        server.signal_group(signal.SIGHUP)
        server.wait_line("Reload done: generation 2 runs in 1 worker")
        server.wait_death(old)
        assert server.wait_workers(1) != [old]
        assert not server.lines("ERROR|WARNING|drains by itself")
