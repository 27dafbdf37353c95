"""The kernel's OOM killer at work in a control group made for it, and the evidence it leaves."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.cgroup import control_group

pytestmark = pytest.mark.system

LIMIT = str(64 * 2**20)
MEMORY = {True: "memory.limit_in_bytes", False: "memory.max"}
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


def test_a_worker_that_takes_all_memory_is_told_from_one_that_somebody_kills() -> None:
    """Both end by SIGKILL; only the kernel's count tells one from the other."""
    with control_group("memory", MEMORY) as group:
        group.limit(
            {"memory.limit_in_bytes": LIMIT, "memory.memsw.limit_in_bytes": LIMIT},
            {"memory.max": LIMIT, "memory.swap.max": "0"},
        )
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(group.folder)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    files, *deaths = done.stdout.splitlines()
    assert group.folder.name in files
    assert deaths == ["killed by SIGKILL 1 True", "killed by SIGKILL 0 False", "killed by SIGKILL 1 True"]
