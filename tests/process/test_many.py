"""Many workers on one machine: they start, serve, are reloaded and stop like few, and nothing is left."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support.client_load import PATIENT
from tests.support.server import BASIC
from tests.support.server_waits import PATIENCE, NeverHappened, wait_gone
from tests.support.supervised import Supervised, wait_until

if TYPE_CHECKING:
    from tests.support.client import Connection

WORKERS = 64
#: More connections than this, and whoever got none is not served by chance only.
MOST = 1500


def slots(server: Supervised) -> dict[int, int]:
    """Return the pid of the worker that serves each slot."""
    workers = server.status()["workers"]
    found = {worker["slot"]: worker["pid"] for worker in workers if worker["state"] == "ready"}
    assert len(found) == sum(worker["state"] == "ready" for worker in workers)
    return found


def boards(pid: int) -> int:
    """Return how many descriptors of boards of workers a master has."""
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found += "srvctl-board" in str(file.readlink())
    return found


def connect_to_all(server: Supervised, pids: set[int], stack: contextlib.ExitStack) -> list[Connection]:
    """Open connections, each of which is answered, until every one of these workers has answered."""
    silent = set(pids)
    clients: list[Connection] = []
    deadline = time.monotonic() + 2 * PATIENCE
    while silent:
        if len(clients) == MOST or time.monotonic() > deadline:
            raise NeverHappened(f"{len(silent)} of {len(pids)} workers answer none of {len(clients)}")
        clients.append(stack.enter_context(server.connect()))
        silent.discard(clients[-1].get().pid)
    return clients


def test_64_workers_serve_are_reloaded_and_stop() -> None:
    """Every slot serves, before and after a reload; idle connections are closed politely; nothing is left."""
    flags = (*PATIENT, "--workers", str(WORKERS), "--max-surge", "8", "--timeout-drain-idle", "0")
    with Supervised(BASIC, *flags) as server, contextlib.ExitStack() as stack:
        master = psutil.Process(server.pid)
        old = slots(server)
        assert sorted(old) == list(range(WORKERS))
        files, kept = master.num_fds(), boards(server.pid)
        assert kept >= WORKERS
        clients = connect_to_all(server, set(old.values()), stack)

        reload = server.command("reload", "--timeout", "60s")
        assert reload.returncode == 0, reload.stderr
        new = slots(server)
        assert sorted(new) == list(range(WORKERS))
        assert not set(old.values()) & set(new.values())
        for client in clients:
            assert client.socket.recv(1) == b""  # a reset would raise
        for pid in old.values():
            wait_gone(pid)
        connect_to_all(server, set(new.values()), stack)

        wait_until(lambda: boards(server.pid) == kept, "the boards of the old workers are still open")
        wait_until(lambda: master.num_fds() <= files, f"the master had {files} files, now {master.num_fds()}")
        assert master.num_threads() == 1
        assert server.stop() == 0
        assert not server.lines("ERROR|WARNING")
