"""Who may have a pid file, with real locks; file systems that misbehave are played."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.errors import AlreadyRunning, ConfigError, ExitCode
from srvctl.supervisor.pidfile import PidFile
from srvctl.supervisor.processes import is_running, start_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = f"{os.getpid()}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.pid"


@pytest.fixture
def gone() -> int:
    """The pid of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def other() -> Iterator[int]:
    """A process that lives and has nothing to do with us."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


def taken(path: Path) -> PidFile:
    held = PidFile.take(path)
    assert held.warning == ""
    assert path.read_text() == OURS
    return held


# -- who has it ----------------------------------------------------------------------------------------------


def test_it_holds_the_pid_until_it_is_released(path: Path) -> None:
    held = taken(path)
    assert path.stat().st_mode & 0o777 == 0o644
    assert not os.get_inheritable(held.fd)
    held.release()
    held.release()
    assert not path.exists()
    assert held.fd == -1


def test_a_second_one_is_refused_and_told_by_whom(path: Path) -> None:
    held = taken(path)
    with pytest.raises(
        AlreadyRunning, match=f"runs as pid {os.getpid()}, .* {path}; stop it first"
    ) as caught:
        PidFile.take(path)
    assert caught.value.pid == os.getpid()
    assert caught.value.exit_code is ExitCode.REFUSED
    assert path.read_text() == OURS
    held.release()


@pytest.mark.parametrize(
    "content", ["", "\n", "garbage\n", "-1\n", "0\n", "9" * 40, "\u0661\n", "\0\0\0\0", "12 13\n"]
)
def test_whatever_a_dead_one_left_is_replaced(path: Path, content: str) -> None:
    path.write_text(content)
    taken(path).release()


def test_a_stale_pid_is_replaced_even_if_another_process_has_it_now(
    path: Path, gone: int, other: int
) -> None:
    for pid in (gone, other, os.getpid(), 1):
        path.write_text(f"{pid}\n")
        taken(path).release()


def test_one_that_is_locked_says_no_pid_when_its_content_does_not(path: Path, gone: int) -> None:
    """Its owner may just have locked it, or have died and left a child with the lock."""
    held = taken(path)
    for content in ("", "nonsense\n", f"{gone}\n"):
        path.write_text(content)
        with pytest.raises(AlreadyRunning, match="another process has the pid file") as caught:
            PidFile.take(path)
        assert caught.value.pid == 0
    held.release()


def test_a_killed_owner_leaves_no_lock(path: Path) -> None:
    program = (
        "from srvctl.supervisor.pidfile import PidFile;"
        f"held = PidFile.take({str(path)!r}); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(AlreadyRunning, match=f"runs as pid {process.pid},"):
            PidFile.take(path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert path.read_text() == f"{process.pid}\n"
        taken(path).release()


def test_a_child_that_closes_its_copy_neither_unlocks_nor_removes_it(path: Path) -> None:
    held = taken(path)
    pid = os.fork()
    if pid == 0:
        held.close()
        held.release()
        os._exit(0)
    os.waitpid(pid, 0)
    with pytest.raises(AlreadyRunning):
        PidFile.take(path)
    held.release()


def test_one_that_was_removed_and_made_again_is_not_ours_to_remove(path: Path) -> None:
    held = taken(path)
    path.unlink()
    second = taken(path)
    held.release()
    assert path.exists()
    second.release()
    assert not path.exists()


def test_one_that_was_removed_can_be_written_again(path: Path) -> None:
    held = taken(path)
    before = held.fd
    held.renew()
    assert held.fd == before
    path.unlink()
    held.renew()
    assert path.read_text() == OURS
    with pytest.raises(AlreadyRunning):
        PidFile.take(path)
    held.release()
    assert not path.exists()


def test_its_lock_comes_along_with_the_descriptor(path: Path) -> None:
    held = taken(path)
    os.set_inheritable(held.fd, True)
    heir = PidFile.inherit(path, held.fd)
    assert not os.get_inheritable(heir.fd)
    with pytest.raises(AlreadyRunning):
        PidFile.take(path)
    heir.release()
    assert not path.exists()


@pytest.mark.parametrize("fd", [-1, 0, 10**6])
def test_a_descriptor_that_is_something_else_is_not_believed(path: Path, fd: int) -> None:
    held = PidFile.inherit(path, fd)
    assert path.read_text() == OURS
    assert held.fd != fd
    held.release()


def test_one_that_is_replaced_between_opening_and_locking_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[int] = []
    flock = fcntl.flock

    def slow(fd: int, operation: int) -> None:
        if not replaced:
            path.unlink()
            path.write_text("1\n")
            replaced.append(fd)
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", slow)
    taken(path).release()


def test_one_that_is_replaced_for_ever_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda _fd, _operation: path.unlink())
    with pytest.raises(ConfigError, match="keeps replacing it"):
        PidFile.take(path)


# -- paths that cannot be used -------------------------------------------------------------------------------


def test_what_is_not_a_pid_file_is_not_touched(path: Path) -> None:
    def refusal() -> str:
        with pytest.raises(ConfigError) as caught:
            PidFile.take(path)
        return str(caught.value).removeprefix(f"pid file {path} cannot be used: ")

    assert refusal_of_missing(path) == "its directory does not exist; create it or choose another path"
    path.write_text("x" * 1000)
    assert refusal().startswith("something else is there, which would be overwritten")
    assert path.stat().st_size == 1000
    path.unlink()
    path.mkdir()
    assert refusal().startswith("it is a directory")
    path.rmdir()
    path.symlink_to("elsewhere")
    assert refusal().startswith("it is a symbolic link")
    path.unlink()
    os.mkfifo(path)
    assert refusal().startswith("something else is there")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        assert refusal().startswith("it is a socket")


def refusal_of_missing(path: Path) -> str:
    below = path.parent / "none" / "web.pid"
    with pytest.raises(ConfigError) as caught:
        PidFile.take(below)
    assert caught.value.exit_code is ExitCode.CONFIG
    return str(caught.value).removeprefix(f"pid file {below} cannot be used: ")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EACCES, f"user {os.geteuid()} may not write it"),
        (errno.EROFS, "its file system is read-only"),
        (errno.ENOSPC, "there is no space left"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_why_it_cannot_be_opened(
    path: Path, number: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(ConfigError, match=re.escape(reason)):
        PidFile.take(path)


def test_a_full_disk_leaves_it_ours_and_without_a_wrong_number(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("4711\n")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    held = PidFile.take(path)
    assert held.warning.endswith("cannot be written into it: No space left on device.")
    assert path.read_text() == ""
    with pytest.raises(AlreadyRunning):
        PidFile.take(path)
    held.release()


def test_no_descriptor_is_left_by_a_refusal(path: Path) -> None:
    held = taken(path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(3):
        with pytest.raises(AlreadyRunning):
            PidFile.take(path)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    held.release()


# -- file systems without locks ------------------------------------------------------------------------------


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_fd: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_beginning_of_the_process_tells(path: Path, gone: int, other: int) -> None:
    path.write_text(f"{other}\n{start_of(other)}\n")
    with pytest.raises(AlreadyRunning, match=f"runs as pid {other},"):
        PidFile.take(path)
    for stale in (f"{other}\n{start_of(os.getpid())}\n", f"{gone}\nstart=1,boot=2\n", f"{gone}\n", "x\n"):
        path.write_text(stale)
        held = PidFile.take(path)
        assert path.read_text() == OURS + start_of(os.getpid()) + "\n"
        held.release()
        assert not path.exists()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_our_own_pid_is_that_of_an_earlier_container(path: Path) -> None:
    path.write_text(OURS)
    PidFile.take(path).release()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_live_pid_of_unknown_beginning_counts(path: Path, other: int) -> None:
    path.write_text(f"{other}\n")
    with pytest.raises(AlreadyRunning):
        PidFile.take(path)


def test_a_lock_that_fails_otherwise_is_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, _operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(ConfigError, match="Input/output error"):
        PidFile.take(path)


# -- processes -----------------------------------------------------------------------------------------------


def test_a_process_is_known_by_its_beginning(gone: int, other: int) -> None:
    start = start_of(other)
    assert re.fullmatch(r"start=\d+,boot=[0-9a-f-]{36}", start)
    assert is_running(other, start)
    assert is_running(other)
    assert not is_running(other, start_of(os.getpid()))
    assert start_of(gone) == ""
    assert not any(map(is_running, (gone, 0, -1, 10**30)))


def test_a_zombie_does_not_run() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert start_of(pid) == ""
    assert not is_running(pid)
    os.waitpid(pid, 0)
