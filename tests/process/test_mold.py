"""The process that workers are forked from: what it is good for, and what the service is without it."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import psutil

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, Gate, wait_gone

if TYPE_CHECKING:
    from pathlib import Path

SITE = "site_app:app"
ADDRESS = "127.0.0.1"


def test_a_worker_comes_back_with_the_code_that_was_imported(tmp_path: Path) -> None:
    """Whatever is on disk by then; it is the master's own child. Without its mold the service goes on."""
    write_app(tmp_path, "old")
    with ServerProcess(SITE, "--workers", "2", *PATIENT, cwd=tmp_path) as server:
        first, second = server.wait_workers(2)
        (mold,) = server.molds()
        write_app(tmp_path, "broken", before="1 / 0")
        os.kill(first, signal.SIGKILL)
        server.wait_death(first, "killed by SIGKILL")
        (third,) = set(server.wait_workers(2, "old")) - {second}
        assert psutil.Process(third).ppid() == server.pid
        assert not server.lines("ZeroDivisionError")

        with Load((ADDRESS, server.port)) as load:
            load.wait_answered(50)
            os.kill(mold, signal.SIGKILL)
            server.wait_line("The process that workers of generation 1 are forked from ended: killed by SIGK")
            server.wait_line("WARNING: +The code of generation 1 is imported anew .*, as it is on disk")
            server.wait_line("ZeroDivisionError")
            load.wait_answered(50, "old")
            assert load.pids == {second, third}
        assert not load.lost, load
        assert set(server.workers()) == {second, third}

        write_app(tmp_path, "repaired")
        os.kill(second, signal.SIGKILL)
        server.wait_answer(lambda found: found.text == "repaired")
        assert len(server.molds()) == 1


def test_one_that_stands_still_is_replaced(tmp_path: Path) -> None:
    """Who asks it for a worker waits for timeouts.boot, and no longer; a stop does not wait at all."""
    write_app(tmp_path, "good")
    limit = f"{PATIENCE / 2:g}"  # also that of the start
    with ServerProcess(SITE, "--workers", "2", "--timeout-boot", limit, cwd=tmp_path) as server:
        first, second = server.wait_workers(2)
        (mold,) = server.molds()
        os.kill(mold, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        server.wait_line(rf"ERROR: +No worker was forked within {limit} s \(timeouts\.boot\)")
        assert second in server.wait_workers(2)
        assert len(server.molds()) == 1
        assert server.stop() == 0
        assert len(server.lines("No worker was forked")) == 1
    with ServerProcess(SITE, "--workers", "2", "--timeout-boot", "600", cwd=tmp_path) as server:
        first, _ = server.wait_workers(2)
        (mold,) = server.molds()
        os.kill(mold, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        server.wait_death(first, "killed by SIGKILL")
        assert server.stop() == 0
        assert not server.lines("No worker was forked")


def test_one_that_dies_in_a_reload_ends_that_reload(tmp_path: Path) -> None:
    """Not the service; nor does it outlive a master that is killed."""
    write_app(tmp_path, "good")
    with Gate() as gate, ServerProcess(SITE, "--workers", "2", cwd=tmp_path) as server:
        workers, (mold,) = server.workers(), server.molds()
        write_app(tmp_path, "new", before=f"gate({gate.port})")
        server.signal(signal.SIGHUP)
        visitor = gate.wait_visitor()
        (importing,) = set(server.molds()) - {mold}
        os.kill(importing, signal.SIGKILL)
        visitor.wait_end()
        server.wait_line(
            r"Reload failed: Importing the application ended the process: killed by SIGKILL\. "
            r"The old workers go on\.$"
        )
        assert server.wait_workers(2, "good") == workers
        assert server.molds() == [mold]

        server.signal(signal.SIGHUP)
        gate.wait_visitor()
        molds = server.molds()
        assert len(molds) == 2
        server.signal(signal.SIGKILL)
        for pid in (*workers, *molds):
            wait_gone(pid)  # also the one at the gate, which looks at nothing
        with socket.create_server((ADDRESS, server.port)):
            pass


def test_code_that_must_not_be_forked_is_imported_by_each_worker(tmp_path: Path) -> None:
    """A warning says what is wrong with it; it is served, and reloaded, all the same."""
    starts_a_thread = """
        import threading
        threading.Thread(target=threading.Event().wait, name="price-poller", daemon=True).start()
    """
    write_app(tmp_path, "old", before=starts_a_thread)
    flags = ("--workers", "2", *PATIENT)
    with ServerProcess(SITE, *flags, cwd=tmp_path) as server:
        server.wait_line(
            r"WARNING: +preload is not possible: importing site_app:app started the thread .price-poller.; "
            "workers import it by themselves"
        )
        old = server.wait_workers(2, "old")
        assert server.molds() == []
        assert all(psutil.Process(pid).num_threads() > 1 for pid in old)
        write_app(tmp_path, "new")
        server.signal(signal.SIGHUP)
        server.wait_line("Reload done")
        server.wait_workers(2, "new")
        assert len(server.molds()) == 1  # the new code may be forked
        assert len(server.lines("WARNING|ERROR")) == 1
