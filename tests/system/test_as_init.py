"""srvctl as the first process of a container: every orphan is its child, nobody is above it."""

from __future__ import annotations

import os
import shutil
import subprocess
from signal import SIGTERM

import psutil
import pytest

from tests.support.supervised import AILING, Supervised, wait_until

pytestmark = pytest.mark.system

MANY = 20
TRAP = 'trap "kill $!; wait" TERM; "$0" "$@" & wait'


@pytest.fixture
def inside() -> tuple[str, ...]:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    command = (unshare, "--pid", "--fork", "--kill-child", "--mount-proc")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode:
        pytest.skip(f"no process namespace can be made here: {tried.stderr.strip()}")
    return command


def test_orphans_of_the_application_are_reaped(inside: tuple[str, ...]) -> None:
    """None stays a zombie, none is taken for a worker; SIGTERM ends it all, with its exit code."""
    with Supervised(AILING, "--workers", "2", prefix=inside) as server:
        [master] = psutil.Process(server.pid).children()
        server.wait_line(r"Started master process \[1\]")
        before = set(master.children())
        assert server.get(f"/leave_orphans?n={MANY}").text == "harmed"
        wait_until(lambda: len(master.children()) <= len(before), "the orphans are reaped")
        assert set(master.children()) == before
        assert server.get().status == 200
        assert not server.lines("ERROR|WARNING|died")
        os.kill(master.pid, SIGTERM)
        assert server.wait_exit() == 0
        assert server.lines(r"Stopped: served 2, cut 0\.")


def test_a_shell_as_process_1_is_told_of(inside: tuple[str, ...]) -> None:
    """It keeps SIGTERM to itself; one that srvctl has taken the place of does not, nor one with a trap."""
    shell = r"A shell \(sh -c\) is process 1 of this container and passes no signal on"
    for script, is_told in (('"$0" "$@"; true', True), ('exec "$0" "$@"', False), (TRAP, False)):
        with Supervised(AILING, prefix=(*inside, "sh", "-c", script)) as server:
            assert bool(server.lines(shell)) == is_told
