"""USR2 and ``srvctl upgrade``: another srvctl takes over in the same process; the workers do not notice."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.apps.written import write_app
from tests.support.client_load import PATIENT, Load
from tests.support.commands import srvctl
from tests.support.keeping_manager import wait_word
from tests.support.releases import Releases
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, Gate, wait_gone
from tests.support.supervised import wait_until

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
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it is closed by now
            found.append(str(link.readlink()))
    return sorted(name.partition("[")[0] for name in found)


def wait_descriptors(pid: int, wanted: list[str]) -> None:
    """Wait until exactly these are open: the connection of a command is closed when that is gone."""
    wait_until(lambda: descriptors(pid) == wanted, "others are open than before")


def test_no_request_is_lost_and_nobody_dies(tmp_path: Path, releases: Releases, control: Path) -> None:
    """Five upgrades under kept and new connections; afterwards everything works as before."""
    pid_file = tmp_path / "web.pid"
    flags = ("--workers", "2", "--pid-file", str(pid_file), *PATIENT)
    with server(tmp_path, releases, control, *flags) as web:
        workers, molds = web.workers(), web.molds()
        opened = descriptors(web.pid)
        with Load(("127.0.0.1", web.port), keeping=1, renewing=1) as load:
            for number in range(1, 6):
                load.wait_answered(100)
                releases.install(f"0.2.{number}")
                before = f"0.2.{number - 1}" if number > 1 else "0.1.0"
                done = ask(control, "upgrade")
                assert done.returncode == 0, done.stderr
                assert f"Upgraded from {before} to 0.2.{number}; 2 workers live on" in done.stdout
            load.wait_answered(100)
            assert (web.workers(), web.molds()) == (workers, molds)
            wait_descriptors(web.pid, opened)
            assert status(control)["version"] == "0.2.5"
            assert pid_file.read_text() == f"{web.pid}\n"
            write_app(tmp_path, "v2")
            assert ask(control, "reload").returncode == 0
            load.wait_answered(100, "v2")
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


@pytest.mark.parametrize("preload", ["on", "off"])
def test_what_was_there_is_still_there(
    tmp_path: Path, releases: Releases, control: Path, preload: str
) -> None:
    """A request at work, the socket's file, the service manager, the waits of a slot, the kernel's guard."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, Gate() as gate:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        web = ServerProcess(
            SITE,
            *("--control-socket", str(control), "--preload", preload, "--workers", "2", *PATIENT),
            cwd=tmp_path,
            env={**releases.env, "NOTIFY_SOCKET": str(tmp_path / "notify")},
            bind=f"unix:{path}",
        )
        with web:
            wait_word(manager, b"READY=1")
            workers, inode = web.workers(), path.stat().st_ino
            with web.hold_on(workers[0], gate) as (client, visitor):
                assert ask(control, "upgrade").returncode == 0
                visitor.let_pass()
                assert client.read_response().text == "held"
            assert web.workers() == workers
            write_app(tmp_path, "v2")
            assert ask(control, "reload").returncode == 0
            wait_word(manager, b"RELOADING=1")
            wait_word(manager, b"READY=1")
            web.wait_workers(2, "v2")
            assert path.stat().st_ino == inode
            children = web.workers() + web.molds()
            web.signal(signal.SIGKILL)
            for pid in children:
                wait_gone(pid)


def test_a_version_that_cannot_take_over_is_refused(
    tmp_path: Path, releases: Releases, control: Path
) -> None:
    """Whatever is wrong with it: the reason is told, and nothing else has happened."""
    raises = "\nraise RuntimeError('not on this machine')\n"
    broken = {
        "not on this machine": {"launch.py": raises},
        "does not understand workers of 0.1.0 .channel.": {"ipc/channel.py": "\nVERSION = 2\n"},
        "does not know how to take over": {"cli/successor.py": "\nsucceed = lambda *_: 0\n"},
        r"did not say within 5 s \(timeouts.boot\)": {"cli/running.py": "\nimport time\ntime.sleep(600)\n"},
    }
    with server(tmp_path, releases, control, "--timeout-boot", "5") as web:
        workers, opened = web.workers(), descriptors(web.pid)
        for number, (reason, changes) in enumerate(broken.items(), start=1):
            releases.install(f"0.2.{number}", changes)
            done = ask(control, "upgrade")
            assert done.returncode == 5
            assert re.search(reason, done.stderr), done.stderr
            web.wait_line("Upgrade failed: .*. This srvctl goes on.", count=number)
        assert web.workers() == workers
        wait_descriptors(web.pid, opened)
        assert status(control)["version"] == "0.1.0"
        releases.install("0.3.0")
        assert ask(control, "upgrade").returncode == 0
        assert web.wait_workers(1, "v1") == workers


FAILS_HALF_WAY = "\ndef _fail(self): raise RuntimeError('half-way')\nAssembly._about = _fail\n"


def test_a_version_that_fails_after_all_gives_the_process_back(
    tmp_path: Path, releases: Releases, control: Path
) -> None:
    """With everything in its hands already: the one before goes on, and can be upgraded later."""
    with server(tmp_path, releases, control, "--workers", "2", *PATIENT) as web:
        workers, opened = web.workers(), descriptors(web.pid)
        with Load(("127.0.0.1", web.port), keeping=1, renewing=1) as load:
            load.wait_answered(100)
            releases.install("0.2.0", {"assembly.py": FAILS_HALF_WAY})
            done = ask(control, "upgrade")
            assert done.returncode == 5
            assert "began to take over and failed: RuntimeError('half-way')" in done.stderr
            assert "in _fail" in done.stderr
            assert web.workers() == workers
            wait_descriptors(web.pid, opened)
            assert status(control)["version"] == "0.1.0"
            releases.install("0.2.1")
            done = ask(control, "upgrade")
            assert "Upgraded from 0.1.0 to 0.2.1" in done.stdout, done.stderr
            load.wait_answered(100)
        assert not load.lost, load
        assert web.wait_workers(2) == workers
        assert web.stop() == 0


def test_without_any_that_can_go_on_the_workers_serve(
    tmp_path: Path, releases: Releases, control: Path
) -> None:
    """The old program is gone from the disk and the new one fails: a stop is still obeyed."""
    with server(tmp_path, releases, control, "--workers", "2") as web:
        workers = web.workers()
        releases.install("0.2.0", {"assembly.py": FAILS_HALF_WAY})
        releases.remove("0.1.0")
        done = ask(control, "upgrade")
        assert "ended the connection" in done.stderr
        web.wait_line("No srvctl can go on here. 2 workers serve on, and none is replaced")
        assert {web.get().pid for _ in range(50)} <= set(workers)
        os.kill(workers[0], signal.SIGKILL)
        wait_gone(workers[0])
        assert web.get().pid == workers[1]
        assert web.stop() == 0
        assert web.lines(rf"Finished worker process \[{workers[1]}\]"), "what it printed was read to the end"


def test_what_happens_in_between_is_dealt_with_afterwards(
    tmp_path: Path, releases: Releases, control: Path
) -> None:
    """While no program of ours runs: a worker dies, somebody wants a reload, a status, and then the end."""
    with Gate() as gate, server(tmp_path, releases, control, "--workers", "2", *PATIENT) as web:
        waits = (
            "\n_go_on = go_on\ndef go_on(*args):\n    from tests.support.apps.basic import gate\n"
            f"    gate({gate.port})\n    return _go_on(*args)\n"
        )
        releases.install("0.2.0", {"launch.py": waits})
        web.signal(signal.SIGUSR2)
        visitor = gate.wait_visitor()
        old = web.workers()
        os.kill(old[0], signal.SIGKILL)
        write_app(tmp_path, "v2")
        web.signal(signal.SIGHUP)
        assert web.get().pid == old[1]
        visitor.let_pass()
        web.wait_line("Upgraded from 0.1.0 to 0.2.0; 2 workers live on")
        web.wait_line(rf"\[{old[0]}\] died \(killed by SIGKILL\)")
        web.wait_line("Reload done: generation 2 runs in 2 workers")
        web.wait_workers(2, "v2")
        web.signal(signal.SIGUSR2)
        visitor = gate.wait_visitor()
        web.signal(signal.SIGTERM)
        visitor.let_pass()
        assert web.wait_exit() == 0
        web.wait_line("Received SIGTERM, stopping")
