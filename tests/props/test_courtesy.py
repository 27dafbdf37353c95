"""Who accepts: always somebody, nobody waits for long, and all have the same in the end."""

from __future__ import annotations

import random
import statistics

from hypothesis import given
from hypothesis import strategies as st

from srvctl.ipc.shares import ROWS, SIZE, Shares
from srvctl.worker.courtesy import GRACE, MOST, PATIENCE, Courtesy

_LOOK = 0.001


Happening = tuple[str, int] | tuple[str, int, int]


class Restless(Shares):
    """A table in which something else happens just before each look at it."""

    __slots__ = ("happenings",)

    def __init__(self, buffer: bytearray, happenings: list[Happening]) -> None:
        super().__init__(buffer)
        self.happenings = happenings

    def happen(self) -> None:
        if self.happenings:
            match self.happenings.pop(0):
                case ("begin", row):
                    super().begin(row, 1)
                case ("end", row):
                    super().end(row)
                case ("rest", row):
                    super().rest(row)
                case ("lower", row):  # two have begun at once; see `Shares.turn`
                    self._cells[1] = row
                case (_, cell, nonsense):
                    self._cells[cell] = nonsense

    def groups(self) -> memoryview:
        self.happen()
        return super().groups()

    def open(self, row: int) -> int:
        self.happen()
        return super().open(row)

    def turns(self, row: int) -> int:
        self.happen()
        return super().turns(row)


happenings = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "rest", "lower"]), st.integers(0, 11)), max_size=40
)

#: Cells that are looked at: how many rows there are, and six rows.
cells = st.sampled_from([1, *(16 + ROWS * column + row for column in range(3) for row in range(6))])


def scribble(seed: int, cells: list[int]) -> list[Happening]:
    """Return what somebody writes who is not himself any more; more than a worker that waits ever reads."""
    draw = random.Random(seed)
    numbers = [0, 1, 1, 1, 2, 300, 2**32 - 1, draw.randrange(2**32)]
    return [("write", draw.choice(cells), draw.choice(numbers)) for _ in range(600)]


nonsense = st.builds(scribble, st.integers(0, 2**32), st.lists(cells, min_size=1, max_size=8))

counts = st.lists(st.integers(0, 300), min_size=1, max_size=12)


class Crowd:
    """Workers with a table, and connections that wait in front of one listener."""

    def __init__(self, has: list[int], *, groups: list[int] | None = None, tells: bool = True) -> None:
        self.shares = Shares(bytearray(SIZE))
        self.has = list(has)
        self.queued = 0
        self.tells = tells
        for row, number in enumerate(has):
            self.shares.begin(row, groups[row] if groups else 1)
            self.shares.write(row, number)
        self.workers = [Courtesy(self.shares, row) for row in range(len(has))]

    def room(self, row: int) -> int:
        return self.workers[row].room(self.queued if self.tells else None)

    def accept(self, row: int) -> bool:
        """Let one worker look, and accept what it may."""
        self.shares.turn(row)
        taken = min(self.room(row), self.queued) if self.queued else 0
        self.has[row] += taken
        self.queued -= taken
        self.shares.write(row, self.has[row])
        return taken > 0


@given(counts, st.integers(1, 5000), st.booleans())
def test_somebody_always_accepts_at_once(has: list[int], queued: int, tells: bool) -> None:
    crowd = Crowd(has, tells=tells)
    crowd.queued = queued
    assert any(crowd.room(row) for row in range(len(has)))
    assert crowd.room(has.index(min(has)))


@given(counts, st.integers(1, 400), st.booleans(), st.data())
def test_shares_are_even_when_all_respond(
    has: list[int], queued: int, tells: bool, data: st.DataObject
) -> None:
    """In whatever order they look: who had most before gets nothing, and the others come up to each other."""
    crowd = Crowd(has, tells=tells)
    crowd.queued = queued
    rows = st.integers(0, len(has) - 1)
    while crowd.queued:
        first = data.draw(rows) if queued < 30 else 0
        if not crowd.accept(first):  # then whoever comes next may
            assert any(crowd.accept(row) for row in range(len(has)))
    mean = statistics.fmean(crowd.has)
    most = 1 + mean / 32 + (0 if tells else 2 + mean / 16)
    for before, now in zip(has, crowd.has, strict=True):
        assert now == before or now <= mean + most


@given(counts, st.lists(st.floats(0, 0.5), min_size=100, max_size=100), st.sets(st.integers(0, 11)))
def test_nobody_waits_longer_than_its_patience(has: list[int], late: list[float], moving: set[int]) -> None:
    """Neither for those that move nor for those that do not, however late a look comes."""
    crowd = Crowd(has)
    crowd.queued = 1
    own = has.index(max(has))
    wait, now, looks = None, 0.0, 0
    while not crowd.room(own):
        accepts, wait = crowd.workers[own].wait(wait, now)
        if accepts:
            break
        for row in moving & set(range(len(has))):
            crowd.shares.turn(row)
        now += _LOOK + late[looks]
        looks += 1
    assert looks <= PATIENCE / _LOOK + 1
    assert now <= PATIENCE * 4 + 0.5 + _LOOK


def test_looks_that_come_in_time_make_the_patience_exact() -> None:
    crowd = Crowd([1, 0])
    crowd.queued = 1
    wait = None
    for look in range(100):
        crowd.shares.turn(1)  # it is awake, and does not come
        accepts, wait = crowd.workers[0].wait(wait, look * _LOOK)
        assert crowd.room(0) == 0
        if accepts:
            break
    assert look * _LOOK <= PATIENCE + 2 * _LOOK


@given(counts.filter(lambda has: len(has) > 1))
def test_a_worker_that_does_not_move_is_waited_for_once(has: list[int]) -> None:
    has[1] = 0
    has[0] = max(has) + 1
    crowd = Crowd(has)
    crowd.queued = 1
    wait, now = None, 0.0
    while 1 not in crowd.workers[0].missed:
        _, wait = crowd.workers[0].wait(wait, now)
        for row in range(2, len(has)):
            crowd.shares.turn(row)
        now += _LOOK
    assert now <= GRACE + 3 * _LOOK
    crowd.has[0] = min(crowd.has[2:], default=crowd.has[0])
    crowd.shares.write(0, crowd.has[0])
    assert crowd.room(0), "it takes what was for the other"
    crowd.shares.turn(1)
    crowd.shares.write(0, 300)
    assert not crowd.room(0), "it is back"
    assert 1 not in crowd.workers[0].missed


@given(counts, happenings, st.integers(0, 50))
def test_others_may_begin_and_end_between_any_two_looks(
    has: list[int], happenings: list[tuple[str, int]], queued: int
) -> None:
    """A worker that stumbles here would accept nothing any more."""
    shares = Restless(bytearray(SIZE), [])
    for row, number in enumerate(has):
        shares.begin(row, 1)
        shares.write(row, number)
    courtesy = Courtesy(shares, 0)
    shares.happenings = list(happenings)
    wait, now = None, 0.0
    while shares.happenings:
        assert courtesy.is_alone in {True, False}
        assert 0 <= courtesy.room(queued) <= MOST
        _, wait = courtesy.wait(wait, now)
        now += _LOOK


@given(counts, nonsense, st.none() | st.integers(1, 5000), st.integers(0, 1000))
def test_nonsense_in_the_table_costs_no_more_than_the_patience(
    has: list[int], nonsense: list[Happening], queued: int | None, ended: int
) -> None:
    """A worker looks while another that has lost its mind writes wherever it can."""
    shares = Restless(bytearray(SIZE), [])
    for row, number in enumerate([max(has) + 50, *has]):  # it is for others at first
        shares.begin(row, 1)
        shares.write(row, number)
    courtesy = Courtesy(shares, 0)
    courtesy.ended = ended
    now = 0.0
    for _ in range(3):
        shares.happenings = list(nonsense)
        wait, looks, accepts = None, 0, False
        while not accepts:
            shares.turn(0)
            assert courtesy.is_alone in {True, False}
            assert 0 <= courtesy.room(queued) <= MOST
            accepts, wait = courtesy.wait(wait, now)
            now += _LOOK
            looks += 1
            assert looks <= PATIENCE / _LOOK + 2
        shares.write(0, max(has) + 50)


def test_who_accepts_elsewhere_or_rests_is_not_waited_for() -> None:
    crowd = Crowd([5, 0, 0], groups=[1, 2, 1])
    crowd.queued = 1
    assert not crowd.room(0)
    crowd.shares.rest(2)
    assert crowd.room(0)
    assert not crowd.workers[0].is_alone
    crowd.shares.end(2)
    assert crowd.workers[0].is_alone


def test_a_burst_is_shared_before_anybody_has_any() -> None:
    crowd = Crowd([0, 0, 0, 0])
    crowd.queued = 8
    assert [crowd.room(row) for row in range(4)] == [2, 2, 2, 2]
    crowd.queued = 4000
    assert crowd.room(0) == MOST
    crowd.tells = False
    assert crowd.room(0) == 1


def test_those_that_come_and_go_give_leeway() -> None:
    crowd = Crowd([3, 0])
    crowd.queued = 1
    assert not crowd.room(0)
    crowd.workers[0].ended = 250
    assert crowd.room(0)


def test_a_new_worker_gets_the_next_ones_until_it_has_caught_up() -> None:
    crowd = Crowd([50, 50, 50, 0])
    for _ in range(60):
        crowd.queued = 1
        for row in range(4):
            crowd.accept(row)
        assert crowd.queued == 0
    assert max(crowd.has[:3]) <= 55
    assert crowd.has[3] >= 48
