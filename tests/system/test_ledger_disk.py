"""The ledger on a file system that is really full, and on one that may only be read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

PREPARE = 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"'
PROGRAM = """
import os, subprocess, sys
from pathlib import Path
from srvctl.ipc.deaths import Death
from srvctl.supervisor.ledger import Ledger, read_deaths

here = Path(sys.argv[1])
path = here / "web.ledger"
death = Death(at=1.0, master=1, worker=1, slot=1, generation=1, pid=1, state="ready", cause="exit code 3")
ledger = Ledger(path)
ledger.add(death)

fill = (here / "fill").open("wb", buffering=0)
try:
    while True:
        fill.write(b"x" * 512)
except OSError:
    pass
for _ in range(100):
    ledger.add(death)  # until its own page is full, there is room
assert not ledger.save_stack(1, "x" * 5000)
print(ledger.take_error(), ledger.take_error(), ledger.take_error(), sep="\\n")
assert len(ledger.recent) == 100
before = len(read_deaths(path))
assert 1 <= before < 101, before

(here / "fill").unlink()
fill.close()
ledger.add(death)
assert len(read_deaths(path)) == before + 1
assert ledger.save_stack(1, "x" * 5000)

subprocess.run(["mount", "-o", "remount,ro", str(here)], check=True)
ledger.add(death)
assert not ledger.save_stack(1, "x")
print(ledger.take_error(), ledger.take_error(), ledger.take_error(), sep="\\n")
assert len(read_deaths(path)) == before + 1
"""


def test_a_full_disk_and_one_that_may_only_be_read_cost_deaths_and_nothing_else(tmp_path: Path) -> None:
    """What does not fit is lost; what was there and what comes later is not."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    place = tmp_path / "small"
    place.mkdir()
    inside = [unshare, "--mount", "sh", "-c", PREPARE, "sh", str(place)]
    tried = subprocess.run([*inside, "true"], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    done = subprocess.run(
        [*inside, sys.executable, "-c", PROGRAM, str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = f"Deaths of workers are not recorded in {place}/web.ledger"
    assert done.stdout.splitlines() == [
        f"{said}: No space left on device.",
        f"{said}.stacks: No space left on device.",
        "",
        f"{said}: Read-only file system.",
        f"{said}.stacks: Read-only file system.",
        "",
    ], done.stderr
    assert (done.returncode, done.stderr) == (0, "")
