"""slowhttptest against the real server, which stays available and ends each slow connection in its time."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.front_proxy import program
from tests.support.proxy_header import MIRROR
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

CLIENTS = 200
SECONDS = 60 * FACTOR  #: that it would go on
#: Long enough that the connections are seen to be there, also by a test that gets no CPU for some seconds.
TIMES = {
    "slow headers": ["--timeout-request-head", "7s"],
    "slow body": ["--timeout-request-body", "7s"],
    "slow read": ["--timeout-write-stall", "7s"],
}
MODES = {
    # Another header field, or another piece of the body, each second, for ever.
    "slow headers": ["-H", "-i", "1"],
    "slow body": ["-B", "-i", "1", "-s", "100000", "-x", "10"],
    # A window of a byte or two, one of which is read now and then, of a body that no buffer takes.
    "slow read": ["-X", "-w", "1", "-y", "2", "-n", "20", "-z", "1"],
}
PATHS = {"slow headers": "/", "slow body": "/digest", "slow read": "/bytes?size=20000000"}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    program("slowhttptest")
    return str(request.param)


@pytest.fixture
def server(mode: str) -> Iterator[ServerProcess]:
    with ServerProcess(MIRROR, *TIMES[mode]) as running:
        yield running


def connections(server: ServerProcess) -> int:
    (worker,) = server.workers()
    found = psutil.Process(worker).net_connections("tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in found)


def test_slow_clients(mode: str, server: ServerProcess, tmp_path: Path) -> None:
    flags = [
        "-c",
        str(CLIENTS),
        "-r",
        str(CLIENTS),
        "-l",
        f"{SECONDS:.0f}",
        "-p",
        f"{PATIENCE:.0f}",
        *MODES[mode],
    ]
    command = [program("slowhttptest"), *flags, "-u", server.url + PATHS[mode]]
    with (tmp_path / "said").open("wb") as said_file:
        attack = subprocess.Popen(command, stdout=said_file, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 2 * PATIENCE
        while connections(server) < CLIENTS // 2:
            assert time.monotonic() < deadline, "slowhttptest did not connect"
            time.sleep(0.02)
        while attack.poll() is None and connections(server) > 2:
            if time.monotonic() > deadline:
                raise NeverHappened(f"{connections(server)} connections are still open")
            assert server.get("/").status == 200
            time.sleep(0.02)
        has_ended = attack.poll() is not None
    finally:
        attack.kill()
        attack.wait()
    said = (tmp_path / "said").read_text(errors="replace")
    assert not has_ended or "No open connections left" in said, said[-3000:]
    assert not re.search(r"service available:\s*\S*NO", said), said[-3000:]
    assert server.get("/").status == 200
    assert "Traceback" not in server.stderr.text
