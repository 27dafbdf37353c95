"""The words exchanged with systemd, against a datagram socket that plays its part."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import BindError
from srvctl.listen_fds import passed_sockets
from srvctl.systemd import Notifier

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
    assert notifier.feed()
    assert manager.recv(4096) == b"WATCHDOG=1"
    assert notifier.extend(15.0)
    assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=15000000"
    assert notifier.failed("no port", errno.EADDRINUSE)
    assert manager.recv(4096) == b"STATUS=no port\nERRNO=98"
    assert notifier.failed("no app")
    assert manager.recv(4096) == b"STATUS=no app"
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


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_an_address_nothing_happens(environ: dict[str, str]) -> None:
    notifier = Notifier.from_environ(environ)
    assert not notifier.enabled
    assert notifier.ready("up")
    assert notifier.take_error() == ""
    notifier.close()


@pytest.mark.parametrize("name", ["vsock:2:1234", "run/notify", "notify", "@", "-"])
def test_an_address_of_another_kind_is_told_and_asked_nothing(name: str) -> None:
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "5000000"}
    with contextlib.closing(Notifier.from_environ(environ)) as notifier:
        assert not notifier.enabled
        assert notifier.watchdog == 0
        assert notifier.ready("up")
        assert notifier.take_error() == (
            f"NOTIFY_SOCKET={name!r} is no address that srvctl can send to, so the service manager is told "
            "nothing; it is to be an absolute path or, with @ before it, an abstract name."
        )
        assert notifier.take_error() == ""


def lost(name: str) -> str:
    """Lose several notifications, and return what is said about all of them."""
    with contextlib.closing(Notifier.from_environ({"NOTIFY_SOCKET": name})) as notifier:
        assert not notifier.ready("up")
        assert not notifier.status("up")
        error = notifier.take_error()
        assert error.startswith(f"Cannot notify systemd at {name}: ")
        assert error.endswith(". The service runs on.")
        assert not notifier.stopping("down")
        assert notifier.take_error() == ""
        return error


def test_a_socket_that_cannot_be_written_is_reported_once_and_raises_nothing(tmp_path: Path) -> None:
    assert "No such file or directory, so NOTIFY_SOCKET names nothing" in lost("/nowhere/notify")
    assert "AF_UNIX path too long (201 bytes)" in lost("/" + "p" * 200)
    assert "AF_UNIX path too long (202 bytes)" in lost("@" + "p" * 201)
    file = tmp_path / "file"
    file.touch()
    assert "Connection refused, so NOTIFY_SOCKET names no socket" in lost(str(file))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(tmp_path / "stream"))
        stream.listen()
        assert "takes no datagrams" in lost(str(tmp_path / "stream"))


def test_a_socket_of_somebody_else_is_reported(manager: socket.socket) -> None:
    Path(manager.getsockname()).chmod(0)
    me = os.geteuid()
    if me == 0:  # which may write to every socket
        os.seteuid(65534)
    try:
        assert "Permission denied, so this user may not write" in lost(manager.getsockname())
    finally:
        os.seteuid(me)


def drained(manager: socket.socket) -> list[bytes]:
    """Everything that has come."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(manager.recv(4096))
    return found


def test_a_full_queue_blocks_nothing(notifier: Notifier) -> None:
    """The kernel's queue of an unread datagram socket is short; the line that finds it full is lost."""
    assert any(not notifier.status("x") for _ in range(100_000))
    assert "unavailable" in notifier.take_error()


def test_what_must_not_be_missed_waits_for_room(notifier: Notifier, manager: socket.socket) -> None:
    """READY=1 that is lost would end the service; so does food for the watchdog. All come in their order."""
    while notifier.status("x"):
        pass
    assert notifier.take_error()
    assert notifier.next_deadline() is None
    assert notifier.ready("up")
    assert notifier.feed()
    due = notifier.next_deadline()
    assert due is not None
    notifier.expire(due)
    due = notifier.next_deadline()
    assert due is not None
    assert set(drained(manager)) == {b"STATUS=x"}
    notifier.expire(due - 0.01)
    assert drained(manager) == []
    notifier.expire(due)
    assert drained(manager) == [b"READY=1\nSTATUS=up", b"WATCHDOG=1"]
    assert notifier.next_deadline() is None
    assert notifier.take_error() == ""


def test_a_manager_that_reads_nothing_at_all_fills_no_memory(
    notifier: Notifier, manager: socket.socket
) -> None:
    while notifier.status("x"):
        pass
    assert sum(notifier.feed() for _ in range(100)) == 16
    drained(manager)
    found = []
    while (due := notifier.next_deadline()) is not None:
        notifier.expire(due)
        found += drained(manager)
    assert found == [b"WATCHDOG=1"] * 16


def test_a_manager_that_goes_away_is_not_waited_for(notifier: Notifier, manager: socket.socket) -> None:
    while notifier.status("x"):
        pass
    assert notifier.ready("up")
    due = notifier.next_deadline()
    assert due is not None
    manager.close()
    notifier.expire(due)
    assert notifier.next_deadline() is None


def test_who_waits_for_the_start_only_is_told_nothing_after_it(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"}
    notifier = Notifier.from_environ(environ, until_ready=True)
    assert notifier.enabled
    assert not notifier.is_kept_posted
    assert notifier.watchdog == 0
    assert notifier.status("starting")
    assert notifier.ready("up")
    assert notifier.stopping("down")
    assert drained(manager) == [b"READY=1\nSTATUS=up"]
    assert not notifier.enabled


def test_one_that_goes_on_names_its_process_first(manager: socket.socket) -> None:
    notifier = Notifier.inherit(os.fsencode(manager.getsockname()), 5.0)
    with contextlib.closing(notifier):
        assert notifier.watchdog == 5
        assert notifier.feed()
        assert notifier.feed()
    assert drained(manager) == [f"MAINPID={os.getpid()}\nWATCHDOG=1".encode(), b"WATCHDOG=1"]


# -- the watchdog --------------------------------------------------------------------------------------------


def watched(manager: socket.socket, microseconds: str, pid: str | None = None) -> tuple[float, str]:
    """Return the seconds of the watchdog that is asked of process 7, and what is wrong with it."""
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": microseconds}
    with contextlib.closing(
        Notifier.from_environ(environ | ({} if pid is None else {"WATCHDOG_PID": pid}), 7)
    ) as notifier:
        return notifier.watchdog, notifier.take_error()


def test_the_watchdog_is_fed_with_the_first_ready(manager: socket.socket) -> None:
    assert watched(manager, "1500000") == (1.5, "")
    assert watched(manager, "1500000", "7") == (1.5, "")
    assert watched(manager, "") == (0, "")
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1500000"}
    with contextlib.closing(Notifier.from_environ(environ)) as notifier:
        assert notifier.ready("up", feeds=True)
        assert notifier.ready("reloaded")
    assert drained(manager) == [b"READY=1\nSTATUS=up\nWATCHDOG=1", b"READY=1\nSTATUS=reloaded"]


def test_without_a_watchdog_nothing_is_fed(notifier: Notifier, manager: socket.socket) -> None:
    assert notifier.ready("up", feeds=True)
    assert drained(manager) == [b"READY=1\nSTATUS=up"]


@pytest.mark.parametrize("value", ["x", "0", "-1", "1.5", "1_0", "٣", " 5", str(2**64 - 1), "9" * 5000])
def test_a_period_that_is_none_is_told(manager: socket.socket, value: str) -> None:
    watchdog, error = watched(manager, value)
    assert watchdog == 0
    assert error == (
        f"WATCHDOG_USEC={value!r} is not a number of microseconds above 0, so the watchdog is not fed; "
        "whoever started srvctl set it."
    )


@pytest.mark.parametrize("pid", ["8", "x", "-7"])
def test_a_watchdog_of_another_process_is_told_and_not_fed(manager: socket.socket, pid: str) -> None:
    watchdog, error = watched(manager, "1000000", pid)
    assert watchdog == 0
    assert error == (
        f"WATCHDOG_PID={pid} is not srvctl, which is process 7, so the watchdog is not fed; "
        "a script between the service manager and srvctl is to end with exec srvctl run."
    )


def test_a_watchdog_without_a_socket_is_told() -> None:
    notifier = Notifier.from_environ({"WATCHDOG_USEC": "1000000"})
    assert notifier.watchdog == 0
    assert notifier.take_error() == (
        "WATCHDOG_USEC is set, but NOTIFY_SOCKET is not: there is nowhere to feed the watchdog."
    )


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
        ({"LISTEN_PID": "7"}, {}),
        ({"LISTEN_PID": "7", "LISTEN_FDNAMES": "web"}, {}),
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
    environ |= {"PATH": "/bin"}
    assert passed_sockets(environ, 7) == passed
    assert environ == {"PATH": "/bin"}


def own_pidfd_id() -> str:
    fd = os.pidfd_open(os.getpid())
    try:
        return str(os.fstat(fd).st_ino)
    finally:
        os.close(fd)


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    """By LISTEN_PIDFDID, where the kernel tells it."""
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_PIDFDID": own_pidfd_id()}
    assert passed_sockets(environ, os.getpid()) == {"unknown": (3,)}
    assert not environ
    if tuple(map(int, platform.release().split(".")[:2])) < (6, 9):
        pytest.skip("Linux before 6.9 has no number for it")
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_PIDFDID": "5"}
    assert passed_sockets(environ, os.getpid()) == {}
    assert not environ


@pytest.mark.parametrize("count", ["", "x", "-1", "1_0", " 1", "9999999", "9" * 5000])
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
    users = (ROOT / "systemd/srvctl.sysusers.conf").read_text()
    assert service["User"] in re.findall(r"^u!? (\S+)", users, re.MULTILINE)
    assert "systemd/srvctl.sysusers.conf" in guide
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
