"""The pid file of real masters: never taken twice, never in the way."""

from __future__ import annotations

import os
from signal import SIGKILL
from typing import TYPE_CHECKING

from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import wait_gone

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_locked_until_the_master_ends_however_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "web.pid"
    flags = ("--pid-file", str(file), "--control-socket", "none")
    file.write_text(f"{os.getpid()}\n")  # left by one whose pid is another process's by now
    with ServerProcess(BASIC, *flags, "--workers", "2") as web:
        assert file.read_text() == f"{web.pid}\n"
        with ServerProcess(BASIC, *flags, is_ready=False) as second:
            assert second.wait_exit() == 5
            assert second.stderr.text == (
                f"srvctl: error: srvctl already runs as pid {web.pid}, which has the pid file {file}; stop "
                "it first, or name another pid file\n"
            )
        assert web.get().status == 200
        os.kill(web.pid, SIGKILL)
        wait_gone(web.pid)
        # At once, whether or not its workers have noticed: they do not hold the lock.
        with ServerProcess(BASIC, *flags) as third:
            assert file.read_text() == f"{third.pid}\n"
            assert third.stop() == 0
        assert not file.exists()


def test_a_path_that_cannot_be_used_ends_the_start_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "none" / "web.pid"
    with ServerProcess(BASIC, "--pid-file", str(file), is_ready=False) as web:
        assert web.wait_exit() == 78
        assert web.stderr.text == (
            f"srvctl: error: pid file {file} cannot be used: its directory does not exist; create it or "
            "choose another path\n"
        )


def test_without_its_file_a_master_is_still_known_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "web.pid"
    flags = ("--pid-file", str(file), "--control-socket", str(tmp_path / "web.sock"))
    with ServerProcess(BASIC, *flags) as web:
        file.unlink()
        with ServerProcess(BASIC, *flags, is_ready=False) as second:
            assert second.wait_exit() == 5
            assert second.lines(f"already runs as pid {web.pid} .control socket")
        assert not file.exists()
        assert web.get().status == 200
