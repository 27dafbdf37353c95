"""A worker's row: whose it is, what becomes of it at a death, and when nothing is left to others."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.shares import ROWS, SIZE
from srvctl.supervisor.vitals import new_shares
from srvctl.worker.balance import Balance, group_of
from srvctl.worker.courtesy import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.worker.courtesy import Wait


@pytest.fixture
def table() -> Iterator[int]:
    fd = new_shares()
    yield fd
    os.close(fd)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def joined(table: int, listener: socket.socket, count: int = 0, *, is_courteous: bool = True) -> Balance:
    balance = Balance.join(table, [listener], lambda: count, is_courteous=is_courteous)
    assert balance is not None
    balance.note()
    return balance


@contextlib.contextmanager
def sibling(table: int, listener: socket.socket, count: int = 0) -> Iterator[tuple[int, int]]:
    """Have another process take part; give its pid, and what it waits for to end."""
    ready, told = os.pipe()
    wait, end = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            balance = joined(table, listener, count)
            os.close(end)
            os.write(told, b".")
            os.read(wait, 1)
            del balance  # with it goes the lock
        os._exit(0)
    os.read(ready, 1)
    try:
        yield pid, end
    finally:
        os.close(end)
        os.waitpid(pid, 0)
        for fd in (ready, told, wait):
            os.close(fd)


def opened(table: int) -> list[int]:
    """What the first rows say."""
    cells = struct.unpack(f"{SIZE // 4}I", os.pread(table, SIZE, 0))
    return list(cells[16:20])


def test_each_process_has_a_row_and_the_kernel_knows_whose(table: int, listener: socket.socket) -> None:
    with sibling(table, listener, 4):
        balance = joined(table, listener, 2)
        assert opened(table) == [5, 3, 0, 0]
        balance.leave()
        assert opened(table) == [5, 0, 0, 0]


def test_the_row_of_a_dead_worker_is_free(table: int, listener: socket.socket) -> None:
    with sibling(table, listener, 4):
        pass
    assert opened(table)[0] == 5, "nobody was there to tidy up"
    balance = joined(table, listener, 2)
    assert opened(table) == [3, 0, 0, 0]
    balance.leave()


def wait_for_turn(balance: Balance, listener: socket.socket) -> int:
    """Look again and again, as a loop would; return how often, until it was this worker's turn."""
    wait: Wait | None = None
    for look in range(1_000_000):
        most, wait = balance.look(listener, wait)
        if most:
            return look
    raise AssertionError("it is never this worker's turn")


def test_a_dead_worker_is_waited_for_once_and_then_taken_off(table: int, listener: socket.socket) -> None:
    with sibling(table, listener):  # takes the first row
        balance = joined(table, listener, 7)
        with sibling(table, listener, 7), socket.create_connection(listener.getsockname()):
            assert balance.look(listener, None)[0] == 0, "it is for the one that has none"
    with socket.create_connection(listener.getsockname()), sibling(table, listener, 7):
        assert wait_for_turn(balance, listener) == 0, "its row was taken over by one that has as many"
    with socket.create_connection(listener.getsockname()):
        wait_for_turn(balance, listener)
    balance.leave()


def test_the_dead_are_buried(table: int, listener: socket.socket) -> None:
    with sibling(table, listener), sibling(table, listener, 9):
        balance = joined(table, listener, 7)
    with socket.create_connection(listener.getsockname()):
        assert wait_for_turn(balance, listener) > 0
    assert opened(table) == [0, 0, 8, 0]
    balance.leave()


def test_who_is_stopped_keeps_its_row_and_is_not_waited_for_again(
    table: int, listener: socket.socket
) -> None:
    with sibling(table, listener):  # it never looks
        balance = joined(table, listener, 7)
        with socket.create_connection(listener.getsockname()):
            assert wait_for_turn(balance, listener) > 0
            assert wait_for_turn(balance, listener) == 0
        assert opened(table) == [1, 8, 0, 0]
        balance.leave()


def test_alone_it_takes_all_and_without_balance_one(table: int, listener: socket.socket) -> None:
    balance = joined(table, listener, 9, is_courteous=False)
    with socket.create_connection(listener.getsockname()):
        assert balance.look(listener, None) == (MOST, None)
        with sibling(table, listener):
            assert balance.look(listener, None) == (1, None)
    balance.leave()


def test_nothing_waits_any_more(table: int, listener: socket.socket) -> None:
    """Somebody else, who was woken up as well, has accepted it."""
    balance = joined(table, listener)
    with sibling(table, listener):
        assert balance.look(listener, None) == (0, None)
    balance.leave()


def test_a_unix_socket_does_not_tell_how_many_wait(table: int) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")
        listener.listen()
        balance = joined(table, listener)
        with sibling(table, listener):
            for _ in range(2):
                assert balance.look(listener, None) == (1, None)
        balance.leave()


def test_who_rests_says_so_until_it_goes_on(table: int, listener: socket.socket) -> None:
    balance = joined(table, listener, 3)
    balance.rest()
    balance.note_end(0.1)
    assert opened(table)[0] == 0
    balance.go_on()
    assert opened(table)[0] == 4
    balance.leave()


def test_it_is_left_although_somebody_holds_on_to_a_view(table: int, listener: socket.socket) -> None:
    """Who keeps the traceback of an error does; and a worker at its end has more to do than to tidy up."""
    balance = joined(table, listener, 3)
    with balance._shares.groups():
        balance.leave()
        assert opened(table)[0] == 0


def test_more_workers_than_rows_go_without(table: int, listener: socket.socket) -> None:
    fd = os.memfd_create("short")
    assert Balance.join(fd, [listener], lambda: 0, is_courteous=True) is None
    os.close(fd)
    assert ROWS > 2 * 128


def test_the_same_listeners_are_one_group_in_any_order(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, listener.dup() as same:
        assert group_of([listener, other]) == group_of([other, same]) != group_of([listener])
