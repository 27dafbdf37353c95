"""What the service manager is told to keep: each socket once, nothing in vain, and nobody waits for it."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from srvctl.settings.binds import TcpBind
from srvctl.supervisor.fd_store import FdStore, room_of
from srvctl.supervisor.listeners import Listener
from srvctl.systemd import Notifier
from tests.support.keeping_manager import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Listener]


@pytest.fixture
def manager() -> Iterator[ServiceManager]:
    with ServiceManager() as manager:
        yield manager


@pytest.fixture
def notifier(manager: ServiceManager) -> Iterator[Notifier]:
    with contextlib.closing(Notifier(manager.address.encode())) as notifier:
        yield notifier


@pytest.fixture
def make() -> Iterator[Make]:
    """Opens a listener, for this port of the settings."""
    with contextlib.ExitStack() as stack:

        def make(port: int = 80, *, is_kept: bool = False) -> Listener:
            sock = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            return Listener(sock, TcpBind("localhost", port), "", is_kept=is_kept)

        yield make


def name(port: int) -> str:
    return f"srvctl,localhost%3A{port},127.0.0.1"


def told(manager: ServiceManager) -> list[str]:
    """What was said since the last look, in short."""
    before = len(manager.said)
    manager.listen()
    return [
        ("-" if "FDSTOREREMOVE=1" in text else "+") + text.partition("FDNAME=")[2].partition("\n")[0]
        for text in manager.said[before:]
    ]


def test_each_is_told_once_and_what_is_gone_is_taken_back(
    manager: ServiceManager, notifier: Notifier, make: Make
) -> None:
    store = FdStore(notifier, room=8)
    first, second = make(1), make(2)
    store.keep([first, make(0)])
    assert told(manager) == ["+" + name(1)]
    assert first.is_kept
    store.keep([first, second])
    assert told(manager) == ["+" + name(2)]
    store.keep([second])
    assert told(manager) == ["-" + name(1)]
    assert store.next_deadline() is None


def test_what_an_earlier_master_left_is_kept_or_taken_back(
    manager: ServiceManager, notifier: Notifier, make: Make
) -> None:
    """A socket that was opened anew takes the place of one that did not fit."""
    store = FdStore(notifier, 8, [name(1), name(2), name(3), "srvctl,of another version"])
    store.keep([make(1, is_kept=True), make(2)])
    assert told(manager) == ["-" + name(2), "-" + name(3), "-srvctl,of another version", "+" + name(2)]


def test_nobody_is_told_where_nobody_is(make: Make) -> None:
    with contextlib.closing(Notifier(b"")) as notifier:
        store = FdStore(notifier, room=8)
        listener = make()
        store.keep([listener])
        assert not listener.is_kept
        assert store.next_deadline() is None


def test_without_a_promise_nothing_is_taken_for_kept(
    manager: ServiceManager, notifier: Notifier, make: Make
) -> None:
    store = FdStore(notifier)
    listener = make()
    for _ in range(2):
        store.keep([listener])
        assert not listener.is_kept
    assert told(manager) == ["+" + name(80)]


def test_more_than_fit_are_told_of_once(
    manager: ServiceManager, notifier: Notifier, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    store = FdStore(notifier, room=1)
    listeners = [make(1), make(2)]
    for _ in range(2):
        store.keep(listeners)
    assert [listener.is_kept for listener in listeners] == [True, False]
    assert told(manager) == ["+" + name(1)]
    (warning,) = caplog.records
    assert warning.getMessage() == (
        "The service manager keeps only 1 of 2 sockets while srvctl is restarted; set "
        "FileDescriptorStoreMax=2 in the unit."
    )
    store.keep(listeners[1:])
    assert told(manager) == ["-" + name(1), "+" + name(2)]


def test_what_gets_lost_is_sent_again(manager: ServiceManager, notifier: Notifier, make: Make) -> None:
    """A queue that is full delays nobody, and what is kept is never taken for more than it is."""
    store = FdStore(notifier, room=8, names=[name(1)])
    while notifier.status("full"):
        pass
    listener = make(2)
    store.keep([listener])
    due = store.next_deadline()
    assert due is not None
    store.expire(due - 0.001)
    assert store.next_deadline() == due
    store.expire(due)  # still full
    later = store.next_deadline()
    assert later is not None
    assert later > due
    seen = [listener.is_kept]
    manager.listen()
    store.expire(later)
    assert told(manager) == ["-" + name(1), "+" + name(2)]
    assert [*seen, listener.is_kept] == [False, True]
    assert store.next_deadline() is None


def test_a_deaf_one_is_not_told_for_ever(manager: ServiceManager, notifier: Notifier, make: Make) -> None:
    manager.socket.close()
    store = FdStore(notifier, room=8)
    store.keep([make()])
    tries = 0
    while (due := store.next_deadline()) is not None:
        store.expire(due)
        tries += 1
    assert 1 < tries < 20


def test_a_socket_that_is_closed_meanwhile_is_not_sent(
    manager: ServiceManager, notifier: Notifier, make: Make
) -> None:
    store = FdStore(notifier, room=8)
    while notifier.status("full"):
        pass
    listener = make()
    store.keep([listener])
    listener.close()
    manager.listen()
    store.expire(float("inf"))
    assert told(manager) == []
    assert store.next_deadline() is None


def test_another_program_goes_on_with_it(manager: ServiceManager, notifier: Notifier, make: Make) -> None:
    store = FdStore(notifier, room=1)
    listener = make(1)
    store.keep([listener])
    told(manager)
    heir = FdStore.inherit(notifier, store.export())
    heir.keep([listener])
    assert told(manager) == []
    heir.keep([make(2)])
    assert told(manager) == ["-" + name(1), "+" + name(2)]
    heir = FdStore.inherit(notifier, None)  # of a srvctl that knew nothing of it
    heir.keep([make(3)])
    assert told(manager) == ["+" + name(3)]


@pytest.mark.parametrize(
    ("promised", "executed", "room"),
    [
        ("16", "7", 16),
        ("16", "8", None),
        ("16", "", None),
        ("", "7", None),
        ("x", "7", None),
        ("0", "7", None),
    ],
)
def test_a_promise_is_for_the_process_that_was_started(
    promised: str, executed: str, room: int | None
) -> None:
    assert room_of(promised, executed, 7) == room


def test_children_learn_nothing_of_it(notifier: Notifier) -> None:
    environ = {"FDSTORE": "3", "SYSTEMD_EXEC_PID": "1", "PATH": "/bin"}
    FdStore.from_environ(notifier, environ)
    assert environ == {"SYSTEMD_EXEC_PID": "1", "PATH": "/bin"}
