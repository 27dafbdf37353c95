"""HUP: the code on disk replaces the code that runs, or the code that runs goes on; no request is lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, Gate

SITE = "site_app:app"
STARTUP_THAT_RAISES = """
    async def app(scope, receive, send):
        await receive()
        raise RuntimeError("no database")
"""


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class TestNewCode:
    def test_it_is_served_while_an_old_request_finishes(self, tmp_path: Path) -> None:
        """After HUP new requests get the new code; the one that runs ends in the old, whole."""
        write_app(tmp_path, "old")
        with Gate() as gate, ServerProcess(SITE, cwd=tmp_path) as server:
            (old,) = server.workers()
            with server.connect() as client:
                client.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                write_app(tmp_path, "new")
                server.signal(signal.SIGHUP)
                server.wait_line("Reload done: generation 2 runs in 1 worker")
                server.wait_line("Waiting for 1 request to finish")
                answer = server.wait_answer(lambda found: found.text == "new")
                assert answer.pid != old
                visitor.let_pass()
                last = client.read_response()
                assert (last.status, last.text, last.pid) == (200, "held", old)
                assert last.is_last
            server.wait_line(rf"Worker \[{old}\] ended \(exit code 0\)")
            assert server.workers() == [answer.pid]
            assert not server.lines("ERROR|WARNING")

    @pytest.mark.parametrize("surge", ["1", "2"])
    def test_no_request_is_lost(self, tmp_path: Path, surge: str) -> None:
        """Three reloads under kept and new connections: every one of some thousand requests is answered."""
        write_app(tmp_path, "v1")
        flags = ("--workers", "2", "--max-surge", surge, *PATIENT)
        with ServerProcess(SITE, *flags, cwd=tmp_path) as server:
            open_before = descriptors(server.pid)
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(300, "v1")
                for number in (2, 3, 4):
                    write_app(tmp_path, f"v{number}")
                    server.signal(signal.SIGHUP)
                    server.wait_line(f"Reload done: generation {number} runs in 2 workers")
                    load.wait_answered(300, f"v{number}")
                load.wait_answered(max(0, 2000 - load.total))
            assert not load.lost, load
            server.wait_workers(2, "v4")
            server.wait_line(r"Worker \[\d+\] ended \(exit code 0\)", count=6)
            assert descriptors(server.pid) == open_before
            assert not server.lines("ERROR|WARNING")

    def test_no_request_is_lost_on_a_unix_socket(self, tmp_path: Path) -> None:
        """The same behind a proxy that comes through a Unix socket, whose file stays the same."""
        write_app(tmp_path, "v1")
        path = tmp_path / "s"
        flags = ("--workers", "2", *PATIENT)
        with ServerProcess(SITE, *flags, cwd=tmp_path, bind=f"unix:{path}") as server:
            inode = path.stat().st_ino
            with Load(str(path)) as load:
                load.wait_answered(300, "v1")
                write_app(tmp_path, "v2")
                server.signal(signal.SIGHUP)
                server.wait_line("Reload done")
                load.wait_answered(300, "v2")
            assert not load.lost, load
            assert path.stat().st_ino == inode

    def test_a_burst_ends_with_the_last_code(self, tmp_path: Path) -> None:
        """Ten HUPs, faster than a worker can start, end with the tenth code in every worker."""
        write_app(tmp_path, "v0")
        with ServerProcess(SITE, "--workers", "2", cwd=tmp_path) as server:
            for number in range(1, 11):
                write_app(tmp_path, f"v{number}")
                server.signal(signal.SIGHUP)
            server.wait_workers(2, "v10")
            assert server.stop() == 0
            assert not server.lines("ERROR|WARNING")

    def test_a_reload_while_starting_is_not_forgotten(self, tmp_path: Path) -> None:
        """HUP during the first start takes effect once that is complete."""
        with Gate() as gate:
            write_app(tmp_path, "old", before=f"gate({gate.port})")
            with ServerProcess(SITE, cwd=tmp_path, is_ready=False) as server:
                visitor = gate.wait_visitor()
                write_app(tmp_path, "new")
                server.signal(signal.SIGHUP)
                server.wait_line("Received SIGHUP, reloading again after this")
                visitor.let_pass()
                server.wait_ready()
                server.wait_line("Reload done: generation 2 runs in 1 worker")
                server.wait_workers(1, "new")


class TestBrokenCode:
    def test_the_old_workers_go_on_until_good_code_comes(self, tmp_path: Path) -> None:
        """Whatever is wrong with the new code, its traceback is logged and no request is lost."""
        broken = {
            "SyntaxError": {"before": "def broken(:\n    pass"},
            "ModuleNotFoundError: No module named 'no_such_thing'": {"before": "import no_such_thing"},
            "ZeroDivisionError: division by zero": {"before": "1 / 0"},
            "RuntimeError: no database": {"after": STARTUP_THAT_RAISES},
            "exit code 7": {"before": "import os; os._exit(7)"},
        }
        write_app(tmp_path, "good")
        with ServerProcess(SITE, "--workers", "2", *PATIENT, cwd=tmp_path) as server:
            old = server.workers()
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(200, "good")
                for error, code in broken.items():
                    file = write_app(tmp_path, "bad", **code)
                    mark = server.mark()
                    server.signal(signal.SIGHUP)
                    server.wait_line(error, since=mark)
                    if "exit" not in error:
                        server.wait_line(f'File "{file}", line', since=mark)
                    server.wait_line(
                        r"ERROR: +Reload failed: the new code does not run\. The old workers go on\.$",
                        since=mark,
                    )
                    load.wait_answered(100, "good")
                    assert set(server.workers()) >= set(old)
                assert load.pids <= set(old)
                write_app(tmp_path, "better")
                server.signal(signal.SIGHUP)
                server.wait_line("Reload done: generation")
                load.wait_answered(200, "better")
            assert not load.lost, load
            assert {version for _, version in load.answered} == {"good", "better"}
            assert len(server.lines("Reload failed")) == len(broken)
            assert not set(server.wait_workers(2, "better")) & set(old)

    def test_code_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        """New code that is not ready within --timeout-boot is killed; the old worker goes on."""
        write_app(tmp_path, "good")
        limit = f"{3 * FACTOR:g}"
        with Gate() as gate, ServerProcess(SITE, "--timeout-boot", limit, cwd=tmp_path) as server:
            old = server.workers()
            write_app(tmp_path, "bad", before=f"gate({gate.port})")
            server.signal(signal.SIGHUP)
            gate.wait_visitor()
            server.wait_line(
                rf"ERROR: +Worker \[\d+\] was not ready within {limit} s \(timeouts.boot\); killing it"
            )
            server.wait_line("Reload failed")
            server.wait_line(r"Worker \[\d+\] ended \(killed by SIGKILL\)")
            assert server.wait_workers(1, "good") == old

    def test_a_stop_does_not_wait_for_code_that_hangs(self, tmp_path: Path) -> None:
        """TERM in the middle of a reload is obeyed at once: exit 0, long before the time to boot is over."""
        write_app(tmp_path, "good")
        with Gate() as gate, ServerProcess(SITE, "--workers", "2", cwd=tmp_path) as server:
            write_app(tmp_path, "bad", before=f"gate({gate.port})")
            server.signal(signal.SIGHUP)
            gate.wait_visitor()
            server.signal(signal.SIGTERM)
            assert server.wait_exit(patience=10 * FACTOR) == 0
            assert not server.lines("ERROR|WARNING|Traceback")

    def test_a_startup_that_hangs_can_be_stopped(self, tmp_path: Path) -> None:
        """The same where the new code waits in its asynchronous startup."""
        write_app(tmp_path, "good")
        waiting = """
            import asyncio
            async def app(scope, receive, send):
                await receive()
                await asyncio.open_connection("127.0.0.1", {port})
                await asyncio.Event().wait()
        """
        with Gate() as gate, ServerProcess(SITE, cwd=tmp_path) as server:
            write_app(tmp_path, "bad", after=waiting.format(port=gate.port))
            server.signal(signal.SIGHUP)
            gate.wait_visitor()
            server.signal(signal.SIGTERM)
            assert server.wait_exit(patience=10 * FACTOR) == 0
            assert not server.lines("ERROR|WARNING|Traceback")
