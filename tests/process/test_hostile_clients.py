"""A real master among clients of its control socket that are broken, stalled, half open or greedy."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from benchmarks.control.command import crowd
from tests.support.commands import srvctl
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_the_owner_is_served_and_nothing_is_left() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        serve(Path(directory, "web.sock"))
        assert list(Path(directory).iterdir()) == []


def serve(path: Path) -> None:
    at = ("--control-socket", str(path))
    with ServerProcess("tests.support.apps.basic:app", "--workers", "2", *at) as web:
        assert srvctl("status", *at).returncode == 0
        before = descriptors(web.pid)
        with crowd(path, 200):
            for _ in range(3):
                done = srvctl("status", "--json", *at)
                assert done.returncode == 0, done.stderr
                assert len(json.loads(done.stdout)["workers"]) == 2
            done = srvctl("reload", *at)
            assert done.returncode == 0, done.stderr
            assert web.get().status == 200
            assert descriptors(web.pid) > before
        assert srvctl("status", *at).returncode == 0
        until = time.monotonic() + PATIENCE
        while descriptors(web.pid) > before:  # it has seen that they are gone
            assert time.monotonic() < until
            assert srvctl("status", *at).returncode == 0
        assert srvctl("stop", *at).returncode == 0
        assert web.wait_exit() == 0
