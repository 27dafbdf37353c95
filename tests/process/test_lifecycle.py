"""From the command line to the exit code: what comes up, answers, and ends when it is asked to."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.apps.written import write_app
from tests.support.client import Connection, ConnectionEnded
from tests.support.client_load import PATIENT, Load
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL = "tests.support.apps.journal:app"


class TestStart:
    def test_the_address_is_printed_with_the_port_that_was_picked(self) -> None:
        """With port 0 the log names the real port, and an HTTP client gets its answer there."""
        with ServerProcess() as server:
            answer = server.get("/?hello")
            assert server.url == f"http://127.0.0.1:{server.port}"
            assert server.port != 0
            assert (answer.status, answer.text) == (200, "basic")
            assert answer.headers["x-query"] == "hello"
            assert answer.headers["server"] == "srvctl"
            assert "date" in answer.headers
            assert [answer.pid] == server.workers()
            assert answer.pid != server.pid

    def test_two_workers_share_the_work(self) -> None:
        """Over many connections both processes answer."""
        with ServerProcess(BASIC, "--workers", "2") as server:
            assert len(server.wait_workers(2)) == 2

    def test_one_address_line_is_printed_once_all_workers_are_up(self) -> None:
        """The line comes once, after the startup of the last worker: who waits for it is never early."""
        with ServerProcess(JOURNAL, "--workers", "2", env={"JOURNAL": os.devnull}) as server:
            server.stop()
            *before, running = [line.text for line in server.lines("startup complete|running on")][:3]
            assert all("startup complete" in line for line in before)
            assert "running on" in running
            assert len(server.lines("running on")) == 1

    def test_several_addresses_are_served(self, tmp_path: Path) -> None:
        """Each --bind gets its line, and its clients their answers."""
        path = tmp_path / "s"
        with ServerProcess(BASIC, "--bind", f"unix:{path}") as server:
            server.wait_line(f"running on unix socket {path} ")
            with Connection(str(path)) as client:
                assert client.get().pid == server.get().pid
        assert not path.exists()

    def test_the_asyncio_loop_serves_too(self) -> None:
        """--loop asyncio starts, answers and stops as uvloop does."""
        with ServerProcess(BASIC, "--loop", "asyncio") as server:
            assert server.get().text == "basic"
            assert server.stop() == 0


class TestLifespan:
    def test_startup_and_shutdown_run_once_per_worker(self, tmp_path: Path) -> None:
        """Each worker starts before its first request and shuts down after its last one."""
        journal = tmp_path / "journal"
        with (
            Gate() as gate,
            ServerProcess(JOURNAL, "--workers", "2", env={"JOURNAL": str(journal)}) as server,
        ):
            workers = server.workers()
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                server.signal(signal.SIGTERM)
                server.wait_line("Waiting for 1 request to finish")
                visitor.let_pass()
                busy = client.read_response().pid
            assert server.wait_exit() == 0
        events = [line.split(" ", 1) for line in journal.read_text().splitlines()]
        idle = next(pid for pid in workers if pid != busy)
        assert [event for pid, event in events if int(pid) == idle] == [
            "lifespan.startup",
            "lifespan.shutdown",
        ]
        assert [event for pid, event in events if int(pid) == busy] == [
            "lifespan.startup",
            "answered /hold",
            "lifespan.shutdown",
        ]

    def test_a_shutdown_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        """It has --timeout-lifespan-shutdown after the last request, however long requests may take."""
        hanging = """
            import asyncio
            async def app(scope, receive, send):
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await asyncio.Event().wait()
        """
        write_app(tmp_path, "hanging", after=hanging)
        flags = ("--timeout-graceful-shutdown", "600", "--timeout-lifespan-shutdown", "0.2")
        with ServerProcess("site_app:app", *flags, cwd=tmp_path) as server:
            assert server.stop() == 0

    def test_a_shutdown_that_raises_is_reported(self, tmp_path: Path) -> None:
        """Its traceback is logged; the service was asked to stop, and has: exit 0."""
        raising = """
            async def app(scope, receive, send):
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                raise RuntimeError("cannot say goodbye")
        """
        file = write_app(tmp_path, "raising", after=raising)
        with ServerProcess("site_app:app", cwd=tmp_path) as server:
            assert server.stop() == 0
            server.wait_line("^ERROR: +Application shutdown failed. Exiting.$")
            server.wait_line(rf'^  File "{file}", line \d+, in app$')
            assert len(server.lines("^RuntimeError: cannot say goodbye$")) == 1


class TestStop:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_running_request_gets_its_whole_response(self, number: signal.Signals) -> None:
        """TERM and INT wait for it, take nothing new, and the exit code is 0."""
        with Gate() as gate, ServerProcess(BASIC, "--workers", "2") as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                server.signal(number)
                server.wait_line(f"Received {number.name}, stopping")
                server.wait_line("Waiting for 1 request to finish")
                visitor.let_pass()
                answer = client.read_response()
            assert (answer.status, answer.text) == (200, "held")
            assert answer.is_last
            assert server.wait_exit() == 0
            assert not server.lines("ERROR|WARNING|Traceback")

    def test_ctrl_c_reaches_the_whole_group_and_is_graceful(self) -> None:
        """A terminal sends INT to the workers too; they leave the decision to the master."""
        with Gate() as gate, ServerProcess(BASIC, "--workers", "2") as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                server.signal_group(signal.SIGINT)
                server.wait_line("Waiting for 1 request to finish")
                visitor.let_pass()
                assert client.read_response().text == "held"
            assert server.wait_exit() == 0
            assert not server.lines("ERROR|WARNING|Traceback|KeyboardInterrupt")

    def test_a_request_that_lasts_too_long_is_cut_off(self) -> None:
        """After --timeout-graceful-shutdown it is cancelled; that is no failure of the service: exit 0."""
        limit = ("--timeout-graceful-shutdown", "0.5")
        with Gate() as gate, ServerProcess(BASIC, *limit) as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                assert visitor.wait_word() == str(server.workers()[0])
                server.signal(signal.SIGTERM)
                assert client.read_response().status == 500
                assert visitor.wait_word() == ""  # the application's task was cancelled and tidied up
            assert server.wait_exit() == 0
            server.wait_line(r"ERROR: +Cancel 1 running task\(s\), timeout graceful shutdown exceeded")

    def test_a_second_term_forces(self) -> None:
        """Whoever asks again does not want to wait: the running request is given up; exit 0 all the same."""
        with Gate() as gate, ServerProcess(BASIC, "--workers", "2") as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                busy = int(gate.wait_visitor().wait_word())
                [idle] = set(server.workers()) - {busy}
                server.signal(signal.SIGTERM)
                first, _ = server.stderr.wait("Received SIGTERM, stopping")
                server.wait_death(idle)
                server.signal_after(first.at + 0.5, signal.SIGTERM)
                with pytest.raises((ConnectionEnded, ConnectionResetError)):
                    client.read_response()
            assert server.wait_exit() == 0
            server.wait_line("Received SIGTERM, ending 1 worker at once")

    def test_an_echo_of_the_first_signal_does_not_force(self) -> None:
        """A launcher that passes on what the terminal sent to all asks twice and means it once."""
        with Gate() as gate, ServerProcess() as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                server.signal(signal.SIGSTOP)  # so that both signals are there when it looks
                server.signal(signal.SIGINT)
                server.signal(signal.SIGTERM)
                server.signal(signal.SIGCONT)
                server.wait_line("Waiting for 1 request to finish")
                visitor.let_pass()
                assert client.read_response().text == "held"
            assert server.wait_exit() == 0
            assert not server.lines("at once")

    def test_quit_does_not_wait(self) -> None:
        """QUIT gives running requests up; the exit code is 0."""
        with Gate() as gate, ServerProcess(BASIC, "--workers", "2") as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                gate.wait_visitor()
                server.signal(signal.SIGQUIT)
                with pytest.raises((ConnectionEnded, ConnectionResetError)):
                    client.read_response()
            assert server.wait_exit() == 0
            server.wait_line("Received SIGQUIT, ending 2 workers at once")

    def test_an_idle_connection_is_closed(self) -> None:
        """A kept-alive connection without a request delays the stop by --timeout-drain-idle at most."""
        flags = ("--timeout-keep-alive", "600", "--timeout-drain-idle", "0.2")
        with ServerProcess(BASIC, *flags) as server:
            with server.connect() as client:
                assert not client.get().is_last
                server.signal(signal.SIGTERM)
                assert client.read_until_end() == b""
            assert server.wait_exit() == 0
            assert not server.lines("ERROR|WARNING")

    def test_a_request_on_an_idle_connection_is_still_answered(self) -> None:
        """A client that could not know of the stop yet gets its response, and learns that it is the last."""
        flags = ("--timeout-keep-alive", "600", "--timeout-drain-idle", "600")
        with ServerProcess(BASIC, *flags) as server:
            with server.connect() as client:
                client.get()
                server.signal(signal.SIGTERM)
                server.wait_line("Shutting down")
                answer = client.get()
                assert answer.status == 200
                assert client.read_until_end() == b""
            assert server.wait_exit() == 0

    def test_what_the_kernel_had_queued_is_answered(self) -> None:
        """Clients that were connected before the stop, but not accepted yet, are not reset."""
        with Gate() as gate, ServerProcess() as server:
            worker = server.workers()[0]
            with server.connect() as first:
                first.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                os.kill(worker, signal.SIGSTOP)
                late = [server.connect() for _ in range(20)]
                for client in late:
                    client.send_get()
                server.signal(signal.SIGTERM)
                server.wait_line("Received SIGTERM, stopping")
                os.kill(worker, signal.SIGCONT)
                for client in late:
                    with client:
                        assert client.read_response().text == "basic"
                visitor.let_pass()
                assert first.read_response().text == "held"
            assert server.wait_exit() == 0

    def test_new_connections_are_refused(self) -> None:
        """While the last request runs, the port is closed, so that a load balancer goes elsewhere."""
        with Gate() as gate, ServerProcess() as server:
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                server.signal(signal.SIGTERM)
                server.wait_line("Waiting for 1 request to finish")
                with pytest.raises(ConnectionRefusedError), server.connect():
                    pass
                visitor.let_pass()
                assert client.read_response().text == "held"
            assert server.wait_exit() == 0

    def test_under_load_clients_are_answered_or_refused(self) -> None:
        """Who is connected gets a whole response, who comes too late is refused; nobody is cut off."""
        with ServerProcess(BASIC, "--workers", "2", *PATIENT) as server:
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(500)
                server.signal(signal.SIGTERM)
                assert server.wait_exit() == 0
            assert {lost.how for lost in load.lost} <= {"refused"}, load

    def test_the_port_is_free_afterwards(self) -> None:
        """Another server can have the port at once."""
        with ServerProcess() as server:
            server.get()
            assert server.stop() == 0
            with socket.create_server(("127.0.0.1", server.port)):
                pass
