"""What the doctor reads, from files that play the machine, and from real processes and sockets."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from srvctl.doctor.importing import try_import
from srvctl.doctor.look import look
from srvctl.doctor.look_kernel import kernel, limits
from srvctl.doctor.look_places import address_of, certificates, places
from srvctl.doctor.look_process import slowed_by, surroundings
from srvctl.settings.binds import parse_bind
from srvctl.settings.groups import AppSettings, LogSettings, ServerSettings, Settings, TlsSettings
from srvctl.settings.instance import Instance
from srvctl.settings.service import Service
from tests.support.certificates import Authority

FILES = {
    "proc/sys/net/core/somaxconn": "128\n",
    "proc/sys/net/ipv4/tcp_max_syn_backlog": "256\n",
    "proc/sys/net/ipv4/ip_unprivileged_port_start": "80\n",
    "proc/sys/vm/overcommit_memory": "2\n",
    "proc/sys/kernel/yama/ptrace_scope": "1\n",
    "proc/self/schedstat": "1 2 3\n",
    "proc/self/smaps_rollup": "Rss: 1 kB\nPss:   4 kB\n",
    "proc/self/cgroup": "0::/app\n",
    "proc/self/status": "Name:\tx\nCapEff:\t0000000000000400\n",
    "proc/pressure/cpu": "some avg10=0.00\n",
    "proc/1/comm": "sh\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n",
    "sys/fs/cgroup/app/pids.max": "100\n",
    "sys/fs/cgroup/app/pids.current": "7\n",
    "sys/fs/cgroup/pids.max": "max\n",
    "sys/fs/cgroup/app/memory.max": "1073741824\n",
    ".dockerenv": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_how_the_kernel_is_set(root: Path) -> None:
    found = kernel(root)
    assert (found.somaxconn, found.syn_backlog, found.first_free_port) == (128, 256, 80)
    assert (found.overcommit, found.ptrace_scope, found.huge_pages) == (2, 1, "always")
    assert (found.tells_waiting, found.tells_memory, found.tells_pressure) == (True, True, True)
    found_limits = limits(root)
    assert (found_limits.tasks, found_limits.tasks_now) == (100, 7)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    found = kernel(tmp_path)
    assert (found.somaxconn, found.first_free_port, found.huge_pages) == (None, 1024, "")
    assert (found.tells_waiting, found.tells_memory, found.tells_pressure) == (False, False, False)
    assert limits(tmp_path).tasks is None


def test_what_this_process_runs_in(root: Path) -> None:
    environ = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    found = surroundings(environ, root)
    assert (found.is_notified, found.is_service, found.watchdog) == (True, False, 3.0)
    assert (len(environ), found.mistakes) == (3, ())
    odd = surroundings({"NOTIFY_SOCKET": "vsock:2:1", "INVOCATION_ID": "x"}, root)
    assert (odd.is_notified, len(odd.mistakes)) == (False, 1)
    assert (found.is_container, found.first_process, found.may_bind_low) == (True, "sh", True)
    assert found.uid == os.geteuid()
    (root / "proc/self/status").write_text("CapEff:\t0000000000000000\n")
    assert not surroundings({}, root).may_bind_low


ALL = ("PYTHONTRACEMALLOC", "PYTHONMALLOC", "its build (--with-pydebug)")


@pytest.mark.parametrize(
    ("environ", "is_debug", "is_dev", "expected"),
    [
        ({}, False, False, ()),
        ({"PYTHONDEVMODE": "1"}, False, True, ("PYTHONDEVMODE",)),
        ({}, False, True, ("-X dev",)),
        ({"PYTHONMALLOC": "malloc_debug", "PYTHONTRACEMALLOC": "5"}, True, False, ALL),
    ],
)
def test_what_makes_python_slow(
    environ: dict[str, str], is_debug: bool, is_dev: bool, expected: tuple[str, ...]
) -> None:
    found = slowed_by(environ, is_debug_build=is_debug, is_dev_mode=is_dev)
    assert found == expected


# -- places --------------------------------------------------------------------------------------------


def service(**groups: object) -> Service:
    return Service(replace(Settings(), **groups), Instance("web"))  # type: ignore[arg-type] # any group


def test_where_files_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "a.log").write_text("")
    found = places(
        service(
            server=ServerSettings(pid_file=str(tmp_path / "none" / "pid")),
            log=LogSettings(file=str(tmp_path / "a.log"), access_file=str(tmp_path)),
        ),
        {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "STATE_DIRECTORY": str(tmp_path / "run")},
        os.geteuid(),
    )
    assert found.control is not None
    assert (found.control.path, found.control.reason) == (str(tmp_path / "run" / "web.sock"), "")
    assert found.pid_file is not None
    assert "there is no directory" in found.pid_file.reason
    assert found.log is not None
    assert found.log.reason == ""
    assert found.access_log is not None
    assert found.access_log.reason.endswith("is a directory")


@pytest.mark.parametrize("file", ["-", "syslog:localhost:514", "journald"])
def test_a_log_that_is_no_file_has_no_place(file: str) -> None:
    found = places(service(log=LogSettings(file=file, access=False)), {}, os.geteuid())
    assert (found.log, found.access_log) == (None, None)


def test_an_address_that_is_taken() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        found = address_of(parse_bind(f"127.0.0.1:{port}"))
    assert found.holder.startswith(f"pid {os.getpid()}")
    assert (found.port, found.is_open, found.is_ours) == (port, False, False)
    assert address_of(parse_bind("127.0.0.1:0")).holder == ""
    assert address_of(parse_bind(":0")).is_open
    assert address_of(parse_bind("fd://3")).reason == ""


def test_a_unix_socket_needs_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address_of(parse_bind("unix:none/s")).reason.startswith("there is no directory")
    Path("file").write_text("")
    assert address_of(parse_bind("unix:file")).reason == "something else is there, not a socket"
    assert address_of(parse_bind("unix:s?mode=666")).mode == "666"
    assert address_of(parse_bind("unix:s?mode=660")).mode == ""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("s")
        sock.listen()
        assert address_of(parse_bind("unix:s?mode=600")).holder.startswith(f"pid {os.getpid()}")


def test_how_long_a_certificate_is_valid(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("server")
    tls = TlsSettings(certfile=str(pair.certfile), keyfile=str(pair.keyfile))
    (found,) = certificates(Settings(tls=tls))
    assert found.days > 0
    assert found.is_readable
    assert certificates(Settings()) == ()


# -- the application -----------------------------------------------------------------------------------


GOOD = "async def app(scope, receive, send): ...\n"
THREAD = """
import threading, time
print("hello")
threading.Thread(target=time.sleep, args=(600,), name="poller").start()
"""


def test_an_import_is_timed_and_watched(tmp_path: Path) -> None:
    """Nothing of it is left here, nor printed."""
    found = try_import(Settings(app=_app(tmp_path, GOOD + THREAD)))
    assert found.error == ""
    assert found.left == ("started the thread 'poller'",)
    assert not found.is_late


@pytest.mark.parametrize(
    ("source", "error", "details"),
    [
        ("1 / 0\n", "ZeroDivisionError", "division by zero"),
        ("import os; os._exit(7)\n", "importing it ended the process (exit code 7)", ""),
        ("import os; os.kill(os.getpid(), 9)\n", "importing it ended the process (signal 9)", ""),
    ],
)
def test_an_import_that_fails(tmp_path: Path, source: str, error: str, details: str) -> None:
    found = try_import(Settings(app=_app(tmp_path, source)))
    assert error in found.error
    assert details in found.details


def test_an_import_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it has started."""
    monkeypatch.setattr("srvctl.doctor.importing._TO_PREPARE", 0.5)
    timeouts = replace(Settings().timeouts, boot=0.5)
    source = "import subprocess\nsubprocess.run(['sleep', '600'])\n"
    found = try_import(Settings(app=_app(tmp_path, source), timeouts=timeouts))
    assert found.is_late


def _app(tmp_path: Path, source: str) -> AppSettings:
    (tmp_path / "doctored.py").write_text(source)
    return AppSettings(target="doctored:app", dir=str(tmp_path))


def test_everything_at_once(root: Path) -> None:
    found = look(service(), {"RUNTIME_DIRECTORY": str(root / "nowhere"), "HOME": ""}, os.geteuid(), root)
    assert found.imported is None
    assert found.capacity.memory == 2**30
    assert [address.text for address in found.addresses] == ["127.0.0.1:8000"]
    assert found.interpreter.uvloop
