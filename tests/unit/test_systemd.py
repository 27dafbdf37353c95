"""The words exchanged with systemd, against a datagram socket that plays its part."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import BindError
from srvctl.systemd import Notifier, passed_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The receiving end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


@pytest.fixture
def notifier(manager: socket.socket) -> Iterator[Notifier]:
    with contextlib.closing(Notifier.from_environ({"NOTIFY_SOCKET": manager.getsockname()})) as notifier:
        yield notifier


def test_each_method_sends_one_datagram_of_the_protocol(notifier: Notifier, manager: socket.socket) -> None:
    assert notifier.enabled
    assert notifier.ready("2 workers ready")
    assert manager.recv(4096) == b"READY=1\nSTATUS=2 workers ready"
    assert notifier.reloading(1234567)
    assert manager.recv(4096) == b"RELOADING=1\nMONOTONIC_USEC=1234567"
    assert notifier.status("1 of 2 workers ready")
    assert manager.recv(4096) == b"STATUS=1 of 2 workers ready"
    assert notifier.stopping("draining")
    assert manager.recv(4096) == b"STOPPING=1\nSTATUS=draining"
    assert notifier.take_error() == ""


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("a\nSTOPPING=1\n", b"STATUS=a STOPPING=1 "),
        ("a\0b", b"STATUS=a b"),
        ("\udcff", b"STATUS=?"),
        ("é" * 2000, b"STATUS=" + "é".encode() * 1024),
        ("x" + "é" * 2000, b"STATUS=x" + "é".encode() * 1023),
    ],
)
def test_a_status_is_one_short_line(
    notifier: Notifier, manager: socket.socket, text: str, sent: bytes
) -> None:
    """A newline in an error message must not become a field of its own, and systemd drops long datagrams."""
    assert notifier.status(text)
    assert manager.recv(8192) == sent


def test_the_environment_is_cleaned_of_what_only_the_master_may_answer(manager: socket.socket) -> None:
    environ = {
        "NOTIFY_SOCKET": manager.getsockname(),
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": "1",
        "PATH": "/bin",
    }
    Notifier.from_environ(environ).close()
    assert environ == {"PATH": "/bin"}


def test_an_abstract_address_is_understood() -> None:
    name = f"srvctl-test-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        with contextlib.closing(Notifier.from_environ({"NOTIFY_SOCKET": f"@{name}"})) as notifier:
            assert notifier.ready("up")
        assert manager.recv(4096) == b"READY=1\nSTATUS=up"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_an_address_that_is_understood_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier.from_environ(environ)
    assert not notifier.enabled
    assert notifier.ready("up")
    assert notifier.take_error() == ""
    notifier.close()


@pytest.mark.parametrize("path", ["/nowhere/notify", "/" + "p" * 200])
def test_a_socket_that_cannot_be_written_is_reported_once_and_raises_nothing(path: str) -> None:
    with contextlib.closing(Notifier.from_environ({"NOTIFY_SOCKET": path})) as notifier:
        assert not notifier.ready("up")
        assert not notifier.status("up")
        assert notifier.take_error().startswith(f"Cannot notify systemd at {path}: ")
        assert notifier.take_error() == ""
        assert not notifier.stopping("down")
        assert notifier.take_error() == ""


def test_a_full_queue_blocks_nothing(notifier: Notifier) -> None:
    """The kernel's queue of an unread datagram socket is short; the send that finds it full is lost."""
    assert any(not notifier.status("x") for _ in range(100_000))
    assert "unavailable" in notifier.take_error()


def test_a_notifier_that_finds_no_free_descriptor_is_deaf_and_says_so(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": manager.getsockname()})
    assert not notifier.ready("up")
    assert notifier.take_error() == "Cannot notify systemd: Too many open files."
    notifier.close()


def descriptors() -> set[int]:
    """The open descriptors, without the one that lists them."""
    names = [int(link.name) for link in Path("/proc/self/fd").iterdir()]
    return {fd for fd in names if Path(f"/proc/self/fd/{fd}").is_symlink()}


def test_the_socket_is_not_inherited_and_closes(manager: socket.socket) -> None:
    before = descriptors()
    notifier = Notifier.from_environ({"NOTIFY_SOCKET": manager.getsockname()})
    (opened,) = descriptors() - before
    assert not os.get_inheritable(opened)
    assert manager.getsockname() in repr(notifier)
    notifier.close()
    assert descriptors() == before
    assert notifier.status("after")
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


@pytest.mark.parametrize(
    ("environ", "passed"),
    [
        ({}, {}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, {}),
        ({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, {}),
        ({"LISTEN_PID": "x", "LISTEN_FDS": "1"}, {}),
        ({"LISTEN_FDS": "1"}, {}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "2"}, {"unknown": (3, 4)}),
        ({"LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}, {"web": (3,)}),
        (
            {"LISTEN_PID": "7", "LISTEN_FDS": "4", "LISTEN_FDNAMES": "web:admin:web:"},
            {"web": (3, 5), "admin": (4,), "": (6,)},
        ),
    ],
)
def test_passed_sockets_are_known_by_name_and_the_variables_are_gone(
    environ: dict[str, str], passed: dict[str, tuple[int, ...]]
) -> None:
    environ |= {"PATH": "/bin", "LISTEN_PIDFDID": "5"}
    assert passed_sockets(environ, 7) == passed
    assert environ == {"PATH": "/bin"}


@pytest.mark.parametrize("count", ["", "x", "-1", "9999999", "9" * 5000])
def test_a_count_that_is_no_number_of_sockets_is_refused(count: str) -> None:
    with pytest.raises(BindError, match=f"^LISTEN_FDS='{count}' is not a number of passed sockets; whoever"):
        passed_sockets({"LISTEN_PID": "7", "LISTEN_FDS": count}, 7)


@pytest.mark.parametrize("names", ["web", "web:admin:x"])
def test_names_that_do_not_fit_the_count_are_refused(names: str) -> None:
    with pytest.raises(
        BindError, match=f"^LISTEN_FDS=2 but LISTEN_FDNAMES='{names}' has [13] names; whoever"
    ):
        passed_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": names}, 7)


def fields(unit: str) -> dict[str, str]:
    """The assignments of a unit file; a key given twice keeps its last value."""
    return dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "systemd" / unit).read_text(), re.MULTILINE))


def test_the_units_and_their_how_to_use_the_same_names() -> None:
    """The name in the .socket unit is the one the how-to binds to; the how-to's paths are the units'."""
    guide = (ROOT / "docs/how-to/systemd.md").read_text()
    service, sockets = fields("srvctl@.service"), fields("srvctl@.socket")
    assert f'bind = ["systemd:{sockets["FileDescriptorName"]}"]' in guide
    assert f"ListenStream={sockets['ListenStream']}" in guide
    program, run, option, config = service["ExecStart"].split()
    assert (run, option) == ("run", "-c")
    assert program in guide
    assert config.replace("%i", "blog") in guide
    assert service["User"] in re.findall(r"useradd .* (\S+)$", guide, re.MULTILINE)
    for unit in ("srvctl@.service", "srvctl@.socket"):
        assert f"systemd/{unit}" in guide


def test_the_service_gives_a_graceful_stop_the_time_the_settings_give_it() -> None:
    from srvctl.settings.groups import TimeoutSettings

    times = TimeoutSettings()
    service = fields("srvctl@.service")
    assert int(service["TimeoutStopSec"]) > times.graceful_shutdown + times.lifespan_shutdown
    assert int(service["TimeoutStartSec"]) > times.boot


def test_the_service_is_restarted_unless_that_cannot_help() -> None:
    from srvctl.errors import ExitCode

    never = {int(code) for code in fields("srvctl@.service")["RestartPreventExitStatus"].split()}
    assert never == {ExitCode.USAGE, ExitCode.CONFIG}
