"""The console as the master sees it: what it may send over its wire, and that nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from srvctl.settings.groups import LogSettings
from srvctl.supervisor.console import Console
from srvctl.supervisor.listeners import Listeners
from srvctl.supervisor.output.output import Output
from srvctl.supervisor.spawn import fork_child
from tests.support.server_waits import PATIENCE, wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.supervisor.output.printed import Pipes

RESTARTS: Final = 50
NOW: Final = 1000.0
LATER: Final = 10**9


class Poller:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.watched: dict[int, Any] = {}
        self.children: list[Any] = []

    def watch(self, source: Any, handler: Any, _mask: int = 0) -> None:
        fd = source if isinstance(source, int) else source.fileno()
        assert fd not in self.watched
        self.watched[fd] = handler

    def unwatch(self, source: Any) -> None:
        del self.watched[source if isinstance(source, int) else source.fileno()]

    def change(self, source: Any, mask: int) -> None:
        raise AssertionError((source, mask))

    def adopt(self, child: Any) -> None:
        self.children.append(child)

    def forget(self, child: Any) -> None:
        self.children.remove(child)

    def add_clock(self, _clock: Any) -> None:
        """Nobody waits here."""

    def reap(self, console: Console) -> None:
        """Do what the poller does when the child has ended."""
        assert console.pid is not None
        _, status = os.waitpid(console.pid, 0)
        self.children.remove(console)
        assert not list(console.ended("its end", status))


class Scene:
    """A console whose child only waits, and the child's end of its wire."""

    def __init__(self) -> None:
        self.poller = Poller()
        self.adopted: list[socket.socket] = []
        output = Output(LogSettings(), captures=True)
        output.attach(self.poller)  # type: ignore[arg-type] # as much of it as is needed
        self.console = Console(
            self.poller,  # type: ignore[arg-type]
            output,
            Listeners(()),
            self._start,
            self.adopted.append,
        )
        self.wire = socket.socket(fileno=None)

    def _start(self, wire: socket.socket, _pipes: Pipes | None) -> int:
        self.wire.close()
        self.wire = wire.dup()
        return fork_child(lambda: None, _wait)

    def take(self) -> None:
        """Have the master read the wire once."""
        wire = self.console._wire
        assert wire is not None
        assert not list(self.poller.watched[wire.fileno()](1))

    def close(self) -> None:
        self.console.close()
        self.wire.close()
        for sock in self.adopted:
            sock.close()


def _wait() -> int:
    signal.pause()
    return 0


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()
    assert not scene.poller.children
    assert not scene.poller.watched


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_fifty_of_them_leave_nothing_behind(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, each; and however often, there is another one, later and later."""
    monkeypatch.setattr("srvctl.supervisor.console.time", SimpleNamespace(monotonic=lambda: NOW))
    scene.console.begin()
    opened, due = descriptors(), []
    for _ in range(RESTARTS):
        assert scene.console.pid is not None
        os.kill(scene.console.pid, signal.SIGKILL)
        scene.poller.reap(scene.console)
        next_one = scene.console.next_deadline()
        assert next_one is not None
        due.append(next_one - NOW)
        scene.console.expire(LATER)
    assert descriptors() == opened
    assert due[0] <= 0
    assert 25 < due[-1] < 40


def test_a_connection_that_it_makes_is_taken(scene: Scene) -> None:
    scene.console.begin()
    own, other = socket.socketpair()
    with own:
        with other:
            socket.send_fds(scene.wire, [b"+"], [other.fileno()])
        scene.take()
        [taken] = scene.adopted
        assert not taken.get_inheritable()
        taken.sendall(b"hello")
        assert own.recv(9) == b"hello"


def test_it_has_no_more_connections_than_it_may(scene: Scene) -> None:
    """Those that are closed do not count."""
    scene.console.begin()
    ours = []
    for _ in range(100):
        own, other = socket.socketpair()
        ours.append(own)
        with other:
            socket.send_fds(scene.wire, [b"+"], [other.fileno()])
        scene.take()
    assert len(scene.adopted) == 32
    scene.adopted.pop().close()
    own, other = socket.socketpair()
    with own, other:
        socket.send_fds(scene.wire, [b"+"], [other.fileno()])
        scene.take()
        assert len(scene.adopted) == 32
    for own in ours:
        own.close()


def test_what_is_no_connection_is_closed(scene: Scene) -> None:
    """Files, sockets of other kinds, many at once, none at all, and more bytes than anybody wants."""
    scene.console.begin()
    opened = descriptors()
    with (
        Path(os.devnull).open("rb") as file,
        socket.socket() as tcp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams,
    ):
        for fds in ([file.fileno()], [tcp.fileno()], [datagrams.fileno()], [file.fileno()] * 50, []):
            socket.send_fds(scene.wire, [b"+"], fds)
        for _ in range(10):
            scene.take()
    scene.wire.sendall(b"x" * 5000)
    for _ in range(5000):
        scene.take()
    assert not scene.adopted
    assert descriptors() == opened


def test_one_turn_takes_only_some(scene: Scene) -> None:
    """The master has other things to do than to listen to a console that has gone mad."""
    scene.console.begin()
    scene.wire.sendall(b"x" * 100)
    scene.take()
    scene.wire.setblocking(False)
    wire = scene.console._wire
    assert wire is not None
    assert len(wire.recv(1000)) == 92


def test_one_that_hangs_up_is_left_until_it_ends(scene: Scene) -> None:
    scene.console.begin()
    scene.wire.close()
    fd = scene.console._wire.fileno() if scene.console._wire is not None else -1
    deadline = time.monotonic() + PATIENCE
    while scene.console._wire is not None and time.monotonic() < deadline:
        # The child of this test has a copy of the wire, which ends with it.
        assert scene.console.pid is not None
        os.kill(scene.console.pid, signal.SIGKILL)
        wait_gone(scene.console.pid)
        assert not list(scene.poller.watched[fd](1))
    assert fd not in scene.poller.watched
    scene.poller.reap(scene.console)


def test_where_there_is_no_process_it_is_tried_again(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    def refuse(_wire: socket.socket, _pipes: Pipes | None) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    opened = descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(scene.console, "_start", refuse)
        scene.console.begin()
        scene.console.expire(LATER)
    assert descriptors() == opened
    assert scene.console.pid is None
    scene.console.expire(LATER)
    assert scene.console.pid is not None
