"""How much memory a process has: by a real kernel, and by one that says other things."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.memory import pss

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
PAGE = os.sysconf("SC_PAGESIZE")
#: Has 64 MiB that its child shares, says so, and waits for the end of its input.
SHARING = """
import os, sys
kept = bytearray(os.urandom(1)) * (64 * 2**20)
child = os.fork()
if child:
    print(child, flush=True)
sys.stdin.read()
"""


def test_memory_that_is_shared_is_divided() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SHARING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        child = int(process.stdout.readline())
        each = [pss(process.pid), pss(child)]
        process.stdin.close()
        process.stdout.read()  # until the child has ended, too
    for size in each:
        assert size is not None
        assert 32 * MIB < size < 64 * MIB


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    assert pss(7, tmp_path) is None


@pytest.mark.parametrize(
    ("rollup", "statm", "size"),
    [
        ("a-b ---p 0 00:00 0 [rollup]\nRss:  900 kB\nPss:  123 kB\nPss_Dirty: 4 kB\n", "9 9 9", 123 * 1024),
        ("", "500 300 20 1 0 90 0\n", 300 * PAGE),
        ("Pss:\t1 MB\n", "500 300 20\n", 300 * PAGE),
        ("Pss: many kB\n", "500\n", None),
        ("", "0 0 0 0 0 0 0\n", None),
        ("", "a b c", None),
    ],
)
def test_memory(tmp_path: Path, rollup: str, statm: str, size: int | None) -> None:
    folder = tmp_path / "proc" / "7"
    folder.mkdir(parents=True)
    (folder / "smaps_rollup").write_text(rollup)
    (folder / "statm").write_text(statm)
    assert pss(7, tmp_path) == size
