"""What is done while the settings are read: by whom, and what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.resolver import resolve
from srvctl.cli.warming import Meanwhile

if TYPE_CHECKING:
    from pathlib import Path

WARM = """
import os, sys
from pathlib import Path
from srvctl.cli.resolver import resolve
from srvctl.cli.warming import Meanwhile
os.sched_getaffinity = lambda _: {0, 1}
before = len(list(Path("/proc/self/fd").iterdir()))
with Meanwhile(["run", "a:b"]) as meanwhile:
    resolve(["run", "a:b"], meanwhile.begin)
    meanwhile.warm.become("told:life", [], [1])
    told = meanwhile.warm.channel.recv(100).decode()
    print(told, before, "srvctl.launch" in sys.modules, "asyncio" in sys.modules)
"""
LIFE = """
import sys
from pathlib import Path

def life(channel, descriptors):
    opened = len(list(Path("/proc/self/fd").iterdir()))
    known = [name in sys.modules for name in ("srvctl.worker.main", "srvctl.settings.groups", "pydantic")]
    channel.sendall(f"{opened} {known}".encode())
    return 0
"""


def test_a_warm_process_has_what_workers_need_and_nothing_of_the_masters(tmp_path: Path) -> None:
    """Beyond what both inherited it has its channel and what it was given."""
    (tmp_path / "told.py").write_text(LIFE)
    done = subprocess.run(
        [sys.executable, "-c", WARM],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])},
    )
    assert done.stderr == ""
    opened, rest = done.stdout.split(" ", 1)
    assert rest.startswith("[True, True, False] ")
    before, *master = rest.split("] ")[1].split()
    assert int(opened) == int(before) + 2
    assert master == ["True", "False"]


def test_what_became_nothing_is_gone_when_there_is_nothing_to_serve(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    argv = ["run", "a:b", "--port", "x"]
    with pytest.raises(SystemExit), Meanwhile(argv) as meanwhile:
        resolve(argv, meanwhile.begin)
    assert meanwhile.warm is not None
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert "--port" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("argv", "cpus"),
    [(["run", "--help"], 2), (["run", "-h"], 2), (["run", "--version"], 2), (["run", "a:b"], 1)],
)
def test_nothing_is_warmed_in_vain(argv: list[str], cpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one CPU, the settings would only come later."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cpus)))
    with Meanwhile(argv) as meanwhile:
        meanwhile.begin([])
    assert meanwhile.warm is None
