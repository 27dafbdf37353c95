"""Whatever stands on a board, reading it is safe, and what comes out makes sense."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import CELLS, LINES_SIZE, Cell, LineRing, last_lines, read

NOW = 5000.0
numbers = st.integers(0, 2**64 - 1) | st.integers(0, 2**40) | st.integers(0, 100)
boards = st.lists(numbers, min_size=CELLS, max_size=CELLS)


@given(st.binary(max_size=300) | st.binary(min_size=4096, max_size=4200))
def test_any_bytes_are_safe(data: bytes) -> None:
    assert read(data, NOW) is None
    assert last_lines(data) == []


@given(boards, st.binary(max_size=200), st.integers(0, LINES_SIZE))
def test_a_reading_makes_sense(values: list[int], text: bytes, at: int) -> None:
    """Every number of a board that is begun may be wrong."""
    board = bytearray(scoreboard.SIZE)
    board[scoreboard.LINES_OFFSET + at : scoreboard.LINES_OFFSET + at + len(text)] = text
    cells = scoreboard.begin(board)
    for cell in range(Cell.MAGIC + 1, CELLS):
        cells[cell] = values[cell]
    reading = read(board, NOW)
    if reading is not None:
        assert reading.beat is None or 0 < reading.beat <= NOW + 1
        assert 0 <= reading.in_flight <= reading.begun
        assert all(math.isfinite(value) for value in (reading.waited, reading.lag, reading.lag_max))
        assert len(reading.rss_trend) <= scoreboard.TREND_LENGTH
    lines = last_lines(board)
    assert len(lines) <= 20
    assert all(character.isprintable() or character == "\t" for line in lines for character in line)


@given(st.lists(st.binary(max_size=3 * LINES_SIZE), max_size=6))
def test_the_ring_holds_the_end_of_what_was_written(pieces: list[bytes]) -> None:
    """However it came."""
    board = bytearray(scoreboard.SIZE)
    cells = scoreboard.begin(board)
    ring = LineRing(board)
    for piece in pieces:
        ring.write(piece)
    written = b"".join(pieces)
    end = cells[Cell.LINES_END]
    assert end == len(written)
    held = bytes(board[scoreboard.LINES_OFFSET : scoreboard.DUMP_OFFSET])
    if end > LINES_SIZE:
        held = held[end % LINES_SIZE :] + held[: end % LINES_SIZE]
    assert held[:end] == written[-LINES_SIZE:]
    assert bytes(board[scoreboard.DUMP_OFFSET :]) == bytes(scoreboard.DUMP_SIZE), "it wrote behind the ring"
