"""How long the application took for requests, by class of their status: counted here, told at each beat.

Every request passes here, so that each costs two additions to memory of this process alone; a worker that is
killed takes those of its last half second along, while what it had begun and finished is on its board.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from srvctl.ipc.scoreboard import BOUNDS, BUCKETS, CELLS, CLASSES, Cell

if TYPE_CHECKING:
    from srvctl.ipc.scoreboard import Cells
    from srvctl.worker.http.cycle import RequestCycle

_MICRO: Final = 1_000_000


class Durations:
    """The counts of one worker."""

    __slots__ = ("_counts", "_seconds")

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * CLASSES * BUCKETS))
        self._seconds = [0.0] * CLASSES

    def note(self, cycle: RequestCycle, took: float) -> None:
        """Count a request that the application is done with, after so many seconds."""
        if cycle.is_websocket:  # it lasted as long as its client wanted
            return
        kind = cycle.status // 100
        self._seconds[kind] += took
        self._counts[kind * BUCKETS + bisect_left(BOUNDS, took)] += 1

    def note_refusal(self, status: int) -> None:
        """Count a request that the application has never seen."""
        self._counts[status // 100 * BUCKETS] += 1

    def write(self, cells: Cells) -> None:
        """Tell them, on the board that these cells are of."""
        cells[Cell.ANSWERED : CELLS] = self._counts  # numbers of the same size
        for kind, seconds in enumerate(self._seconds):
            cells[Cell.SECONDS_0 + kind] = int(seconds * _MICRO)
