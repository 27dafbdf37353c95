"""Making connections of accepted sockets, on real loops: at once, with failures, and given up."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.making import Making

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    Test = Callable[[], Coroutine[None, None, None]]
    Run = Callable[[Test], None]


@pytest.fixture
def accepted() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return a client, and what a server has accepted of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        sock, _ = listener.accept()
        sock.setblocking(False)
        with client, sock:
            yield client, sock


class Greeting(asyncio.Protocol):
    """Greets; tells those who make it."""

    def __init__(self, making: Making) -> None:
        self.making = making

    def connection_made(self, transport: Any) -> None:
        self.making.note_made()
        transport.write(b"hello")
        transport.close()


class Changes:
    """How often something has changed."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> None:
        self.number += 1


def test_a_connection_is_begun_at_once_and_made_soon(
    run: Run, accepted: tuple[socket.socket, socket.socket]
) -> None:
    client, sock = accepted

    async def test() -> None:
        changes = Changes()
        made: list[Greeting] = []
        making = Making({}, changes)

        def connect() -> Greeting:
            made.append(Greeting(making))
            return made[-1]

        making.begin(connect, sock)
        assert [len(made), making.pending, making.is_busy, changes.number] == [1, 1, True, 0]
        await making.settle()
        assert [making.pending, making.is_busy, changes.number] == [0, False, 1]
        assert await asyncio.to_thread(client.recv, 5) == b"hello"
        await making.settle()  # nobody is waited for

    run(test)


def test_whoever_is_told_is_told_once_of_many(run: Run) -> None:
    async def test() -> None:
        changes = Changes()
        making = Making({}, changes)
        with contextlib.ExitStack() as stack:
            pairs = [socket.socketpair() for _ in range(5)]
            clients = [stack.enter_context(client) for client, _ in pairs]
            for _, sock in pairs:
                stack.enter_context(sock).setblocking(False)
                making.begin(lambda: Greeting(making), sock)
            await making.settle()
            assert [making.pending, making.is_busy, changes.number] == [0, False, 1]
            for client in clients:
                assert await asyncio.to_thread(client.recv, 5) == b"hello"

    run(test)


def test_what_cannot_be_made_is_forgotten(run: Run, accepted: tuple[socket.socket, socket.socket]) -> None:
    async def test() -> None:
        changes = Changes()
        making = Making({}, changes)

        def connect() -> asyncio.Protocol:
            raise RuntimeError("no protocol")

        making.begin(connect, accepted[1])
        assert [making.pending, making.is_busy, changes.number] == [0, False, 1]

    run(test)


def options() -> dict[str, Any]:
    return {"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "ssl_handshake_timeout": 60.0}


@pytest.mark.parametrize("ends", ["the client leaves", "the client speaks no TLS", "given up"])
def test_a_handshake_that_fails(run: Run, accepted: tuple[socket.socket, socket.socket], ends: str) -> None:
    client, sock = accepted

    async def test() -> None:
        changes = Changes()
        making = Making(options(), changes)
        making.begin(lambda: Greeting(making), sock)
        await asyncio.sleep(0)
        assert [making.pending, making.is_busy, changes.number] == [1, True, 0]
        if ends == "given up":
            making.cancel()
        elif ends == "the client leaves":
            client.close()
        else:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        await making.settle()
        assert [making.pending, making.is_busy, changes.number] == [0, False, 1]
        if ends != "the client leaves":
            await asyncio.to_thread(drain, client)  # the socket is closed, and nobody waits for ever

    run(test)


def drain(client: socket.socket) -> None:
    """Read to the end, whichever way the server has closed it."""
    with contextlib.suppress(ConnectionResetError):
        while client.recv(4096):
            pass
