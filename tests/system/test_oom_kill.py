"""The kernel's OOM killer at work in a control group made for it, and the evidence it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.cgroups import folders, read

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

LIMIT = 64 * 2**20
V2_TOP = Path("/sys/fs/cgroup")
PROGRAM = """
import mmap, os, signal, sys
from pathlib import Path
from srvctl.supervisor.oom import OomClaims, OomWatch

Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
watch, claims = OomWatch(), OomClaims()
print(*watch.files)

def cause_of(work):
    pid = os.fork()
    if pid == 0:
        Path("/proc/self/oom_score_adj").write_text("1000")  # as workers have it: before the master
        work()
        os._exit(0)
    return "killed by " + signal.Signals(-os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).name

def use_memory():
    held = [mmap.mmap(-1, 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(512)]
    for piece in held:
        for page in range(0, 2**20, 4096):
            piece[page] = 1

for now, work in enumerate([use_memory, lambda: os.kill(os.getpid(), signal.SIGKILL), use_memory]):
    cause = cause_of(work)
    kills = watch.delta()
    claims.note(kills, now)
    print(cause, kills, claims.claim(cause))
"""


@contextmanager
def memory_cgroup() -> Iterator[Path]:
    """A control group with `LIMIT` bytes of memory and no swap, of whichever version has memory here."""
    name = f"srvctl-test-{os.getpid()}"
    of_v1 = next(folders(Path("/"), "memory"), None)
    if of_v1 is not None:
        group, limits = of_v1 / name, ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]
    elif "memory" in read(V2_TOP / "cgroup.subtree_control").split():
        group, limits = V2_TOP / name, ["memory.max", "memory.swap.max"]
    else:
        pytest.skip("no control group of this machine can limit memory")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        (group / limits[0]).write_text(str(LIMIT))
        if (group / limits[1]).exists():
            (group / limits[1]).write_text("0" if limits[1] == "memory.swap.max" else str(LIMIT))
        yield group
    finally:
        group.rmdir()


def test_a_worker_that_takes_all_memory_is_told_from_one_that_somebody_kills() -> None:
    """Both end by SIGKILL; only the kernel's count tells one from the other."""
    with memory_cgroup() as group:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(group)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    files, *deaths = done.stdout.splitlines()
    assert group.name in files
    assert deaths == ["killed by SIGKILL 1 True", "killed by SIGKILL 0 False", "killed by SIGKILL 1 True"]
