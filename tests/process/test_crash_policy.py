"""Workers that cannot stay alive: a start that never succeeds ends, a service that once served never does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.supervised import AILING, Supervised

if TYPE_CHECKING:
    from pathlib import Path

DOOMED = """
from tests.support.apps.ailing import doomed_while
app = doomed_while({!r})
"""


@pytest.mark.parametrize(
    "code",
    [
        "1 / 0",
        "async def app(scope, receive, send):\n    await receive()\n    1 / 0",
    ],
    ids=["import", "startup"],
)
def test_a_start_that_never_succeeds_ends_with_3_also_without_a_mold(tmp_path: Path, code: str) -> None:
    """Wherever it fails, and although each worker fails by itself; with a mold: test_boot_failures."""
    (tmp_path / "broken.py").write_text(code)
    flags = ("--preload", "off", "--lifespan", "on", "--workers", "2")
    with Supervised("broken:app", *flags, cwd=tmp_path, is_ready=False) as server:
        assert server.wait_exit() == 3
        assert server.lines("ERROR")
        assert len(server.stderr.all) < 60


def test_a_service_that_once_served_is_never_given_up(tmp_path: Path) -> None:
    """All workers exit with 3 soon after they are ready: no busy master, few lines, and back at last."""
    doom = tmp_path / "doom"
    (tmp_path / "doomed.py").write_text(DOOMED.format(str(doom)))
    with Supervised("doomed:app", "--workers", "2", cwd=tmp_path) as server:
        workers = server.wait_workers(2)
        doom.touch()
        master = psutil.Process(server.pid)
        # From before the first death, so that there are all the waits between six of them.
        mark, before, began = server.mark(), master.cpu_times(), time.monotonic()
        for pid in workers:
            psutil.Process(pid).kill()
        server.wait_death(cause="exit code 3", count=6)
        after, took = master.cpu_times(), time.monotonic() - began
        used = after.user + after.system - before.user - before.system
        assert used < 0.1 * took, f"{used} s of CPU in {took} s"
        last, _ = server.stderr.matches('cause="exit code 3" ', mark)[5]
        assert server.stderr.all.index(last) - mark < 15 * 6
        doom.unlink()
        server.wait_workers(2)
        assert server.stop() == 0


def test_the_late_end_of_one_worker_takes_nobody_along() -> None:
    """Exit code 3 means something to a service manager only if it is the master's."""
    with (
        Supervised(AILING, "--workers", "2", "--timeout-keep-alive", "600") as server,
        server.one_each(2) as to,
    ):
        [leaving, other] = to
        to[leaving].send_get("/leave?n=3")
        said = rf"ERROR: +Worker \[{leaving}\] died \(exit code 3\); slot \d gets a new one now"
        server.wait_line(said)
        assert to[other].get().pid == other
        assert other in server.wait_workers(2)
        assert server.stop() == 0
