"""The socket that commands find: whose name it has, what it replaces, and what keeps it from being."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import AlreadyRunning, ExitCode
from srvctl.settings.instance import Instance
from srvctl.supervisor.control_socket import ControlSocket, is_in_place, open_at, open_control_socket
from tests.support.admin import opened, running
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

UID = os.geteuid()
WEB = Instance("web", is_named=True)


def opening(
    directory: Path, instance: Instance = WEB, setting: str = "auto"
) -> tuple[ControlSocket | None, str]:
    return open_control_socket(instance, setting, {"RUNTIME_DIRECTORY": str(directory)}, UID)


def closed(control: ControlSocket | None) -> str:
    """Close it, and return what its instance is called."""
    assert control is not None
    assert control.listener is not None
    control.listener.close()
    control.file.remove()
    return control.name


@pytest.fixture
def live(short_path: Path) -> Iterator[socket.socket]:
    """Somebody listens at web.sock, and says nothing."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(short_path / "web.sock"))
        sock.listen()
        yield sock


def test_it_listens_from_the_moment_it_is_there(short_path: Path) -> None:
    control, reason = opening(short_path)
    assert control is not None
    assert reason == ""
    assert control.listener is not None
    assert control.listener.getblocking() is False
    assert not control.listener.get_inheritable()
    assert (short_path / "web.sock").stat().st_mode & 0o777 == 0o600
    assert list(short_path.iterdir()) == [short_path / "web.sock"]
    assert is_in_place(control.file)
    assert closed(control) == "web"
    assert not is_in_place(control.file)


def test_a_dead_one_is_replaced(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short_path / "web.sock"))
    control, _ = opening(short_path)
    closed(control)


@pytest.mark.usefixtures("live")
def test_a_name_that_the_user_chose_is_not_shared(short_path: Path) -> None:
    with pytest.raises(
        AlreadyRunning, match=f"instance web already runs as pid {os.getpid()} .*--name"
    ) as caught:
        opening(short_path)
    assert caught.value.exit_code is ExitCode.REFUSED


@pytest.mark.usefixtures("live")
def test_a_path_that_the_user_chose_is_not_shared(short_path: Path) -> None:
    with pytest.raises(AlreadyRunning):
        opening(short_path, Instance("other"), str(short_path / "web.sock"))


def test_one_whose_queue_is_full_lives(short_path: Path, live: socket.socket) -> None:
    live.listen(0)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(short_path / "web.sock"))
        with pytest.raises(AlreadyRunning):
            open_at(short_path / "web.sock")


def test_a_name_that_was_made_is_numbered(short_path: Path) -> None:
    """Two applications may be called main."""
    made = Instance("main")
    controls = [opening(short_path, made)[0] for _ in range(3)]
    assert [closed(control) for control in controls] == ["main", "main-2", "main-3"]
    assert closed(opening(short_path, made)[0]) == "main"


def test_the_same_file_of_settings_runs_once(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file of the same name is another instance."""
    monkeypatch.setattr("srvctl.supervisor.control_socket._TO_IDENTIFY", PATIENCE)
    admin = opened(short_path, "web", "/etc/a/web.toml", is_named=False)
    with running(admin, lambda *_: None):
        with pytest.raises(AlreadyRunning):
            opening(short_path, Instance("web", config="/etc/a/web.toml"))
        control, _ = opening(short_path, Instance("web", config="/etc/b/web.toml"))
        assert closed(control) == "web-2"


def test_one_that_does_not_say_who_it_is_is_another(short_path: Path, live: socket.socket) -> None:
    def hang_up() -> None:
        live.accept()[0].close()  # the probe
        live.accept()[0].close()  # the question

    thread = threading.Thread(target=hang_up)
    thread.start()
    control, _ = opening(short_path, Instance("web", config="/etc/web.toml"))
    thread.join()
    assert closed(control) == "web-2"


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_last_resort_is_beside_the_file_of_settings(
    is_shared: bool, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nobody else may write there: somebody else's socket could be in its place otherwise."""
    monkeypatch.setattr(
        "srvctl.settings.instance.runtime_directories", lambda *_: (short_path / "file" / "x",)
    )
    (short_path / "file").write_text("")
    short_path.chmod(0o775 if is_shared else 0o755)
    control, reason = opening(short_path, Instance("web", config=str(short_path / "web.toml")))
    if is_shared:
        assert control is None
        assert f"{short_path} can be written by others (mode 775)" in reason
    else:
        assert control is not None
        assert control.file.path == str(short_path / "web.sock")
        closed(control)


def test_a_group_that_there_is_not_costs_a_line(short_path: Path) -> None:
    control, warning = open_control_socket(
        WEB, "auto", {"RUNTIME_DIRECTORY": str(short_path)}, UID, "no-such-group"
    )
    assert control is not None
    assert control.group is None
    assert "there is no group 'no-such-group'" in warning
    assert (short_path / "web.sock").stat().st_mode & 0o777 == 0o600
    closed(control)


# -- what costs only the socket ------------------------------------------------------------------------------


def test_none_is_none(short_path: Path) -> None:
    assert opening(short_path, setting="none") == (None, "")


def test_a_directory_that_cannot_be_used_leaves_signals(short_path: Path) -> None:
    control, reason = opening(short_path, setting=str(short_path / "none" / "x.sock"))
    assert control is None
    assert reason == (
        "No control socket, so srvctl reload and the like cannot reach this instance; signals can: "
        f"{short_path}/none: No such file or directory."
    )


def test_what_is_no_socket_is_not_touched(short_path: Path) -> None:
    (short_path / "web.sock").write_text("precious")
    control, reason = opening(short_path)
    assert control is None
    assert "something else is there, not a socket" in reason
    assert (short_path / "web.sock").read_text() == "precious"


def test_one_that_cannot_be_asked_is_not_touched(short_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(short_path / "web.sock"))
        control, reason = opening(short_path)
    assert control is None
    assert "wrong type" in reason


def test_a_path_may_be_too_long(short_path: Path) -> None:
    control, reason = opening(short_path, setting=str(short_path / ("x" * 90)))
    assert control is None
    assert "longer than 92 bytes" in reason


def test_names_may_run_out(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srvctl.supervisor.control_socket._MOST_OF_ONE_NAME", 1)
    first, _ = opening(short_path, Instance("main"))
    second, reason = opening(short_path, Instance("main"))
    assert second is None
    assert "1 instances are called main" in reason
    closed(first)


@pytest.mark.parametrize("times", [1, 2])
def test_another_master_may_be_quicker(short_path: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: what it left is replaced. Twice: somebody does something odd."""
    hardlink_to = Path.hardlink_to
    raced: list[Path] = []

    def late(self: Path, target: Path) -> None:
        if len(raced) < times:
            raced.append(target)
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(self))
        hardlink_to(self, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    control, reason = opening(short_path)
    if times == 1:
        closed(control)
    else:
        assert os.strerror(errno.EEXIST) in reason
        assert list(short_path.iterdir()) == [short_path / "web.sock"]
