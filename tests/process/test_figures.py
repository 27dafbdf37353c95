"""What a real instance counts and tells of itself: figures that outlive workers, events, stacks."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.ipc.control import Command, Done, Progress, Request
from srvctl.ipc.control_client import Connection
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = """
import os, threading, time

hold = threading.Event()

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    status = int(scope["path"][1:] or 200)
    if status == 299:
        blocked_by_the_application()
    headers = [(b"x-pid", str(os.getpid()).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})

def blocked_by_the_application():
    time.sleep(600)
"""


class Instance:
    """One that serves, and what it says of itself."""

    def __init__(self, server: ServerProcess, socket: Path) -> None:
        self.server = server
        self._socket = socket

    def ask(self, command: Command, **args: Any) -> Done:
        with Connection(self._socket, PATIENCE) as connection:
            return connection.ask(Request(command, args))

    def metrics(self) -> dict[str, Any]:
        return dict(self.ask(Command.METRICS).data)

    def total(self, figure: str = "requests") -> int:
        return sum(slot[figure] for slot in self.metrics()["slots"].values())

    def wait_counted(self, requests: int, errors: int) -> None:
        """Wait until so many have been counted: a client has its answer a moment before."""
        deadline = time.monotonic() + PATIENCE
        while (found := (self.total(), self.total("errors"))) != (requests, errors):
            assert time.monotonic() < deadline, found

    def wait_answered(self, wanted: dict[str, int]) -> None:
        """Wait until the beats have told of these classes."""
        deadline = time.monotonic() + PATIENCE
        found: Counter[str] = Counter()
        while found != wanted:
            assert time.monotonic() < deadline, found
            found = Counter()
            for slot in self.metrics()["slots"].values():
                found.update({kind: sum(counts) for kind, counts in slot["answered"].items()})

    def events(self) -> list[dict[str, Any]]:
        with Connection(self._socket, PATIENCE) as connection:
            replies = list(connection.replies(Request(Command.EVENTS, {"last": 1000}), PATIENCE))
        return [dict(reply.data) for reply in replies if isinstance(reply, Progress)]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    (tmp_path / "counting_app.py").write_text(APP)
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        socket = Path(directory) / "web.sock"
        flags = ("--name", "web", "--control-socket", str(socket), "--workers", "2")
        with ServerProcess("counting_app:app", *flags, cwd=tmp_path) as server:
            yield Instance(server, socket)


def test_what_was_counted_is_never_lost(instance: Instance) -> None:
    """By the death of a worker, a reload, an upgrade; and each of these is counted and told."""
    server = instance.server
    for path in ("/200", "/204", "/404", "/500", "/503"):
        server.get(path)
    instance.wait_counted(5, errors=2)
    instance.wait_answered({"2": 2, "4": 1, "5": 2})
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_death(victim, "killed by SIGKILL")
    server.wait_workers(2)
    wait_until(lambda: instance.total() > 5, "what the new worker has answered is counted")
    known = instance.total()
    assert instance.metrics()["restarts"]["crash"] == 1
    assert instance.ask(Command.RELOAD).ok
    assert instance.total() >= known
    assert instance.metrics()["reloads"] == {"succeeded": 1, "failed": 0}
    (server._cwd / "counting_app.py").write_text("raise RuntimeError('broken')\n")
    failed = instance.ask(Command.RELOAD)
    assert not failed.ok
    status = instance.ask(Command.STATUS).data
    assert status["reloads"] == {"succeeded": 1, "failed": 1}
    assert status["reload"]["error"] == failed.message
    done = instance.ask(Command.UPGRADE)
    assert done.ok, done
    found = instance.metrics()
    assert (found["restarts"]["crash"], found["reloads"]["failed"]) == (1, 1)
    assert instance.total() >= known
    texts = [event["text"] for event in instance.events()]
    assert any(f"Worker [{victim}] of slot " in text and "killed by SIGKILL" in text for text in texts)
    assert "Reload done: generation 2 serves." in texts
    assert any("took over" in text for text in texts)


def test_one_worker_can_be_asked_stopped_and_killed(instance: Instance) -> None:
    """Its stacks are told while its loop is blocked; another takes its place."""
    server = instance.server
    with server.connect() as client:
        client.send_get("/299")
        stacks: dict[str, str] = {}
        # One that has no CPU at the moment has written nothing yet.
        while "blocked_by_the_application" not in str(stacks) or not all(stacks.values()):
            for slot in (0, 1):
                stacks[f"slot:{slot}"] = instance.ask(Command.WORKER_DUMP, target=f"slot:{slot}").data[
                    "stacks"
                ]
        assert all(text.count("most recent call first") == 1 for text in stacks.values()), "the last one only"
        blocked = next(target for target, text in stacks.items() if "blocked_by" in text)
        pids = {f"slot:{worker['slot']}": worker["pid"] for worker in instance.metrics()["workers"]}
        assert instance.ask(Command.WORKER_KILL, target=blocked).ok
        server.wait_death(pids[blocked], "killed by SIGKILL")
    other = next(target for target in stacks if target != blocked)
    assert instance.ask(Command.WORKER_STOP, target=other).ok
    server.wait_death(pids[other])
    assert not set(pids.values()) & {worker["pid"] for worker in instance.metrics()["workers"]}
    assert instance.metrics()["restarts"]["operator"] == 2
    assert not instance.ask(Command.WORKER_KILL, target="slot:7").ok
    done = instance.ask(Command.SCALE, count=3)
    assert (done.ok, done.message) == (True, "Scaled to 3 workers.")
    assert len(server.workers()) == 3
