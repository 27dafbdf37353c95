"""How many connections each worker has, where all workers see it: numbers in memory that they share.

Pure: whoever mapped the memory passes it in. Each worker writes its own row and nobody else's. It trusts no
byte of the others': nonsense misleads the balance for as long as `srvctl.worker.courtesy` has patience, and
nothing else. No two looks need agree: rows begin and end in between. The master makes the file and never
looks into it.

Layout: one page of 32-bit cells in the machine's byte order. Number 1 is how many rows have been in use; 3
columns follow. Whose a row is the kernel knows: the worker holds a record lock on the byte of that number
(`srvctl.worker.balance`), which ends with the process however that ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mmap import mmap

SIZE: Final = 4096
ROWS: Final = 336  #: workers that can take part; a reload has twice as many as are wanted
_HIGH: Final = 1
_FIRST: Final = 16
_MASK: Final = 2**32 - 1


class Shares:
    """The table.

    Args:
        buffer: The memory.

    Attributes:
        high: Rows from this one on were never in use.
    """

    __slots__ = ("_cells", "_groups", "_open", "_turns")

    def __init__(self, buffer: bytearray | mmap) -> None:
        self._cells = cells = memoryview(buffer).cast("B")[:SIZE].cast("I")
        columns = [cells[_FIRST + ROWS * column : _FIRST + ROWS * (column + 1)] for column in range(3)]
        self._open, self._turns, self._groups = columns

    @property
    def high(self) -> int:
        """Rows from this one on were never in use; less than that for a moment, when two begin at once."""
        return min(self._cells[_HIGH], ROWS)

    def begin(self, row: int, group: int) -> None:
        """Take a row into use, without connections.

        Args:
            row: The writer's own.
            group: A number that is the same for those who accept from the same listeners, and not 0.
        """
        self._open[row] = 1
        self._groups[row] = group
        self.turn(row)

    def turn(self, row: int) -> None:
        """Say that the worker is awake."""
        self._turns[row] = (self._turns[row] + 1) & _MASK
        if self._cells[_HIGH] <= row:  # not once for all: another worker may have written at the same time
            self._cells[_HIGH] = row + 1

    def write(self, row: int, connections: int) -> None:
        """Say how many connections the worker has."""
        self._open[row] = min(connections + 1, _MASK)

    def rest(self, row: int) -> None:
        """Say that the worker does not accept at present; `write` says that it does again."""
        self._open[row] = 0

    def end(self, row: int) -> None:
        """Give up a row: the writer's own, or that of a worker which is gone."""
        self._groups[row] = 0
        self._open[row] = 0

    def groups(self) -> memoryview:
        """Return the group of each row; 0 for those not in use."""
        return self._groups[: self.high]

    def open(self, row: int) -> int:
        """Return one more than the connections of a worker; 0 while it does not accept."""
        return self._open[row]

    def turns(self, row: int) -> int:
        """Return a number that changes whenever that worker is seen to be awake."""
        return self._turns[row]

    def release(self) -> None:
        """Let go of the memory."""
        for view in (self._open, self._turns, self._groups, self._cells):
            view.release()
