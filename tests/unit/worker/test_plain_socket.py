"""Sockets whose family and type are plain numbers are sockets in everything else."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from srvctl.worker.plain_socket import PlainSocket

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.mark.parametrize("family", [*HOSTS, socket.AF_UNIX])
def test_what_it_accepts_is_like_it(family: socket.AddressFamily, tmp_path: Path) -> None:
    address = (HOSTS[family], 0) if family in HOSTS else str(tmp_path / "s")
    with socket.socket(family) as bound:
        bound.bind(address)
        bound.listen()
        with PlainSocket(fileno=bound.detach()) as listener, socket.socket(family) as client:
            client.connect(listener.getsockname())
            accepted, peername = listener.accept()
            with accepted:
                for sock in (listener, accepted):
                    assert [type(sock.family), type(sock.type)] == [int, int]
                    assert [sock.family, sock.type] == [family, socket.SOCK_STREAM]
                assert peername == client.getsockname()
                assert accepted.gettimeout() is None
                assert not accepted.get_inheritable()
                client.sendall(b"hello")
                assert accepted.recv(5) == b"hello"
            assert client.recv(1) == b""


def test_nothing_to_accept() -> None:
    with PlainSocket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
