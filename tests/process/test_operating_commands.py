"""What an operator does with a real instance: see it, act on one worker, watch it, and know what happened."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from signal import SIGCONT, SIGINT, SIGSTOP, SIGTERM
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client_load import Load
from tests.support.commands import srvctl
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, Lines
from tests.support.supervised import wait_until
from tests.support.terminal import TerminalProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ENTER, LEAVE, CURSOR = (
    b"\x1b[?1049h",
    b"\x1b[?1049l",
    b"\x1b[?25h",
)  #: of xterm's other screen, and the cursor


@pytest.fixture
def directory() -> Iterator[Path]:
    """For sockets: of these tests alone, and short."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


def server(directory: Path, *flags: str, **options: Any) -> ServerProcess:
    return ServerProcess(
        "tests.support.apps.basic:app", "--name", "web", *flags, env=environ(directory), **options
    )


def environ(directory: Path) -> dict[str, str]:
    return {"RUNTIME_DIRECTORY": str(directory)}


class Operator:
    """Types commands for the instance of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, *argv: str, code: int = 0) -> str:
        """Return what a command prints."""
        done = self._run(*argv)
        assert done.returncode == code, (argv, done.stdout, done.stderr)
        self.error = done.stderr
        return done.stdout

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        at = () if argv[0] == "ls" else ("--control-socket", str(self._directory / "web.sock"))
        return srvctl(*argv, *at, env=environ(self._directory))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "--json"))
        return found

    def pids(self) -> dict[int, int]:
        """Return the pids of the workers that serve, by slot."""
        return {w["slot"]: w["pid"] for w in self.status()["workers"] if w["state"] == "ready"}

    def requests(self) -> int:
        """Return how many requests are counted: a client has its answer a moment before."""
        return sum(worker["requests"] for worker in self.status()["workers"])

    def stacks(self, slot: int) -> str:
        """Return the stacks of a worker's threads; one that has no CPU at the moment writes none in time."""
        while True:
            done = self._run("worker", "dump", str(slot))
            if "wrote no stacks" not in done.stdout + done.stderr:
                assert done.returncode == 0, done.stderr
                return done.stdout


def test_an_operator_sees_and_acts(directory: Path) -> None:
    operator = Operator(directory)
    with server(directory, "--workers", "2") as web:
        web.get()
        wait_until(lambda: operator.requests() == 1, "the request is counted")
        status = operator.status()
        assert {
            "name",
            "version",
            "pid",
            "state",
            "generation",
            "uptime",
            "binds",
            "workers",
            "reload",
        } <= set(status)
        assert {"state", "error"} <= set(status["reload"])
        assert status["restarts"]["crash"] == 0
        figures = {
            "slot",
            "pid",
            "generation",
            "state",
            "uptime",
            "requests",
            "in_flight",
            "connections",
            "cpu",
        }
        for worker in status["workers"]:
            assert {*figures, "pss", "loop_lag"} <= set(worker)
            assert 2**20 < worker["pss"] < 2**30
        assert sum(worker["requests"] for worker in status["workers"]) == 1
        text = operator("status")
        assert text.splitlines()[3].split()[:7] == ["SLOT", "PID", "STATE", "GEN", "UPTIME", "CPU", "PSS"]
        assert operator("worker").splitlines()[0].split() == text.splitlines()[3].split()

        before = operator.pids()
        assert operator("worker", "restart", "0").startswith("Replaced ")
        assert operator("worker", "stop", str(before[1])).startswith(f"Stopped worker [{before[1]}]")
        after = operator.pids()
        assert set(before.values()) & set(after.values()) == set()
        assert operator("worker", "kill", "slot:1").startswith(f"Killed worker [{after[1]}]")
        web.wait_death(after[1], ".*")
        assert "most recent call first" in operator.stacks(1)
        listed = ", ".join(f"{pid} (slot {slot})" for slot, pid in sorted(operator.pids().items()))
        assert operator("worker", "kill", "4194311", code=5) == ""
        assert f"no worker has slot or pid 4194311; there are {listed}" in operator.error
        operator("worker", "kill", code=2)

        assert operator("scale", "+1").startswith("Scaled to 3 workers (")
        assert sorted(operator.pids()) == [0, 1, 2]
        assert operator("healthcheck", "--quorum", "3") == "web is running; ready workers: 3, needed: 3\n"
        assert operator("scale", "-1").startswith("Scaled to 2 workers (")
        assert operator("scale", "1").startswith("Scaled to 1 worker (")
        assert len(web.workers()) == 1
        operator("healthcheck", "--quorum", "2", code=5)
        assert "ready workers: 1, needed: 2" in operator.error

        events = [json.loads(line) for line in operator("events", "--json", "-n", "1000").splitlines()]
        assert [event["at"] for event in events] == sorted(event["at"] for event in events)
        assert {after[1], *before.values()} <= {event.get("pid") for event in events}
        assert len(operator("events", "-n", "3").splitlines()) == 3
        assert "restarts: " in operator("status")
    operator("healthcheck", code=4)
    assert "there is no control socket" in operator.error


def test_one_that_is_stopped_delays_no_list(directory: Path) -> None:
    operator = Operator(directory)
    with server(directory) as web:
        listed = operator("ls", "--timeout", f"{PATIENCE:g}s")
        assert listed.splitlines()[1].split()[:3] == ["web", str(web.pid), "running"]
        assert "Default: 1s." in " ".join(operator("ls", "--help").split())
        web.signal(SIGSTOP)
        try:  # it would never answer, so the list that comes has not waited for it
            (found,) = [one for one in json.loads(operator("ls", "--json")) if one["pid"] == web.pid]
        finally:
            web.signal(SIGCONT)
        assert found == {
            "socket": str(directory / "web.sock"),
            "name": "web",
            "pid": web.pid,
            "state": "not responding",
        }
        web.signal(SIGINT)
        web.wait_exit()
    assert str(directory) not in operator("ls")


def test_events_are_followed_over_a_restart(directory: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "srvctl",
        "events",
        "-f",
        "-n",
        "1",
        "--control-socket",
        str(directory / "web.sock"),
    ]
    with server(directory) as first:
        process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **environ(directory)},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        seen, said = Lines(process.stdout, "events"), Lines(process.stderr, "events' stderr")
        seen.wait("service .*The service runs|worker .*serves")
        before = first.workers()[0]
        first.stop()
    said.wait(f"instance web .pid {first.pid}. is gone; waiting for it to come back")
    seen.wait(f"Worker .{before}. of slot 0 is gone")
    with server(directory) as second:
        now = second.workers()[0]
        seen.wait(f"Worker .{now}. of slot 0 boots")
        seen.wait("The service runs")
        process.send_signal(SIGINT)
        assert process.wait(PATIENCE) == 0
    seen.wait_end()
    said.wait_end()
    assert len(said.all) == 1


def test_the_screen_is_drawn_and_put_back_however_it_ends(directory: Path) -> None:
    argv = [sys.executable, "-m", "srvctl", "top", "--control-socket", str(directory / "web.sock")]
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}

    def top(columns: int = 90, lines: int = 24) -> TerminalProcess:
        return TerminalProcess([*argv, "--interval", "0.2"], columns, lines, ROOT, env)

    with server(directory) as web:
        with top() as screen:
            screen.wait(re.escape(ENTER))
            screen.wait(b"web.*running.*SLOT.*LAG")
            screen.press(b"s")
            screen.wait(rb"sort \(cpu\)")
            screen.press(b"?")
            screen.wait(b"this help")
            screen.press(b"?")
            screen.wait(b"SLOT.*LAG")
            screen.resize(30, 10)
            screen.wait(rb"SLOT.*\.\.\.")  # what sticks out is cut
            screen.resize(90, 24)
            screen.wait(b"SLOT.*LAG")
            web.signal(SIGSTOP)
            try:
                screen.wait(b"not responding; this is ")
            finally:
                web.signal(SIGCONT)
            with Load(("127.0.0.1", web.port), keeping=0, renewing=1, pause=0.05):
                screen.wait(rb"req/s (0\.)?[1-9]")
            screen.press(b"q")
            assert screen.wait_exit() == 0
            _assert_put_back(screen)
        with top() as screen:
            screen.wait(b"SLOT")
            screen.press(b"\x03")
            assert screen.wait_exit() == 0
            _assert_put_back(screen)
        with top() as screen:
            screen.wait(b"SLOT")
            os.kill(screen.pid, SIGTERM)
            assert screen.wait_exit() == -SIGTERM
            _assert_put_back(screen)
        web.get()
        operator = Operator(directory)
        assert "\x1b" not in operator("top", "--interval", "0.1")
        figures = json.loads(operator("top", "--json", "--interval", "0.1"))
        assert figures["pid"] == web.pid
        assert figures["traffic"]["requests"] >= 0
        assert [worker["pid"] for worker in figures["workers"]] == web.workers()


def _assert_put_back(screen: TerminalProcess) -> None:
    assert LEAVE in screen.drawn
    assert CURSOR in screen.drawn
    assert screen.attributes == screen.attributes_before
