"""Whatever stands on a board, reading it is safe, and what comes out makes sense."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import CELLS, Cell, harmless_lines, read

NOW = 5000.0
numbers = st.integers(0, 2**64 - 1) | st.integers(0, 2**40) | st.integers(0, 100)
boards = st.lists(numbers, min_size=CELLS, max_size=CELLS)


@given(st.binary(max_size=300) | st.binary(min_size=4096, max_size=4200))
def test_any_bytes_are_safe(data: bytes) -> None:
    assert read(data, NOW) is None


@given(boards)
def test_a_reading_makes_sense(values: list[int]) -> None:
    """Every number of a board that is begun may be wrong."""
    board = bytearray(scoreboard.SIZE)
    cells = scoreboard.begin(board)
    for cell in range(Cell.MAGIC + 1, CELLS):
        cells[cell] = values[cell]
    reading = read(board, NOW)
    if reading is not None:
        assert reading.beat is None or 0 < reading.beat <= NOW + 1
        assert 0 <= reading.in_flight <= reading.begun
        assert all(math.isfinite(value) for value in (reading.waited, reading.lag, reading.lag_max))
        assert len(reading.rss_trend) <= scoreboard.TREND_LENGTH


@given(st.binary(max_size=200))
def test_lines_of_anybody_are_harmless(text: bytes) -> None:
    lines = harmless_lines(text)
    assert all(character.isprintable() or character == "\t" for line in lines for character in line)
