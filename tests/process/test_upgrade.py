"""USR2 and ``srvctl upgrade``: another srvctl takes over in the same process; the workers do not notice."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.commands import srvctl
from tests.support.releases import Releases
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = "site_app:app"


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    write_app(tmp_path, "v1")
    return Releases(tmp_path / "releases")


@pytest.fixture
def control() -> Iterator[Path]:
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory) / "web.sock"


def server(tmp_path: Path, releases: Releases, control: Path, *flags: str, **env: str) -> ServerProcess:
    everything = ("--control-socket", str(control), "--name", "web", *flags)
    return ServerProcess(SITE, *everything, cwd=tmp_path, env={**releases.env, **env})


def ask(control: Path, *argv: str) -> Any:
    return srvctl(*argv, "--control-socket", str(control))


def status(control: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(control, "status", "--json").stdout)
    return answer


def descriptors(pid: int) -> list[str]:
    """What a process has open, without the numbers that only the kernel gives."""
    found = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return sorted(name.partition("[")[0] for name in found)


def test_no_request_is_lost_and_nobody_dies(tmp_path: Path, releases: Releases, control: Path) -> None:
    """Five upgrades under kept and new connections; afterwards everything works as before."""
    pid_file = tmp_path / "web.pid"
    flags = ("--workers", "2", "--pid-file", str(pid_file), *PATIENT)
    with server(tmp_path, releases, control, *flags) as web:
        workers, molds = web.workers(), web.molds()
        opened = descriptors(web.pid)
        with Load(("127.0.0.1", web.port)) as load:
            for number in range(1, 6):
                load.wait_answered(300)
                releases.install(f"0.2.{number}")
                before = f"0.2.{number - 1}" if number > 1 else "0.1.0"
                done = ask(control, "upgrade")
                assert done.returncode == 0, done.stderr
                assert f"Upgraded from {before} to 0.2.{number}; 2 workers live on" in done.stdout
            load.wait_answered(300)
            assert (web.workers(), web.molds()) == (workers, molds)
            assert descriptors(web.pid) == opened
            assert status(control)["version"] == "0.2.5"
            assert pid_file.read_text() == f"{web.pid}\n"
            write_app(tmp_path, "v2")
            assert ask(control, "reload").returncode == 0
            load.wait_answered(300, "v2")
        assert not load.lost, load
        new = web.wait_workers(2, "v2")
        assert not set(new) & set(workers)
        assert not web.lines("ERROR|WARNING")
        os.kill(new[0], signal.SIGKILL)
        web.wait_line(r"died \(killed by SIGKILL\)")
        web.wait_workers(2, "v2")
        assert web.stop() == 0
    assert not pid_file.exists()
    assert not control.exists()
