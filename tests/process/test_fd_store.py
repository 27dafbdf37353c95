"""Sockets that a service manager keeps: what clients see of a crash, a restart, and changed addresses."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.client import Connection, ConnectionEnded
from tests.support.client_load import PATIENT, Load
from tests.support.keeping_manager import ServiceManager
from tests.support.ports import reserve_port
from tests.support.programs import SITE, program
from tests.support.server import BASIC
from tests.support.server_waits import PATIENCE, wait_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.client import Address
    from tests.support.keeping_manager import Service


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """Returns ports that nobody else takes before the server does."""
    with contextlib.ExitStack() as stack:
        yield lambda: reserve_port(stack)


@pytest.fixture
def manager() -> Iterator[ServiceManager]:
    with ServiceManager() as manager:
        yield manager


def write_settings(folder: Path, *binds: str, more: str = "") -> list[str]:
    """Write the file of settings; return the arguments that name it."""
    file = folder / "site.toml"
    file.write_text(f"[server]\nbind = {json.dumps(binds)}\n{more}\n")
    return [BASIC, "-c", str(file)]


def wait_gone_with_workers(service: Service) -> None:
    workers = [*service.workers(), *service.molds()]
    service.signal(signal.SIGKILL)
    assert service.wait_exit() == -signal.SIGKILL
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            wait_gone(worker)


def assert_answers(*clients: Connection) -> None:
    for client in clients:
        with client:
            assert client.read_response().text == "basic"


def asking(*addresses: Address) -> list[Connection]:
    """Connect, and ask, wherever somebody listens, whether or not anybody answers."""
    clients = [Connection(address) for address in addresses]
    for client in clients:
        client.send_get()
    return clients


def test_who_came_while_no_master_lived_is_answered(
    tmp_path: Path, manager: ServiceManager, free_port: Callable[[], int]
) -> None:
    """After kill -9; and afterwards everything goes on as ever, also a reload that changes the addresses."""
    port, path = free_port(), str(tmp_path / "s")
    tcp, unix = ("127.0.0.1", port), path
    argv = write_settings(tmp_path, f"127.0.0.1:{port}", f"unix:{path}?mode=600")
    with manager.run(*argv, "--workers", "2") as first:
        names = manager.wait_names(rf"^srvctl,127\.0\.0\.1%3A{port},127\.0\.0\.1$", "^srvctl,unix%3A")
        assert first.get().text == "basic"
        wait_gone_with_workers(first)
    inode = os.lstat(path).st_ino
    clients = asking(tcp, unix, tcp, unix)
    told = len(manager.said)
    with manager.run(*argv) as second:
        assert_answers(*clients)
        assert second.port == port
        assert os.lstat(path).st_ino == inode
        assert not second.lines("WARNING|ERROR")
        manager.listen()
        assert manager.names == names
        assert not [text for text in manager.said[told:] if "FDSTORE" in text], "it knew them"

        other = free_port()
        write_settings(tmp_path, f"127.0.0.1:{port}", f"127.0.0.1:{other}")
        second.signal(signal.SIGHUP)
        second.wait_line("Reload done")
        manager.wait_names(f"A{port},", f"A{other},")
        assert not os.path.lexists(path)
        assert_answers(*asking(tcp, ("127.0.0.1", other)))
        wait_gone_with_workers(second)
    clients = asking(tcp, ("127.0.0.1", other))
    with manager.run(*argv):
        assert_answers(*clients)


def test_a_restart_refuses_nobody(
    tmp_path: Path, manager: ServiceManager, free_port: Callable[[], int]
) -> None:
    """Under load, on TCP and on Unix; who comes between the two masters waits for the second."""
    port, path = free_port(), str(tmp_path / "s")
    argv = write_settings(tmp_path, f"127.0.0.1:{port}", f"unix:{path}")
    with contextlib.ExitStack() as stack:
        with manager.run(*argv, *PATIENT) as first:
            manager.wait_names(f"A{port},", "unix")
            loads = [
                stack.enter_context(Load(address, keeping=0, renewing=1))
                for address in (("127.0.0.1", port), path)
            ]
            for load in loads:
                load.wait_answered(50)
            assert first.stop() == 0
        manager.listen()
        assert len(manager.stored) == 2
        clients = asking(("127.0.0.1", port), path)
        with manager.run(*argv, *PATIENT) as second:
            assert_answers(*clients)
            for load in loads:
                load.wait_answered(50)
                load.finish()
                assert not load.lost, load
            assert not second.lines("WARNING|ERROR")
            assert second.stop() == 0
    manager.listen()
    manager.release()
    with pytest.raises(ConnectionRefusedError):
        Connection(("127.0.0.1", port))
    with manager.run(*argv):  # in place of a stale file
        assert_answers(*asking(("127.0.0.1", port), path))


def test_without_a_promise_the_end_is_the_end(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """It is kept all the same: who came meanwhile gets through once somebody listens again."""
    port, path = free_port(), str(tmp_path / "s")
    argv = write_settings(tmp_path, f"127.0.0.1:{port}", f"unix:{path}")
    with ServiceManager(room=None) as manager, socket.socket() as late:
        with manager.run(*argv) as first:
            manager.wait_names(f"A{port},", "unix")
            assert first.stop() == 0
            assert not os.path.lexists(path)
        late.setblocking(False)
        assert late.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS
        with manager.run(*argv) as second:
            late.settimeout(PATIENCE)
            late.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert late.recv(100).startswith(b"HTTP/1.1 200 ")
            assert_answers(*asking(path))
            manager.wait_names(f"A{port},", rf"unix.*-{os.lstat(path).st_ino}$")
            assert not second.lines("WARNING|ERROR")


def test_what_does_not_fit_any_more_makes_room(
    tmp_path: Path, manager: ServiceManager, free_port: Callable[[], int]
) -> None:
    """Nobody is left to wait for an answer that never comes, and the address is free at once."""
    port, path = free_port(), str(tmp_path / "s")
    argv = write_settings(tmp_path, f"127.0.0.1:{port}", f"unix:{path}")
    with manager.run(*argv) as first:
        manager.wait_names(f"A{port},", "unix")
        wait_gone_with_workers(first)
    (waiting,) = asking(path)
    write_settings(tmp_path, f"0.0.0.0:{port}", f"unix:{path}?mode=600")
    with manager.run(*argv) as second, waiting:
        manager.wait_names(rf"^srvctl,0\.0\.0\.0%3A{port},0\.0\.0\.0$", "mode=600")
        assert_answers(*asking(("127.0.0.1", port), path))
        assert not second.lines("WARNING|ERROR")
        with pytest.raises((ConnectionResetError, ConnectionEnded)):
            waiting.read_response()


def test_an_upgrade_goes_on_with_what_is_kept(
    tmp_path: Path, manager: ServiceManager, free_port: Callable[[], int]
) -> None:
    port, other = free_port(), free_port()
    argv = write_settings(tmp_path, f"127.0.0.1:{port}", f"127.0.0.1:{other}")
    with manager.run(*argv) as server:
        manager.wait_names(f"A{port},", f"A{other},")
        done = server.command("upgrade")
        assert done.returncode == 0, done.stderr
        write_settings(tmp_path, f"127.0.0.1:{port}")
        server.signal(signal.SIGHUP)
        manager.wait_names(f"A{port},")
        assert server.stop() == 0
    clients = asking(("127.0.0.1", port))
    with manager.run(*argv):
        assert_answers(*clients)


def test_more_than_there_is_room_for(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """One line says what to set; what is not kept refuses clients at the end, as ever."""
    ports = free_port(), free_port()
    argv = write_settings(tmp_path, *(f"127.0.0.1:{port}" for port in ports))
    told = "keeps only 1 of 2 sockets while srvctl is restarted; set FileDescriptorStoreMax=2 in the unit"
    with ServiceManager(room=1) as manager:
        with manager.run(*argv) as server:
            manager.wait_names(f"A{ports[0]},")
            server.wait_line(told)
            assert server.stop() == 0
        Connection(("127.0.0.1", ports[0])).socket.close()
        with pytest.raises(ConnectionRefusedError):
            Connection(("127.0.0.1", ports[1]))


def test_sockets_of_units_and_kept_ones_come_together(
    tmp_path: Path, manager: ServiceManager, free_port: Callable[[], int]
) -> None:
    """The console has a socket of its own; what no bind names is told, what was kept never is."""
    port, gone = free_port(), free_port()
    more = '[console]\nbind = "systemd:console"\n'
    argv = write_settings(tmp_path, "systemd:web", f"127.0.0.1:{port}", f"127.0.0.1:{gone}", more=more)
    units = {name: socket.create_server(("127.0.0.1", 0)) for name in ("web", "console", "odd")}
    with contextlib.ExitStack() as stack:
        for sock in units.values():
            stack.enter_context(sock)
        with manager.run(*argv, units=units) as first:
            manager.wait_names(f"A{port},", f"A{gone},")
            wait_gone_with_workers(first)
        write_settings(tmp_path, "systemd:web", f"127.0.0.1:{port}", more=more)
        clients = asking(units["web"].getsockname(), ("127.0.0.1", port))
        with manager.run(*argv, units=units) as second:
            assert_answers(*clients)
            with Connection(units["console"].getsockname()) as console:
                assert console.get("/livez").status == 200
            (warning,) = second.lines("WARNING|ERROR")
            assert "systemd passed the socket 'odd' (file descriptor 5), which no bind names" in warning.text
            manager.wait_names(f"A{port},")
            with pytest.raises(ConnectionRefusedError):
                Connection(("127.0.0.1", gone))


def test_sockets_of_programs_are_kept_as_well(
    tmp_path: Path, manager: ServiceManager, free_port: Callable[[], int]
) -> None:
    port, own = free_port(), free_port()
    table = program("site", sys.executable, "-c", SITE, bind=[f"127.0.0.1:{own}"])
    argv = write_settings(tmp_path, f"127.0.0.1:{port}", more=table)
    with manager.run(*argv) as first:
        manager.wait_names(f"A{port},", f"A{own},")
        assert first.stop() == 0
    clients = asking(("127.0.0.1", own))
    with manager.run(*argv) as second:
        for client in clients:
            with client:
                assert client.read_response().text == "site"
        assert not second.lines("WARNING|ERROR")
        assert second.stop() == 0
