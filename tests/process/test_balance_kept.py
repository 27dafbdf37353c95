"""Connections stay evenly spread: over TLS, over a change of addresses, over an upgrade, over deaths."""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.apps.written import write_app
from tests.support.certificates import Authority
from tests.support.client_load import PATIENT
from tests.support.commands import srvctl
from tests.support.kept import Clients, rows_of, table_of
from tests.support.ports import reserve_port
from tests.support.server import BASIC, ServerProcess
from tests.support.supervised import Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SITE = "site_app:app"
FIRST = "127.0.0.1:0"
#: However slow the machine is, a worker is only ended by an event.
FOUR = ("--workers", "4", "--hang-timeout", "600", *PATIENT)


def wait_rows(server: ServerProcess, count: int) -> None:
    wait_until(lambda: len(rows_of(server.pid)) == count, f"{count} workers are in the table")


def connections(server: ServerProcess) -> int:
    """Return how many the workers say they have."""
    return sum(count - 1 for _, count in rows_of(server.pid))


def test_over_tls(tmp_path: Path) -> None:
    """Connections count from when they are accepted: those who come first may be slow to shake hands."""
    authority = Authority(tmp_path)
    flags = [*authority.issue("server", "localhost").flags, "--timeout-tls-handshake", "600"]
    with (
        ServerProcess(BASIC, *FOUR, *flags) as server,
        Clients(server, context=authority.client()) as clients,
    ):
        queued = clients.queue(48)
        wait_until(lambda: connections(server) == 48, "all are counted before their handshakes")
        clients.ask(queued)
        wait_until(lambda: connections(server) == 48, "all are counted after their handshakes")
        clients.even_out(48)


def write_settings(folder: Path, binds: Iterable[str]) -> None:
    listed = ", ".join(f'"{bind}"' for bind in binds)
    (folder / "site.toml").write_text(f"[server]\nbind = [{listed}]\n")


def test_over_a_change_of_addresses(tmp_path: Path) -> None:
    """Workers that listen elsewhere are no business of the new ones, which take an even share of their own.

    The old ones are stopped, so that they cannot give their rows up. And they have so many that each of the
    new would otherwise be far below its share, whatever it takes.
    """
    write_app(tmp_path, "good")
    write_settings(tmp_path, [FIRST])
    with ExitStack() as stack:
        flags = ("-c", str(tmp_path / "site.toml"), "--max-surge", "4", *FOUR)
        server = stack.enter_context(Supervised(SITE, *flags, bind=None, cwd=tmp_path))
        before, after = stack.enter_context(Clients(server)), stack.enter_context(Clients(server))
        wait_rows(server, 4)
        before.at_once(320)
        old = server.workers()
        for pid in old:
            os.kill(pid, signal.SIGSTOP)
        added = reserve_port(stack)
        write_settings(tmp_path, [FIRST, f"127.0.0.1:{added}"])
        assert server.command("reload").returncode == 0
        wait_rows(server, 8)
        for port in (added, server.port):
            after.port = port
            after.even_out(20)
        for pid in old:
            os.kill(pid, signal.SIGCONT)
        wait_rows(server, 4)
        for port in (added, server.port):
            after.port = port
            after.even_out(20)
        assert not after.owners.keys() & set(old)


@pytest.fixture
def control() -> Iterator[Path]:
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        yield Path(directory) / "web.sock"


def test_over_an_upgrade(tmp_path: Path, control: Path) -> None:
    """Workers of before and after it have one table; without a mold, which has kept it, too."""
    write_app(tmp_path, "v1")
    at = ("--control-socket", str(control))
    flags = (*at, "--preload", "off", *FOUR, "--workers", "2")
    with ServerProcess(SITE, *flags, cwd=tmp_path) as server, Clients(server) as clients:
        clients.even_out(40, workers=2)
        table, old = table_of(server.pid).stat(), server.workers()
        done = srvctl("upgrade", *at)
        assert "2 workers live on" in done.stdout, done
        assert srvctl("scale", "3", *at).returncode == 0
        wait_rows(server, 3)
        [new] = set(server.workers()) - set(old)
        for pid in (server.pid, new, *old):
            assert os.path.samestat(table, table_of(pid).stat())
        assert len({group for group, _ in rows_of(server.pid)}) == 1
        clients.even_out(20, workers=3)
        assert clients.owners.keys() == {new, *old}


def is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@pytest.mark.parametrize("end", [signal.SIGSTOP, signal.SIGKILL])
def test_what_waits_for_a_worker_that_does_not_come_is_for_the_others(end: signal.Signals) -> None:
    """One is stopped or killed, and not replaced, while a part of what waits is its own."""
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(BASIC, *FOUR))
        clients = stack.enter_context(Clients(server))
        wait_rows(server, 4)
        gone, *others = server.workers()
        everybody = (server.pid, gone, *others)  # the master, too: it would see to a successor
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
            stack.callback(os.kill, pid, signal.SIGCONT)
        wait_until(lambda: all(is_stopped(pid) for pid in everybody), "everybody is stopped")
        queued = clients.queue(30)
        os.kill(gone, end)
        for pid in others:
            os.kill(pid, signal.SIGCONT)
        clients.ask(queued)
        clients.one_by_one(30)
        assert clients.owners.total() == 60
        clients.try_until(lambda: len(clients.owners) == len(others), lambda: clients.one_by_one(30))
        assert clients.owners.keys() == set(others)
