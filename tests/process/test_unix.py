"""Unix sockets: who may connect, and what becomes of the file."""

from __future__ import annotations

import signal
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from tests.support.server import BASIC, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_it_is_served_and_the_file_goes(path: Path) -> None:
    """Requests are answered, the mode is as asked, the log has no client address, the file is removed."""
    with ServerProcess(BASIC, "--workers", "2", bind=f"unix:{path}?mode=600") as server:
        assert server.get().text == "basic"
        found = path.stat()
        assert stat.S_ISSOCK(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o600
        assert server.stop() == 0
        assert server.stdout.text == 'INFO:      - "GET / HTTP/1.1" 200 OK\n'
    assert not path.exists()


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_worker_that_leaves_does_not_take_the_file_along(path: Path, loop: str) -> None:
    """The file belongs to the master; reloads and scaling leave it alone."""
    flags = ("--workers", "2", "--loop", loop)
    with ServerProcess(BASIC, *flags, bind=f"unix:{path}") as server:
        inode = path.stat().st_ino
        server.signal(signal.SIGTTOU)
        server.wait_death()
        server.signal(signal.SIGHUP)
        server.wait_death(count=2)
        assert path.stat().st_ino == inode
        assert server.get().text == "basic"
        assert server.stop() == 0
    assert not path.exists()


def test_uds_is_open_to_every_user(path: Path) -> None:
    """--uds is uvicorn's flag and means mode 666."""
    with ServerProcess(BASIC, "--uds", str(path), bind=None) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert server.get().status == 200


def test_a_stale_file_is_replaced(path: Path) -> None:
    """What a server that was killed left behind does not keep the next one from starting."""
    with ServerProcess(bind=f"unix:{path}") as first:
        first.signal(signal.SIGKILL)
        assert first.wait_exit() == -signal.SIGKILL
    assert stat.S_ISSOCK(path.stat().st_mode)
    with ServerProcess(bind=f"unix:{path}") as second:
        assert second.get().text == "basic"


def test_the_file_of_somebody_else_is_not_removed(path: Path) -> None:
    """If the path leads to another file by the time the server ends, that file stays."""
    with ServerProcess(bind=f"unix:{path}") as server:
        path.unlink()
        path.write_text("not a socket")
        assert server.stop() == 0
    assert path.read_text() == "not a socket"


def test_the_socket_of_a_successor_is_not_removed(path: Path) -> None:
    """The same where another server took the path over in the meantime."""
    with ServerProcess(bind=f"unix:{path}") as old:
        path.unlink()
        with ServerProcess(bind=f"unix:{path}") as new:
            assert old.stop() == 0
            assert new.get().pid == new.workers()[0]


def test_a_socket_in_use_is_refused_with_its_owner(path: Path) -> None:
    """Exit 3 with one line that names the master to stop; its clients notice nothing."""
    with ServerProcess(bind=f"unix:{path}") as server:
        with ServerProcess(bind=f"unix:{path}", is_ready=False) as second:
            assert second.wait_exit() == 3
            (line,) = second.stderr.all
            assert f"unix socket {path} is already in use by pid {server.pid} (" in line.text
        assert server.get().text == "basic"


def test_a_file_that_is_no_socket_is_refused(path: Path) -> None:
    """Nobody's data is removed for a socket."""
    path.write_text("data")
    with ServerProcess(bind=f"unix:{path}", is_ready=False) as server:
        assert server.wait_exit() == 3
        assert "is not a socket" in server.stderr.text
    assert path.read_text() == "data"


def test_an_inherited_socket_is_served(path: Path) -> None:
    """--fd takes over a socket that the caller opened; its file stays the caller's."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        with ServerProcess(BASIC, "--fd", str(sock.fileno()), bind=None, pass_fds=(sock.fileno(),)) as server:
            server.path = str(path)
            assert server.get().text == "basic"
            assert server.stop() == 0
        assert path.exists()
    path.unlink()
