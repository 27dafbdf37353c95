"""A board: what is written is read, and what makes no sense is read as nothing."""

from __future__ import annotations

import pytest

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import (
    CELLS,
    Cell,
    harmless_lines,
    private_cells,
    read,
)

NOW = 1000.0


@pytest.fixture
def board() -> bytearray:
    return bytearray(scoreboard.SIZE)


@pytest.fixture
def cells(board: bytearray) -> memoryview[int]:
    return scoreboard.begin(board)


def test_the_parts_do_not_overlap() -> None:
    assert CELLS * 8 <= 4096 < scoreboard.DUMP_OFFSET < scoreboard.SIZE
    assert Cell.TREND_7 - Cell.TREND_0 + 1 == scoreboard.TREND_LENGTH
    assert Cell.TAKES_DUMPS > Cell.TREND_7, "the cells between are samples too"


def test_a_board_that_was_not_begun_says_nothing(board: bytearray) -> None:
    """Its worker may not have been forked yet."""
    assert read(board, NOW) is None


def test_a_begun_board_has_no_beat(board: bytearray, cells: memoryview[int]) -> None:
    reading = read(board, NOW)
    assert reading is not None
    assert (reading.beat, reading.in_flight, reading.rss_trend) == (None, 0, ())
    assert not reading.takes_dumps


def test_what_is_written_is_read(board: bytearray, cells: memoryview[int]) -> None:
    values = {
        Cell.BEAT_NS: 999_500_000_000,
        Cell.WAITED_NS: 1_250_000_000,
        Cell.BEGUN: 12,
        Cell.FINISHED: 9,
        Cell.CUT: 1,
        Cell.ERRORS: 2,
        Cell.CONNECTIONS: 4,
        Cell.LAG_US: 1500,
        Cell.LAG_MAX_US: 2_000_000,
        Cell.RSS: 50_000_000,
        Cell.TREND_EVERY: 10,
        Cell.TREND_0: 40_000_000,
        Cell.TREND_0 + 1: 45_000_000,
        Cell.TAKES_DUMPS: 1,
        Cell.CPU_US: 2_500_000,
        Cell.CPU_SHARE: 750_000,
        Cell.WEBSOCKETS: 3,
        Cell.WAITING: 5,
        Cell.ANSWERED + 2 * scoreboard.BUCKETS + 1: 2,
        Cell.SECONDS_0 + 2: 400,
    }
    for cell, value in values.items():
        cells[cell] = value
    assert (plain := read(bytes(board), NOW)) is not None
    assert (plain.answered, plain.seconds) == ({}, {})
    reading = read(bytes(board), NOW, with_durations=True)
    assert reading is not None
    assert reading.in_flight == 3
    counts = (0, 2, *[0] * (scoreboard.BUCKETS - 2))
    assert reading == scoreboard.Reading(
        beat=999.5,
        waited=1.25,
        begun=12,
        finished=9,
        cut=1,
        errors=2,
        connections=4,
        lag=0.0015,
        lag_max=2.0,
        rss=50_000_000,
        rss_trend=(40_000_000, 45_000_000),
        trend_every=10,
        takes_dumps=True,
        cpu_seconds=2.5,
        cpu=0.75,
        websockets=3,
        waiting=5,
        answered={"2": counts},
        seconds={"2": 0.0004},
    )


def test_cells_that_nobody_reads_take_the_same(cells: memoryview[int]) -> None:
    mine = private_cells()
    for cell in range(CELLS):
        mine[cell] += 1
        cells[cell] = 1
    assert mine == [1] * CELLS


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (Cell.MAGIC, 7),
        (Cell.BEAT_NS, 1_002_000_000_000),
        (Cell.FINISHED, 10_000),
        (Cell.BEGUN, 2**63),
        (Cell.CUT, 2**64 - 1),
        (Cell.ERRORS, 2**53),
        (Cell.CONNECTIONS, 2**60),
        (Cell.WAITED_NS, 2**64 - 1),
        (Cell.LAG_US, 2**64 - 1),
        (Cell.LAG_MAX_US, 2**64 - 1),
        (Cell.RSS, 2**60),
        (Cell.TREND_7, 2**60),
        (Cell.TREND_EVERY, 2**40),
        (Cell.CPU_US, 2**63),
        (Cell.WEBSOCKETS, 2**60),
        (Cell.WAITING, 2**60),
        (Cell.ANSWERED + 7, 2**60),
    ],
)
def test_nonsense_is_nothing(board: bytearray, cells: memoryview[int], cell: Cell, value: int) -> None:
    cells[cell] = value
    assert read(board, NOW, with_durations=True) is None


def test_a_count_that_is_seen_too_late_is_no_nonsense(board: bytearray, cells: memoryview[int]) -> None:
    cells[Cell.BEGUN], cells[Cell.FINISHED] = 5, 6
    reading = read(board, NOW)
    assert reading is not None
    assert reading.in_flight == 0


def test_a_beat_of_this_moment_is_not_in_the_future(board: bytearray, cells: memoryview[int]) -> None:
    """The master took its time before it looked."""
    cells[Cell.BEAT_NS] = 1_000_100_000_000
    assert read(board, NOW) is not None


@pytest.mark.parametrize("size", [0, 1, 4095])
def test_too_small_for_a_board(size: int) -> None:
    assert read(bytes(size), NOW) is None


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\r\nb\n", ["a", "b"]),
        (b"\x1b[31mred\x1b[0m\n", ["red"]),
        (b"\x1b]0;title\x07\n", [r"\x1b]0;title\x07"]),
        (b"a\tb\x00\n", ["a\tb\\x00"]),
        ("€ \u202egnp\u2028\n".encode(), [r"€ \u202egnp\u2028"]),
        (b"\xff\xfe\n", [r"\xff\xfe"]),
    ],
)
def test_lines_do_nothing_to_a_terminal(data: bytes, lines: list[str]) -> None:
    assert harmless_lines(data) == lines
