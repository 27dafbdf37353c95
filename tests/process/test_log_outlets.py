"""Where the log goes beside stdout and stderr: files, syslog, journald, and what a full disk does."""

from __future__ import annotations

import os
import re
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.outlets import port_in, received, wait_for, wait_text
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRINTING = "tests.support.apps.printing:app"


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[socket.socket, Path]]:
    """A syslog or journald, as a socket and its path."""
    path = tmp_path / "receiver"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(PATIENCE)
        yield sock, path


def test_a_full_disk_stops_nobody() -> None:
    """It is said on stderr, where somebody may see it."""
    with ServerProcess(PRINTING, "--log-file", "/dev/full", is_ready=False) as server:
        line = server.stderr.wait(r"The log cannot be written \(/dev/full: No space left on device\)")[0]
        assert "log.buffer" in line.text
        assert server.stop() == 0


def test_a_file_is_rotated_and_reopened(tmp_path: Path) -> None:
    """By its size by the master, or by somebody else who then says so; workers reopen theirs as well."""
    log, access = tmp_path / "log", tmp_path / "access"
    flags = ("--log-max-size", "4k", "--log-backups", "2", "--access-log-file", str(access))
    with ServerProcess(PRINTING, "--log-file", str(log), *flags, is_ready=False) as server:
        server.port = port_in(wait_text(log, "^.*running on.*$")[0])
        for _ in range(8):
            server.get("/?how=stderr&size=1000")
        for file in (tmp_path / "log.2", tmp_path / "log.1", log):  # in this order it makes them
            wait_for(file.exists, "no rotation")
        assert not (tmp_path / "log.3").exists()
        assert all(file.stat().st_size <= 4096 for file in tmp_path.glob("log*"))
        assert log.stat().st_mode & 0o777 == 0o640
        for file in (log, access):
            file.rename(tmp_path / f"moved-{file.name}")
        server.signal(signal.SIGUSR1)
        wait_text(log, "reopened")
        wait_for(access.exists, "the access log is not reopened")
        server.get("/plain?how=stderr&text=in+the+new+file")
        wait_text(log, "in the new file")
        wait_text(access, "GET /plain")
        old = server.get().pid
        os.kill(old, signal.SIGKILL)  # the next one is forked from what was begun before
        wait_gone(old)
        server.get("/late")
        wait_text(access, "GET /late")
        assert server.stop() == 0
    assert "in the new file" not in (tmp_path / "moved-log").read_text()
    assert server.stderr.text == ""


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Refuses the start, and a reload."""
    bad = tmp_path / "no" / "log"
    with ServerProcess(PRINTING, "--log-file", str(bad), is_ready=False) as server:
        assert server.wait_exit() == 78
        assert f"log.file: {bad} cannot be opened: No such file" in server.stderr.text
    config = tmp_path / "srvctl.toml"
    config.write_text("")
    with ServerProcess(PRINTING, "-c", str(config)) as server:
        config.write_text(f'[log]\nfile = "{bad}"\n')
        server.signal(signal.SIGHUP)
        server.wait_line("log.file: .* cannot be opened")
        good = tmp_path / "log"
        config.write_text(f'[log]\nfile = "{good}"\n')
        server.signal(signal.SIGHUP)
        wait_text(good, "Reloaded|Finished worker|serves generation|generation 2")
        server.get("/?how=stderr&text=moved")
        wait_text(good, "^moved$")
        assert server.stop() == 0
        assert "Finished master process" in good.read_text()


def test_syslog(receiver: tuple[socket.socket, Path]) -> None:
    """In the form that libc's syslog(3) has, with a priority of each line."""
    sock, path = receiver
    with ServerProcess(PRINTING, "--log-file", f"syslog:{path}", is_ready=False) as server:
        line = received(sock, b"Started master process")
        assert re.fullmatch(
            rb"<30>\w{3} [ \d]\d \d\d:\d\d:\d\d srvctl\[%d\]: INFO:     Started master process.*"
            % server.pid,
            line,
        )
        assert port_in(received(sock, b"running on"))
        assert server.stop() == 0


def test_journald(receiver: tuple[socket.socket, Path]) -> None:
    """In its native protocol, with the slot and the process that printed it."""
    sock, path = receiver
    with ServerProcess(PRINTING, "--log-file", f"journald:{path}", is_ready=False) as server:
        server.port = port_in(received(sock, b"running on"))
        pid = server.get("/?how=stderr&text=ERROR:+told").pid
        fields = dict(line.split(b"=", 1) for line in received(sock, b"told").splitlines())
        assert server.stop() == 0
    assert fields[b"MESSAGE"] == b"ERROR: told"
    assert (fields[b"PRIORITY"], fields[b"SRVCTL_SLOT"], fields[b"SRVCTL_PID"]) == (b"3", b"0", b"%d" % pid)
