"""Accepting with the PROXY protocol, on real loops: what errors of accept(2) and of the kernel lead to."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING

import pytest

from srvctl.worker import accepting as module
from srvctl.worker.http.surroundings import Peer
from srvctl.worker.proxy.acceptor import Acceptor
from srvctl.worker.proxy.protocol import ProxyDecoder
from srvctl.worker.proxy.trust import Trust
from srvctl.worker.refusals import Refusals
from tests.support.proxy_header import TLS_V2, V1, v2
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    Test = Callable[[], Coroutine[None, None, None]]
    Run = Callable[[Test], None]

PATHS = b"/c".ljust(108, b"\0") + b"/s".ljust(108, b"\0")
Delivered = list[tuple[bytes, Peer | None]]


@pytest.fixture
def listener() -> Iterator[FlakyListener]:
    with FlakyListener() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


class FlakyListener(socket.socket):
    """A listener whose accept fails as often as it is told to."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET)
        self.failures: list[int] = []
        self.calls = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.calls += 1
        if self.failures:
            number = self.failures.pop(0)
            raise OSError(number, errno.errorcode[number])
        return super().accept()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for is no coroutine's
        await asyncio.sleep(0.001)


def make(delivered: Delivered, seconds: float = PATIENCE, entry: str = "127.0.0.1") -> Acceptor:
    def deliver(sock: socket.socket, peer: Peer | None) -> None:
        delivered.append((sock.recv(100), peer))
        sock.close()

    return Acceptor(Trust([entry]), seconds, deliver, lambda: None)


def test_errors_of_connections_do_not_keep_others_from_being_accepted(
    run: Run, listener: FlakyListener
) -> None:
    """accept(2): a connection that was reset in the queue, or that the network lost."""
    listener.failures = [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EINTR]
    delivered: Delivered = []

    async def test() -> None:
        acceptor = make(delivered)
        acceptor.start(listener)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(V1 + b"rest")
            await until(lambda: bool(delivered))
        acceptor.stop(0)
        acceptor.close()

    run(test)
    assert delivered == [(b"rest", Peer(("203.0.113.7", 4096), ("192.0.2.1", 443), is_unix=False))]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL])
def test_a_lack_of_descriptors_makes_the_listener_rest(
    run: Run,
    listener: FlakyListener,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Instead of being asked again and again; then it goes on."""
    monkeypatch.setattr(module, "_RETRY", 0.05)
    # Of one that is about itself the listener is asked more often, but not for ever.
    listener.failures = [number, number] if number != errno.EINVAL else [number] * 64
    delivered: Delivered = []

    async def test() -> None:
        acceptor = make(delivered)
        acceptor.start(listener)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(V1 + b"rest")
            await until(lambda: bool(delivered))
        acceptor.stop(0)

    run(test)
    assert listener.calls <= (5 if number != errno.EINVAL else 67)
    assert caplog.text.count("No connection can be accepted for 0.05 s") == 2


def test_a_listener_that_rests_can_be_stopped(
    run: Run,
    listener: FlakyListener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY", 0.05)
    listener.failures = [errno.EMFILE] * 100

    async def test() -> None:
        acceptor = make([])
        acceptor.start(listener)
        with socket.create_connection(listener.getsockname()):
            await until(lambda: listener.calls > 0)
            acceptor.stop(0)
            calls = listener.calls
            await asyncio.sleep(0.1)
        assert listener.calls == calls

    run(test)


def test_those_that_wait_are_given_up(run: Run, listener: FlakyListener) -> None:
    """At their time, sooner after a stop, and at once at the end."""

    async def test() -> None:
        for seconds, grace, is_closed in ((0.01, 600, False), (600, 0.01, False), (600, 600, True)):
            acceptor = make([], seconds)
            acceptor.start(listener)
            before = listener.calls
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(V1[:5])
                await until(lambda: listener.calls > before)  # noqa: B023 - called in this round
                assert acceptor.is_waiting or seconds < 1, "it may have been given up by now"
                acceptor.stop(grace)
                if is_closed:
                    acceptor.close()
                await until(lambda: not acceptor.is_waiting)  # noqa: B023
                assert client.recv(1) == b""
            acceptor.close()

    run(test)


def test_a_warning_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """The first at once; those that follow are counted, and each is told at debug."""
    caplog.set_level(logging.DEBUG, "srvctl.error")

    async def test() -> None:
        refusals = Refusals(asyncio.get_running_loop())
        for number in range(3):
            refusals.note(f"Number {number}")
        refusals.close()
        refusals.close()

    asyncio.run(test())
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "Number 0."),
        ("DEBUG", "Number 1."),
        ("DEBUG", "Number 2."),
        ("WARNING", "2 more connections were turned away, the last: Number 2."),
    ]


class TestPeers:
    """Whom a header means."""

    @pytest.mark.parametrize(
        ("header", "peer"),
        [
            (V1, Peer(("203.0.113.7", 4096), ("192.0.2.1", 443), is_unix=False)),
            (TLS_V2, Peer(("203.0.113.7", 4096), ("192.0.2.1", 443), is_unix=False, is_tls=True)),
            (b"PROXY UNKNOWN\r\n", None),
            (v2(command=0x20), None),
            (
                v2(b"/c".ljust(108, b"\0") + b"/s".ljust(108, b"\0"), family=0x31),
                Peer(None, ("/s", None), is_unix=True),
            ),
            (v2(bytes(216), family=0x31), Peer(None, None, is_unix=True)),
        ],
    )
    def test_of_header(self, header: bytes, peer: Peer | None) -> None:
        decoded = ProxyDecoder().feed(header)
        assert decoded is not None
        assert Peer.of_header(decoded) == peer
