"""A listener about to close begins no more handshakes: `srvctl.ipc.handshakes`."""

from __future__ import annotations

import select
import socket
import sys

import pytest

from srvctl.ipc import handshakes
from srvctl.ipc.handshakes import hear_all, resume_handshakes, stop_handshakes
from tests.support.server_waits import PATIENCE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="socket filters are Linux's")
@pytest.mark.parametrize("has_filters", [True, False])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_is_connected_stays_and_who_comes_later_is_not(
    family: socket.AddressFamily, host: str, has_filters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is connected only to be reset; also where the kernel refuses filters."""
    if not has_filters:
        monkeypatch.setattr(handshakes, "_DROP_SYN", bytes(8))  # no instruction that the kernel takes
    with socket.create_server((host, 0), family=family) as listener, socket.socket(family) as late:
        with socket.create_connection(listener.getsockname()[:2]) as early:
            assert select.select([listener], [], [], PATIENCE)[0]  # it is connected on both sides
            stop_handshakes(listener)
            late.setblocking(False)
            late.connect_ex(listener.getsockname())
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"served")
                assert early.recv(6) == b"served"
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        resume_handshakes(listener)
        listener.setblocking(True)
        with socket.create_connection(listener.getsockname()[:2]), listener.accept()[0]:
            pass


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="socket filters are Linux's")
@pytest.mark.parametrize("has_filters", [True, False])
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_is_about_to_be_connected_is_heard(
    family: socket.AddressFamily, host: str, has_filters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection inherits from its listener whatever keeps others from connecting."""
    if not has_filters:
        monkeypatch.setattr(handshakes, "_DROP_SYN", bytes(8))
    with socket.create_server((host, 0), family=family) as listener:
        listener.settimeout(PATIENCE)
        listener.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60
        )  # the first byte ends the handshake
        with socket.create_connection(listener.getsockname()[:2]) as client:
            stop_handshakes(listener)
            client.sendall(b"a")
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(PATIENCE)
                client.sendall(b"b")
                hear_all([accepted])
                received = b""
                while len(received) < 2:
                    received += accepted.recv(2)
    assert received == b"ab"


def test_a_unix_socket_is_left_alone() -> None:
    """Its file is gone before it closes, and nobody can connect."""
    with socket.socket(socket.AF_UNIX) as listener:
        stop_handshakes(listener)
        hear_all([listener])
