"""What a service manager hears of a real service: a datagram socket listens as systemd does."""

from __future__ import annotations

import os
import signal
import socket
import time
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT
from tests.support.commands import srvctl
from tests.support.releases import Releases
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, PATIENCE, Gate
from tests.support.service_manager import ServiceManager
from tests.support.supervised import Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = "site_app:app"
#: Seconds; half of it is the least that a busy machine may be late.
WATCHDOG = 2.0 * FACTOR


def lapses(manager: ServiceManager) -> list[float]:
    """Return the moments at which a service manager had waited too long for a sign of life."""
    found, alive_until = [], float("inf")
    for notice in manager.all:
        if notice.at > alive_until:
            found.append(notice.at)
        if "READY" in notice.fields and alive_until == float("inf"):
            alive_until = notice.at + WATCHDOG
        if "WATCHDOG" in notice.fields:
            alive_until = notice.at + WATCHDOG
        if "EXTEND_TIMEOUT_USEC" in notice.fields and alive_until < float("inf"):
            alive_until = max(alive_until, notice.at + int(notice.fields["EXTEND_TIMEOUT_USEC"]) / 1_000_000)
    return found


@pytest.fixture
def stopped() -> Iterator[list[int]]:
    """Processes that are stopped, and go on after the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_the_watchdog_is_fed_while_workers_beat_and_in_a_stop(stopped: list[int]) -> None:
    """From READY on, until a quorum has stopped; again when it goes on; and while a request is finished."""
    flags = ("--workers", "2", "--hang-timeout", "0", *PATIENT)
    with (
        ServiceManager(WATCHDOG) as manager,
        Gate() as gate,
        Supervised("tests.support.apps.basic:app", *flags, env=manager.env) as server,
    ):
        ready = manager.wait("READY")
        assert ready.fields == {"READY": "1", "STATUS": "Serving.", "WATCHDOG": "1"}
        assert manager.all[0].fields == {"EXTEND_TIMEOUT_USEC": "15000000"}
        assert manager.times("WATCHDOG")[0] == ready.at
        manager.wait("WATCHDOG", count=5)
        fed = manager.times("WATCHDOG")[:5]
        assert median(after - before for before, after in pairwise(fed)) < WATCHDOG
        manager.wait("STATUS", "2 of 2 workers serve, 0 requests in flight")

        mark, since = server.mark(), manager.mark()
        for pid in server.workers():
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        server.wait_line(
            r"The watchdog is not fed: \d of 2 workers beats?, more than half must; ", since=mark
        )
        manager.wait("STATUS", "; too few workers beat, so the watchdog is not fed", since=since)
        since = manager.mark()
        time.sleep(WATCHDOG)  # nothing comes: that takes its time to be seen
        assert manager.times("WATCHDOG", since) == []
        while stopped:
            os.kill(stopped.pop(), signal.SIGCONT)
        server.wait_line("The watchdog is fed again: ", since=mark)
        manager.wait("WATCHDOG", since=since)
        # Each is said once; a machine that holds a worker up may have it said as well.
        said = [match[1] for _, match in server.stderr.matches("The watchdog is (not fed|fed again)")]
        assert [text for text, _ in groupby(said)] == said

        with server.connect() as held:
            held.send_get(f"/hold?gate={gate.port}")
            visitor = gate.wait_visitor()
            since = manager.mark()
            server.signal(signal.SIGTERM)
            manager.wait("STOPPING")
            manager.wait("STATUS", "Stopping: ")
            manager.wait("WATCHDOG", count=3, since=since)
            # With TimeoutStopSec=1 systemd would have killed it by now, but for this.
            manager.wait("EXTEND_TIMEOUT_USEC", "15000000", since=since)
            visitor.let_pass()
            assert held.read_response().text == "held"
        assert server.wait_exit() == 0


def test_a_reload_that_fails_says_why_as_long_as_that_is_so(tmp_path: Path) -> None:
    """RELOADING is one datagram with its time; READY ends it, and what follows does not hide the reason."""
    write_app(tmp_path, "v1")
    with (
        ServiceManager(WATCHDOG) as manager,
        Supervised(SITE, "--workers", "1", cwd=tmp_path, env=manager.env) as server,
    ):
        manager.wait("READY")
        write_app(tmp_path, "v2", after="raise RuntimeError('no database')")
        since = manager.mark()
        before = time.monotonic_ns() // 1000
        server.signal(signal.SIGHUP)
        reloading = manager.wait("RELOADING", since=since)
        assert set(reloading.fields) == {"RELOADING", "MONOTONIC_USEC"}
        assert before <= int(reloading.fields["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        manager.wait("EXTEND_TIMEOUT_USEC", since=since)
        ready = manager.wait("READY", since=since)
        assert "Reload failed: " in ready.fields["STATUS"]
        assert "WATCHDOG" not in ready.fields
        at = manager.all.index(ready) + 1
        later = manager.wait("STATUS", "1 of 1 worker serves", since=at)
        assert "Reload failed: " in later.fields["STATUS"]
        write_app(tmp_path, "v3")
        since = manager.mark()
        server.signal(signal.SIGHUP)
        ready = manager.wait("READY", since=since)
        assert ready.fields["STATUS"] == "Serving."
        last = manager.wait("STATUS", ", generation 3", since=manager.all.index(ready))
        assert "failed" not in last.fields["STATUS"]


def test_an_upgrade_is_told_like_a_reload_and_the_watchdog_outlives_it(tmp_path: Path) -> None:
    write_app(tmp_path, "v1")
    releases = Releases(tmp_path / "releases")
    with (
        ServiceManager(WATCHDOG) as manager,
        Supervised(SITE, "--workers", "1", cwd=tmp_path, env={**releases.env, **manager.env}) as server,
    ):
        manager.wait("READY")
        releases.install("0.2.0")
        since = manager.mark()
        assert server.command("upgrade").returncode == 0
        assert set(manager.wait("RELOADING", since=since).fields) == {"RELOADING", "MONOTONIC_USEC"}
        first = manager.wait("MAINPID", str(server.pid), since=since)
        manager.wait("READY", since=since)
        rest = manager.all[manager.all.index(first) + 1 :]
        assert not [notice for notice in rest if "MAINPID" in notice.fields]
        manager.wait("WATCHDOG", count=4, since=since)
        assert not lapses(manager)
        releases.install("0.3.0", {"launch.py": "\nraise RuntimeError('not here')\n"})
        since = manager.mark()
        assert server.command("upgrade").returncode != 0
        failed = manager.wait("READY", since=since)
        assert failed.fields["STATUS"].startswith("Upgrade failed: ")
        manager.wait("STATUS", "; Upgrade failed: ", since=manager.all.index(failed))


def test_nobody_but_the_master_can_notify(tmp_path: Path) -> None:
    """Neither the application nor what it starts finds the socket, or takes the watchdog for its own."""
    names = '[name for name in os.environ if name.startswith(("NOTIFY", "WATCHDOG"))]'
    write_app(tmp_path, "v1", before=f"import os\nprint('asked', {names}, flush=True)\n")
    with (
        ServiceManager(WATCHDOG) as manager,
        ServerProcess(SITE, "--workers", "1", cwd=tmp_path, env=manager.env) as server,
    ):
        manager.wait("READY")
        wait_until(lambda: "asked []" in server.stdout.text + server.stderr.text, "the application prints")


@pytest.mark.parametrize(
    ("flags", "code", "status", "number"),
    [
        (("--bind", "taken"), 3, "already in use", 98),
        (("--config", "/nowhere/x.toml"), 78, "The configuration is wrong. The log says more.", 22),
        (("--app-dir", "/nowhere"), 3, "site_app", None),
    ],
)
def test_why_it_does_not_start_is_told(
    flags: tuple[str, ...], code: int, status: str, number: int | None
) -> None:
    """And the exit code is what it was."""
    with ServiceManager() as manager, socket.create_server(("127.0.0.1", 0)) as other:
        host, port = other.getsockname()
        bind = f"{host}:{port if flags[1] == 'taken' else 0}"
        given = () if flags[0] == "--bind" else flags
        server = ServerProcess(SITE, *given, bind=bind, env=manager.env, is_ready=False)
        with server:
            assert server.wait_exit() == code
            told = manager.wait("STATUS", "Could not start: ")
        assert status in told.fields["STATUS"]
        assert told.fields.get("ERRNO") == (None if number is None else str(number))
        assert not manager.times("READY")


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"NOTIFY_SOCKET": "/nowhere/notify"}, "Cannot notify systemd at /nowhere/notify: No such file"),
        ({"WATCHDOG_PID": "1"}, "WATCHDOG_PID=1 is not srvctl"),
        ({"WATCHDOG_USEC": "200000", "WATCHDOG_PID": ""}, "A watchdog of 0.2 s is shorter than it takes"),
    ],
)
def test_what_is_wrong_with_the_manager_is_one_line_and_the_service_runs(
    env: dict[str, str], line: str
) -> None:
    with (
        ServiceManager(WATCHDOG) as manager,
        ServerProcess(env={**manager.env, **env}) as server,
    ):
        server.wait_line(line)
        assert server.get().status == 200
        assert server.stop() == 0
        assert len(server.lines("WARNING")) == 1


def test_start_in_the_background_leaves_nobody_to_notify(tmp_path: Path) -> None:
    """Whoever waited for the start has gone; the service says nothing into the void, and is content."""
    control = Path(tmp_path / "s")
    log = tmp_path / "log"
    flags = ("--control-socket", str(control), "--log-file", str(log), "--bind", "127.0.0.1:0")
    started = srvctl("start", "tests.support.apps.basic:app", *flags)
    try:
        assert started.returncode == 0, started.stderr
    finally:
        stopped = srvctl("stop", "--control-socket", str(control))
    assert stopped.returncode == 0, stopped.stderr
    deadline = time.monotonic() + PATIENCE
    while "Finished master" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "notify" not in log.read_text().lower()
    assert "Finished master" in log.read_text()
