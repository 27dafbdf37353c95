"""Behind every proxy, as the sample files have it, workers come, go and die: what clients see of it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from signal import SIGHUP, SIGKILL
from typing import TYPE_CHECKING

import pytest

from srvctl.settings.groups import TimeoutSettings
from tests.support.client_load import PATIENT
from tests.support.front_programs import NAMES, front
from tests.support.proxy_header import MIRROR
from tests.support.proxy_traffic import Traffic, request
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import FACTOR, Gate, NeverHappened
from tests.support.supervised import Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.front_proxy import FrontProxy

pytestmark = pytest.mark.system

FLAGS = ("--forwarded-allow-ips", "127.0.0.1,unix", "--workers", "2", *PATIENT)
#: nginx has TCP behind it here, the others a Unix socket; tests of each proxy have the other one.
UNIX = {"nginx": False, "haproxy": True, "caddy": True}
#: What clients may see of a reload of the proxy itself, which is nothing of srvctl's.
OF_THE_PROXY: dict[str, set[str]] = {
    # It closes kept connections at once (keepalive_min_timeout of 1.27.4 would wait); clients ask again.
    "nginx": {"GET stale", "POST stale"},
    "haproxy": set(),
}


@contextlib.contextmanager
def pair(
    name: str, folder: Path, *flags: str, target: str = MIRROR
) -> Iterator[tuple[ServerProcess, FrontProxy]]:
    """The server behind this proxy."""
    bind = f"unix:{folder}/s" if UNIX[name] else "127.0.0.1:0"
    with (
        ServerProcess(target, *FLAGS, *flags, bind=bind) as server,
        front(name, server, folder) as proxy,
    ):
        yield server, proxy


@pytest.mark.parametrize("name", NAMES)
def test_no_request_is_lost_by_reloads_and_recycling(name: str, tmp_path: Path) -> None:
    """GET and POST, over kept and over new connections."""
    limits = ("--max-requests", "200", "--recycle-spacing", "0s")
    with pair(name, tmp_path, *limits) as (server, proxy), Traffic(proxy) as traffic:
        server.wait_line("max_requests: .* gets a new one first", count=2)
        for count in (1, 2):
            server.signal(SIGHUP)
            server.wait_line("Reload done", count=count)
            traffic.wait_answered()
        traffic.finish()
        assert traffic.errors() == {}
        assert "Traceback" not in server.stderr.text


@pytest.mark.parametrize("name", OF_THE_PROXY)
def test_no_request_is_lost_by_a_reload_of_the_proxy(name: str, tmp_path: Path) -> None:
    with pair(name, tmp_path) as (server, proxy), Traffic(proxy) as traffic:
        workers = server.workers()
        for _ in range(2):
            proxy.reload()
            traffic.wait_answered()
        traffic.finish()
        assert traffic.errors(*OF_THE_PROXY[name]) == {}
        assert server.workers() == workers


def test_a_reload_of_caddy_does_not_hurt_the_workers(tmp_path: Path) -> None:
    """Caddy 2.6 cuts off what it is passing on; all else is answered, and the workers are well."""
    with pair("caddy", tmp_path) as (server, proxy):
        workers = server.workers()
        with Traffic(proxy) as traffic:
            proxy.reload()
            traffic.wait_answered()
        with Traffic(proxy) as traffic:
            traffic.wait_answered()
        assert traffic.errors() == {}
        assert server.workers() == workers
        assert "Traceback" not in server.stderr.text


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_flight_when_a_worker_is_killed(name: str, tmp_path: Path) -> None:
    """A GET is repeated, and another worker answers it; a POST may have been carried out, and is not."""
    with pair(name, tmp_path, target=BASIC) as (server, proxy):
        proxy.wait_status(200)
        assert in_flight(server, proxy, "GET") == (200, 2)
        server.wait_workers(2)
        assert in_flight(server, proxy, "POST") == (502, 1)
        server.wait_workers(2)


def in_flight(server: ServerProcess, proxy: FrontProxy, method: str) -> tuple[int, int]:
    """Kill the worker that a request is in; return what its client gets, and how often it was carried out."""
    visits = []
    with Gate() as gate, proxy.connect() as client:
        client.send(request(method, b"x" * 10 * (method == "POST"), path=f"/hold?gate={gate.port}"))
        visitor = gate.wait_visitor()
        visits.append(int(visitor.wait_word()))
        os.kill(visits[0], SIGKILL)
        server.wait_death(visits[0], "killed by SIGKILL")

        def let_others_pass() -> None:
            with contextlib.suppress(NeverHappened, OSError, ValueError):
                while word := (other := gate.wait_visitor()).wait_word():
                    visits.append(int(word))
                    other.let_pass()

        others = threading.Thread(target=let_others_pass, daemon=True)
        others.start()
        try:
            status = client.read_response().status
        finally:
            socket.create_connection(("127.0.0.1", gate.port)).close()  # ends the wait for others
            others.join()
    return status, len(visits)


@pytest.mark.parametrize("name", NAMES)
def test_only_a_post_may_fail_when_workers_are_killed(name: str, tmp_path: Path) -> None:
    """HAProxy may only close a kept connection then: whether to ask again is left to the client."""
    allowed = {"POST 502", "POST stale"}
    with pair(name, tmp_path) as (server, proxy), Traffic(proxy) as traffic:
        for count in range(1, 4):
            os.kill(server.workers()[0], SIGKILL)
            server.wait_death(None, "killed by SIGKILL", count=count)
            traffic.wait_answered()
        server.wait_workers(2)
        traffic.wait_answered()
        traffic.finish()
        assert traffic.errors(*allowed) == {}


#: How each sample says for how long an idle connection is kept: the words, and those seconds.
KEPT = {
    "nginx": ("keepalive_timeout {}", "4s", 4.0),
    # Half of them go each time.
    "haproxy": ("pool-purge-delay {}", "2s", 2.0),
    "caddy": ("keepalive {}", "4s", 4.0),
}


@pytest.mark.parametrize("name", NAMES)
def test_connections_that_idle_to_the_edge(name: str, tmp_path: Path) -> None:
    """The proxy gives them up, and before srvctl would: no POST finds one closed, and none is left."""
    words, told, seconds = KEPT[name]
    assert seconds < TimeoutSettings().keep_alive
    keep = 0.8 * FACTOR
    shorter = {words.format(told): words.format(f"{keep * (125 if name == 'haproxy' else 1000):.0f}ms")}
    statuses: list[int] = []
    bind = f"unix:{tmp_path}/s" if UNIX[name] else "127.0.0.1:0"
    with (
        Supervised(MIRROR, *FLAGS, bind=bind) as server,
        front(name, server, tmp_path, shorter) as proxy,
    ):
        proxy.wait_status(200)

        def post_twice(pause: float) -> None:
            with proxy.connect() as client:
                for seconds in (pause, 0.0):
                    client.send(request("POST", b"x" * 100))
                    statuses.append(client.read_response().status)
                    threading.Event().wait(seconds)

        pauses = [keep * (0.7 + 0.03 * number) for number in range(30)]
        clients = [threading.Thread(target=post_twice, args=(pause,), daemon=True) for pause in pauses]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert statuses == [200] * 2 * len(pauses)
        wait_until(
            lambda: not any(worker["connections"] for worker in server.status()["workers"]),
            "the proxy has given all connections up, which srvctl would have kept",
        )
