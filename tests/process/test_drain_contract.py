"""What a load balancer, a service manager and a client see of a stop, in the order they see it."""

from __future__ import annotations

import socket
import time
from signal import SIGTERM
from typing import TYPE_CHECKING

import pytest

from tests.support.client_load import PATIENT, Load
from tests.support.keeping_manager import wait_word
from tests.support.server_waits import PATIENCE, Gate
from tests.support.supervised import AILING, Supervised, wait_until

if TYPE_CHECKING:
    from pathlib import Path

DELAY = 1.5


def test_a_stop_is_announced_and_served_through(tmp_path: Path) -> None:
    """Not ready any more, but accepting, however long the delay is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        flags = ("--drain-delay", "600", "--workers", "2", *PATIENT)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with Supervised(AILING, *flags, env=env) as server:
            wait_word(manager, b"READY=1")
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(100)
                server.signal(SIGTERM)
                wait_word(manager, b"STOPPING=1")
                server.wait_line(r"stopping; accepting for 600 s \(timeouts\.drain_delay\)")
                load.wait_answered(100)  # old connections and new ones
                assert not server.lines("Shutting down")
            assert not load.lost, load


def test_a_stop_ends_accepting_after_the_delay_and_is_summed_up(tmp_path: Path) -> None:
    """Announced; then closed, with what was queued served; then the sum."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, Gate() as gate:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        flags = ("--drain-delay", f"{DELAY:g}", "--workers", "2", *PATIENT)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with Supervised(AILING, *flags, env=env) as server:
            wait_word(manager, b"READY=1")
            with server.connect() as held:
                held.send_get(f"/hold?gate={gate.port}")
                visitor = gate.wait_visitor()
                with Load(("127.0.0.1", server.port)) as load:
                    load.wait_answered(100)
                    began = time.monotonic()
                    server.signal(SIGTERM)
                    wait_word(manager, b"STOPPING=1")
                    server.wait_line(r"stopping; accepting for 1\.5 s \(timeouts\.drain_delay\)")
                    server.wait_line("Shutting down", count=2)
                    assert time.monotonic() >= began + DELAY
                    with pytest.raises(ConnectionRefusedError):
                        server.connect()
                assert {lost.how for lost in load.lost} <= {"refused"}, load
                visitor.let_pass()
                assert held.read_response().text == "held"
            assert server.wait_exit() == 0
            [line] = server.lines("Stopped: ")
            assert line.text.endswith(f"Stopped: served {load.total + 1}, cut 0.")


def in_flight(server: Supervised, pid: int) -> int:
    """Return how many requests a worker is answering."""
    [count] = [worker["in_flight"] for worker in server.status()["workers"] if worker["pid"] == pid]
    return int(count)


def test_what_was_cut_is_counted() -> None:
    """A request that outlasts the grace, and one whose worker is killed with it."""
    flags = ("--workers", "2", "--timeout-graceful-shutdown", "0", "--timeout-lifespan-shutdown", "0")
    with Gate() as gate, Supervised(AILING, *flags) as server, server.one_each(2) as to:
        [cut, killed] = to
        to[cut].send_get(f"/hold?gate={gate.port}")
        gate.wait_visitor()
        to[killed].send_get("/lock_twice_in_c")
        wait_until(lambda: in_flight(server, killed) == 1, "it takes nobody any more")
        with server.connect() as other:
            assert other.get().pid == cut
        assert server.stop() == 0
        [line] = server.lines("Stopped: ")
        assert line.text.endswith("cut 2.")
