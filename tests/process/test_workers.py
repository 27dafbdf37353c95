"""Workers that die, leave or cannot come back; and what becomes of them without their master."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.client_load import PATIENT, Load
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate, wait_gone
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Response


def test_a_killed_worker_is_replaced_and_the_others_lose_nothing() -> None:
    """Only requests on connections of the worker that died are lost; its end is logged."""
    answered: set[Connection] = set()  # of the others, nobody knows which worker has them

    class Known(Connection):
        def read_response(self) -> Response:
            response = super().read_response()
            answered.add(self)
            return response

    with ServerProcess(BASIC, "--workers", "2", *PATIENT) as server:
        workers = server.wait_workers(2)
        with Load(("127.0.0.1", server.port), keeping=6, renewing=0, connect=Known) as load:
            wait_until(lambda: len(answered) == 6, "not every connection has had an answer")
            load.wait_answered(300)
            os.kill(workers[0], signal.SIGKILL)
            server.wait_line(
                rf"ERROR: +Worker \[{workers[0]}\] died \(killed by SIGKILL\); slot \d gets a new"
            )
            (new,) = set(server.wait_workers(2)) - set(workers)
            load.wait_answered(300)
        assert {lost.pid for lost in load.lost} <= {workers[0]}, load
        assert new not in workers
        assert len(server.lines("ERROR")) == 1


def test_a_worker_that_is_asked_to_leave_is_replaced_without_a_loss() -> None:
    """SIGTERM to one worker: it drains, a new one takes its place, every request is answered."""
    with ServerProcess(BASIC, "--workers", "2", *PATIENT) as server:
        workers = server.wait_workers(2)
        with Load(("127.0.0.1", server.port)) as load:
            load.wait_answered(300)
            os.kill(workers[0], signal.SIGTERM)
            server.wait_line(rf"Worker \[{workers[0]}\] drains by itself; slot \d gets a new one")
            server.wait_death(workers[0])
            assert workers[0] not in server.wait_workers(2)
            load.wait_answered(300)
        assert not load.lost, load
        assert not server.lines("ERROR|WARNING")


def test_the_only_worker_can_leave_without_a_loss() -> None:
    """With one worker, clients wait in the listener's queue until its successor is up."""
    with ServerProcess(BASIC, *PATIENT) as server:
        (old,) = server.workers()
        with Load(("127.0.0.1", server.port)) as load:
            load.wait_answered(100)
            os.kill(old, signal.SIGTERM)
            server.wait_death(old)
            load.wait_answered(300)
        assert not load.lost, load
        assert load.pids == {old, *server.workers()}


def test_a_crash_loop_is_slowed_down_and_the_service_lives(tmp_path: Path) -> None:
    """A slot that cannot come back tries ever later; the others serve; repaired code ends it."""
    attempts = tmp_path / "attempts"
    dying = f"""
        import os, time
        with open({str(attempts)!r}, "a") as file:
            file.write(f"{{time.monotonic()}}\\n")
        os._exit(7)
    """
    write_app(tmp_path, "good")
    flags = ("--workers", "2", "--preload", "off")  # a mold would bring back the code that runs
    with ServerProcess("site_app:app", *flags, cwd=tmp_path) as server:
        doomed, other = server.wait_workers(2)
        write_app(tmp_path, "bad", before=dying)
        os.kill(doomed, signal.SIGKILL)
        server.wait_line(r"ERROR: +Worker \[\d+\] ended before it was ready: exit code 7", count=3)
        assert server.get().pid == other
        write_app(tmp_path, "good")
        # The first death is replaced at once; then at least 0.5 s and 1 s pass.
        first, second, third = [float(line) for line in attempts.read_text().splitlines()][:3]
        assert second - first >= 0.5
        assert third - second >= 1.0
        assert server.wait_workers(2, "good")[0] == other
        assert server.stop() == 0


def test_a_stop_does_not_wait_for_a_slot_that_waits(tmp_path: Path) -> None:
    """TERM while a slot backs off ends the service at once."""
    write_app(tmp_path, "good")
    with ServerProcess("site_app:app", "--workers", "2", "--preload", "off", cwd=tmp_path) as server:
        doomed, _ = server.workers()
        write_app(tmp_path, "bad", before="1 / 0")
        os.kill(doomed, signal.SIGKILL)
        server.wait_line("ZeroDivisionError", count=2)
        assert server.stop() == 0


def test_workers_end_with_their_master() -> None:
    """SIGKILL of the master: the kernel ends workers, busy ones too, and mold, and the port is free."""
    flags = ("--workers", "2", "--timeout-graceful-shutdown", "600")
    with Gate() as gate, ServerProcess(BASIC, *flags) as server:
        children = server.wait_workers(2) + server.molds()
        assert len(children) == 3
        with server.connect() as client:
            client.send_get(f"/hold?gate={gate.port}")
            gate.wait_visitor()
            server.signal(signal.SIGKILL)
            for pid in children:  # by itself, the busy one would wait longer for its request than this does
                wait_gone(pid)
            assert server.wait_exit() == -signal.SIGKILL
        with socket.create_server(("127.0.0.1", server.port)):
            pass


def test_a_worker_that_is_stopped_does_not_stop_the_stop() -> None:
    """A worker that reacts to nothing is killed when its time is over; the exit code stays 0."""
    flags = ("--timeout-graceful-shutdown", "0", "--timeout-lifespan-shutdown", "0")
    with ServerProcess(BASIC, "--workers", "2", *flags) as server:
        stuck, _ = server.workers()
        os.kill(stuck, signal.SIGSTOP)
        assert server.stop() == 0
        server.wait_line(rf"WARNING: +Worker \[{stuck}\] did not end within 4 s; killing it")
