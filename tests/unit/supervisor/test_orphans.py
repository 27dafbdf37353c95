"""What a worker leaves behind, with real processes: this test's process stands for the master."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.orphans import Orphans, kill
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts processes that wait for ever."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*, own_session: bool = False, pass_fds: Collection[int] = ()) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "1000"], start_new_session=own_session, pass_fds=pass_fds)
        started.append(process)
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_who_is_unknown_is_killed_and_who_is_known_or_has_a_session_of_its_own_is_not(
    start: Callable[..., subprocess.Popen[bytes]],
) -> None:
    orphan, worker, daemon = start(), start(), start(own_session=True)
    others = {worker.pid}
    kill(
        lambda pid: pid in others or pid not in {orphan.pid, daemon.pid}
    )  # other tests' are not ours to kill
    assert orphan.wait(PATIENCE) == -9
    assert worker.poll() is None
    assert daemon.poll() is None


def test_the_resource_tracker_goes_last_and_by_itself(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    """It removes what others have left in /dev/shm once nobody can use it any more."""
    reader, writer = os.pipe()
    code = f"from multiprocessing.resource_tracker import main; print(flush=True); main({reader})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, pass_fds=[reader]) as tracker:
        os.close(reader)
        assert tracker.stdout is not None
        tracker.stdout.readline()  # before it runs, the kernel may not tell yet what it is
        user = start(pass_fds=[writer])
        os.close(writer)
        orphans = Orphans(lambda pid: pid not in {user.pid, tracker.pid})
        orphans.expect()
        due = orphans.next_deadline()
        assert due is not None
        orphans.expire(due)
        assert user.wait(PATIENCE) == -9
        assert tracker.wait(PATIENCE) == 0


def test_they_have_a_while_to_end_by_themselves(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    orphan = start()
    orphans = Orphans(lambda pid: pid != orphan.pid)
    assert orphans.next_deadline() is None
    before = time.monotonic()
    orphans.expect()
    due = orphans.next_deadline()
    assert due is not None
    assert due > before
    orphans.expire(due - 0.1)
    assert orphan.poll() is None
    orphans.expire(due)
    assert orphan.wait(PATIENCE) == -9
    due = orphans.next_deadline()  # it may have left others
    assert due is not None
    orphans.expire(due)
    assert orphans.next_deadline() is None
