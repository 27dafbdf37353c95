"""The table of connections that workers share."""

from __future__ import annotations

import mmap

from hypothesis import given
from hypothesis import strategies as st

from srvctl.ipc.shares import ROWS, SIZE, Shares


def table() -> Shares:
    return Shares(bytearray(SIZE))


def test_a_new_table_is_empty() -> None:
    shares = table()
    assert (shares.high, shares.groups().tolist()) == (0, [])


def test_a_row_says_who_accepts_and_how_many_connections_it_has() -> None:
    shares = table()
    shares.begin(2, 7)
    shares.write(2, 5)
    assert (shares.high, shares.groups().tolist()) == (3, [0, 0, 7])
    assert [shares.open(row) for row in range(4)] == [0, 0, 6, 0]
    shares.rest(2)
    assert (shares.open(2), shares.groups()[2]) == (0, 7)
    shares.end(2)
    assert (shares.open(2), shares.groups()[2]) == (0, 0)


def test_a_turn_is_another_number_each_time_and_goes_round() -> None:
    buffer = bytearray(b"\xff" * SIZE)
    shares = Shares(buffer)
    seen = {shares.turns(0)}
    for _ in range(3):
        shares.turn(0)
        seen.add(shares.turns(0))
    assert seen == {2**32 - 1, 0, 1, 2}


def test_the_mark_comes_back_if_two_workers_wrote_it_at_once() -> None:
    """Each writes only that there are as many rows as its own number says."""
    buffer = bytearray(SIZE)
    one, other = Shares(buffer), Shares(buffer)
    one.begin(4, 1)
    memoryview(buffer).cast("I")[1] = 3  # what another one has made of it, which had read it before
    one.turn(4)
    assert other.high == 5


def test_workers_see_each_other_and_let_go_of_the_memory() -> None:
    with mmap.mmap(-1, SIZE) as memory:
        one, other = Shares(memory), Shares(memory)
        one.begin(ROWS - 1, 9)
        one.write(ROWS - 1, 2**40)
        assert other.open(ROWS - 1) == 2**32 - 1
        one.release()
        other.release()  # or the memory could not be closed


@given(st.binary(min_size=1, max_size=64))
def test_nonsense_is_read_without_complaint(data: bytes) -> None:
    shares = Shares(bytearray((data * SIZE)[:SIZE]))
    assert len(shares.groups()) == shares.high <= ROWS
    assert all(shares.open(row) >= 0 for row in range(ROWS))
