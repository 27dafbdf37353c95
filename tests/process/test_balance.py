"""Connections are spread evenly over the workers, whatever happens to one of them. Counts, no times."""

from __future__ import annotations

import os
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP
from typing import TYPE_CHECKING

import pytest

from tests.support.kept import MARK, Clients
from tests.support.proxy_header import ON, V1
from tests.support.server import BASIC, ServerProcess
from tests.support.supervised import Supervised

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = 200
FOUR = ("--workers", "4")
MANY_SECONDS = ("--timeout-keep-alive", "600")


def serving(*flags: str, bind: str = "127.0.0.1:0") -> ServerProcess:
    return ServerProcess(BASIC, *FOUR, *MANY_SECONDS, *flags, bind=bind)


def address(family: str, tmp_path: Path) -> str:
    return {"v4": "127.0.0.1:0", "v6": "[::1]:0", "unix": f"unix:{tmp_path}/s"}[family]


@pytest.mark.parametrize("way", ["one_by_one", "at_once"])
@pytest.mark.parametrize("family", ["v4", "v6", "unix"])
def test_all_workers_have_the_same_number(family: str, way: str, tmp_path: Path) -> None:
    """A further burst evens out what a busy machine has kept the workers from."""
    with serving(bind=address(family, tmp_path)) as server, Clients(server) as clients:
        clients.try_until(lambda: clients.skew(4) <= MARK, lambda: getattr(clients, way)(NUMBER))


def test_behind_the_proxy_protocol_it_is_the_same() -> None:
    flags = [*ON, "--forwarded-allow-ips", "127.0.0.1"]
    with serving(*flags) as server, Clients(server) as clients:
        clients.try_until(lambda: clients.skew(4) <= MARK, lambda: clients.one_by_one(100, before=V1))


def test_it_can_be_left_to_the_kernel() -> None:
    with serving("--balance", "off") as server, Clients(server) as clients:
        clients.one_by_one(50)
        clients.at_once(50)
        assert clients.owners.total() == 100


def test_a_stopped_worker_is_left_out_until_it_goes_on() -> None:
    with serving() as server, Clients(server) as clients:
        stopped, *_ = server.workers()
        os.kill(stopped, SIGSTOP)
        try:
            clients.one_by_one(60)
            clients.at_once(60)
            assert clients.owners.total() == 120
            clients.try_until(lambda: len(clients.owners) == 3, lambda: clients.one_by_one(20))
            assert stopped not in clients.owners
        finally:
            os.kill(stopped, SIGCONT)
        clients.try_until(lambda: clients.owners[stopped] >= 30, lambda: clients.one_by_one(20))


def test_the_successor_of_a_killed_worker_comes_up_to_the_others() -> None:
    with serving() as server, Clients(server) as clients:
        clients.one_by_one(80)
        killed, *others = server.workers()
        os.kill(killed, SIGKILL)
        server.wait_death(killed, "killed by SIGKILL")
        clients.at_once(20)  # whoever is there
        server.wait_answer(lambda answer: answer.pid not in {killed, *others})
        del clients.owners[killed]
        clients.try_until(lambda: clients.skew(4) <= 2 * MARK, lambda: clients.one_by_one(20))


def test_new_connections_after_a_reload_are_even() -> None:
    with serving() as server, Clients(server) as before, Clients(server) as after:
        before.one_by_one(40)
        mark, old = server.mark(), server.workers()
        server.signal(SIGHUP)
        after.one_by_one(40)  # while it happens
        server.wait_line("Reload done", since=mark)
        for pid in old:
            server.wait_death(pid)
        for pid in old:
            del after.owners[pid]
        after.try_until(lambda: after.skew(4) <= MARK, lambda: after.one_by_one(100))


def test_a_worker_that_was_alone_shares_with_those_that_come() -> None:
    with Supervised(BASIC, "--workers", "1", *MANY_SECONDS) as server, Clients(server) as clients:
        clients.one_by_one(5)
        assert server.command("scale", "4").returncode == 0
        clients.try_until(lambda: clients.skew(4) <= MARK, lambda: clients.one_by_one(40))
