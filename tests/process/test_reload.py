"""HUP: the code on disk replaces the code that runs, or the code that runs goes on; no request is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, Gate
from tests.support.supervised import wait_until

SITE = "site_app:app"
STARTUP_THAT_RAISES = """
    async def app(scope, receive, send):
        await receive()
        raise RuntimeError("no database")
"""
#: Each start is a byte in a file; the third one fails.
THIRD_START_RAISES = """
    import pathlib
    serve = app
    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await serve(scope, receive, send)
        await receive()
        starts = pathlib.Path("starts")
        with starts.open("a") as file:
            file.write(".")
        if starts.stat().st_size == 3:
            raise RuntimeError("no third connection to the database")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
"""
STARTUP_THAT_NEVER_ENDS = """
    import asyncio
    async def app(scope, receive, send):
        await receive()
        await asyncio.Event().wait()
"""
#: Each start waits at the gate, and fails once there is a file called bad.
GATED = """
    import asyncio, os
    serve = app
    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await serve(scope, receive, send)
        await receive()
        reader, writer = await asyncio.open_connection("127.0.0.1", {port})
        try:
            await reader.readline()
        finally:
            writer.close()
        if os.path.exists("bad"):
            raise RuntimeError("no database")
        await send({{"type": "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
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
            server.wait_death(old)
            assert server.workers() == [answer.pid]
            assert not server.lines("ERROR|WARNING")

    @pytest.mark.parametrize(("surge", "preload"), [("1", "auto"), ("2", "off")])
    def test_no_request_is_lost(self, tmp_path: Path, surge: str, preload: str) -> None:
        """Three reloads under kept and new connections: every one of some thousand requests is answered."""
        write_app(tmp_path, "v1")
        flags = ("--workers", "2", "--max-surge", surge, "--preload", preload, *PATIENT)
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
            server.wait_death(count=6)
            wait_until(lambda: len(server.molds()) == (preload == "auto"), "a former mold lives on")
            wait_until(lambda: descriptors(server.pid) == open_before, "others are open than before")
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
        """Thirty HUPs, faster than a reload can be done, end with the thirtieth code in every worker."""
        write_app(tmp_path, "v0")
        flags = ("--workers", "2", *PATIENT)
        with ServerProcess(SITE, *flags, cwd=tmp_path) as server:
            with Load(("127.0.0.1", server.port), keeping=1, renewing=1) as load:
                began = time.monotonic()
                for number in range(1, 31):
                    write_app(tmp_path, f"v{number}")
                    server.signal_after(began + number * 0.1, signal.SIGHUP)
                server.wait_workers(2, "v30")
                load.wait_answered(100, "v30")
            assert not load.lost, load
            assert server.stop() == 0
            assert not server.lines("ERROR|WARNING")
            assert len(server.lines("Reload done")) < 30

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
        loading = "Error loading ASGI app"
        broken = {
            "SyntaxError": ({"before": "def broken(:\n    pass"}, loading),
            "ModuleNotFoundError: No module named 'no_such_thing'": (
                {"before": "import no_such_thing"},
                loading,
            ),
            "ZeroDivisionError: division by zero": ({"before": "1 / 0"}, loading),
            "RuntimeError: no database": ({"after": STARTUP_THAT_RAISES}, "Application startup failed"),
            "exit code 7": ({"before": "import os; os._exit(7)"}, "Importing the application"),
        }
        write_app(tmp_path, "good")
        with ServerProcess(SITE, "--workers", "2", *PATIENT, cwd=tmp_path) as server:
            old = server.workers()
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(200, "good")
                for error, (code, message) in broken.items():
                    file = write_app(tmp_path, "bad", **code)
                    mark = server.mark()
                    server.signal(signal.SIGHUP)
                    server.wait_line(error, since=mark)
                    if "exit" not in error:
                        server.wait_line(f'File "{file}", line', since=mark)
                    server.wait_line(
                        rf"ERROR: +Reload failed: {message}\b.*\. The old workers go on\.$", since=mark
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
            wait_until(lambda: len(server.molds()) == 1, "another mold lives on")

    def test_all_go_back_if_the_third_of_four_fails(self, tmp_path: Path) -> None:
        """Those that were replaced get the old code again, though it is not on disk any more."""
        write_app(tmp_path, "good")
        with ServerProcess(SITE, "--workers", "4", *PATIENT, cwd=tmp_path) as server:
            (mold,) = server.molds()
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(100, "good")
                file = write_app(tmp_path, "bad", after=THIRD_START_RAISES)
                server.signal(signal.SIGHUP)
                server.wait_line(
                    r"Reload failed: Application startup failed\. Exiting\. The old workers go on\. "
                    r"2 of 4 go back to the old code\.$"
                )
                server.wait_line(f'File "{file}", line')
                server.wait_death(count=4)  # two of the old workers, and two of the new
                server.wait_workers(4, "good")
                load.wait_answered(100, "good")
            assert not load.lost, load
            wait_until(lambda: server.molds() == [mold], "the other mold lives on")
            assert {server.get().text for _ in range(20)} == {"good"}
            assert len(server.lines("RuntimeError: no third connection")) == 1

    def test_the_first_worker_is_watched(self, tmp_path: Path) -> None:
        """If it dies before reload.bake is over no other is replaced; TERM does not wait for that time."""
        write_app(tmp_path, "good")
        with ServerProcess(SITE, "--workers", "2", "--reload-bake", "600", cwd=tmp_path) as server:
            old = server.workers()
            write_app(tmp_path, "bad")
            server.signal(signal.SIGHUP)
            os.kill(server.wait_answer(lambda found: found.text == "bad").pid, signal.SIGKILL)
            server.wait_line(
                r"Reload failed: a new worker died: killed by SIGKILL\. The old workers go on\.$"
            )
            assert server.wait_workers(2, "good") == old
            write_app(tmp_path, "new")
            server.signal(signal.SIGHUP)
            server.wait_answer(lambda found: found.text == "new")
            assert server.workers()[:2] == old
            assert server.stop() == 0
            assert not server.lines("Reload done")

    def test_code_that_hangs_is_given_up(self, tmp_path: Path) -> None:
        """What is not imported, or not ready, within --timeout-boot is killed; the old worker goes on."""
        write_app(tmp_path, "good")
        settings = tmp_path / "site.toml"
        settings.touch()  # whoever is to succeed has all the time
        with ServerProcess(SITE, "-c", str(settings), cwd=tmp_path) as server:
            old, molds = server.workers(), server.molds()
            write_app(tmp_path, "bad", before="import time; time.sleep(600)")
            settings.write_text("[timeouts]\nboot = 1\n")
            server.signal(signal.SIGHUP)
            server.wait_line(
                r"Reload failed: The application was not imported within 1 s \(timeouts\.boot\)\. "
                r"The old workers go on\.$"
            )
            write_app(tmp_path, "bad", after=STARTUP_THAT_NEVER_ENDS)
            limit = f"{6 * FACTOR:g}"  # enough for the import, which is to succeed
            settings.write_text(f"[timeouts]\nboot = {limit}\n")
            server.signal(signal.SIGHUP)
            server.wait_line(
                rf"ERROR: +Worker \[\d+\] was not ready within {limit} s \(timeouts.boot\); killing it"
            )
            server.wait_line("Reload failed: a new worker was not ready within")
            server.wait_death(cause="killed by SIGKILL")
            assert server.wait_workers(1, "good") == old
            wait_until(lambda: server.molds() == molds, "another mold lives on")


class TestStop:
    """TERM in the middle of a reload is obeyed at once: exit 0, long before the time to boot is over."""

    def test_while_the_code_is_imported(self, tmp_path: Path) -> None:
        """The mold is killed."""
        write_app(tmp_path, "good")
        with Gate() as gate, ServerProcess(SITE, "--workers", "2", cwd=tmp_path) as server:
            write_app(tmp_path, "bad", before=f"gate({gate.port})")
            server.signal(signal.SIGHUP)
            gate.wait_visitor()
            assert server.stop() == 0
            assert not server.lines("ERROR|WARNING|Traceback")

    @pytest.mark.parametrize("stage", ["first worker", "second worker", "going back"])
    def test_while_a_worker_starts(self, tmp_path: Path, stage: str) -> None:
        """Its asynchronous startup is cancelled, whichever worker it is."""
        with Gate() as gate:
            write_app(tmp_path, "good", after=GATED.format(port=gate.port))
            flags = ("--workers", "2")
            with ServerProcess(SITE, *flags, cwd=tmp_path, is_ready=False) as server:
                for visitor in [gate.wait_visitor(), gate.wait_visitor()]:
                    visitor.let_pass()
                server.wait_ready()
                server.signal(signal.SIGHUP)
                visitor = gate.wait_visitor()
                if stage != "first worker":
                    visitor.let_pass()
                    visitor = gate.wait_visitor()
                if stage == "going back":
                    (tmp_path / "bad").touch()
                    visitor.let_pass()
                    server.wait_line("Reload failed: .* 1 of 2 go back to the old code")
                    visitor = gate.wait_visitor()
                server.signal(signal.SIGTERM)
                visitor.wait_end()
                assert server.wait_exit() == 0
                assert not server.lines("Reload done|killing it")
