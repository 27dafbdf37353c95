"""What one worker tells without being asked: numbers, and its stacks, in shared memory.

Pure: whoever mapped the memory passes it in. A worker writes its own board and nobody else's, the master
reads it at any time, also after the worker's death. It trusts no byte of it: nonsense is read as nothing.

Layout of a board, which is a file without a name: a page of 64-bit cells in the machine's byte order, of
which number 21 is free; two pages that are free; and the room into which `faulthandler` writes with write(2),
which is why the offset of the open file is to be `DUMP_OFFSET`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from mmap import mmap

    Board = bytes | bytearray | memoryview[int] | mmap
    Cells = memoryview[int] | list[int]

_PAGE: Final = 4096
DUMP_OFFSET: Final = 3 * _PAGE  #: two pages are free: workers of former versions write lines there
DUMP_SIZE: Final = 16 * _PAGE  #: of the room for stacks: some hundred threads
SIZE: Final = DUMP_OFFSET + DUMP_SIZE

#: A worker that is sent this writes the stacks of all its threads onto its board, whatever it is busy with;
#: it does so only once it says `takes_dumps`, and before that would die of it. A real-time signal, because
#: applications use those below; not one of the first, which libraries use for their timers and threads.
DUMP_SIGNAL: Final = 42

MAGIC: Final = 0x7372_7663_746C_0001  #: "srvctl", and the version of the layout
TREND_LENGTH: Final = 8
_NANO: Final = 1_000_000_000
_MICRO: Final = 1_000_000
#: By how much the master may see one cell newer than another; a processor need not publish stores in order.
_SKEW: Final = 64
_FUTURE: Final = 1.0  #: seconds by which a beat may be later than the master's `now`, which is a little old
_MOST_COUNTED: Final = 2**53
_MOST_BYTES: Final = 2**56
_MOST_SECONDS: Final = 10**9
_COLOR: Final = re.compile(r"\x1b\[[0-9;]*m")


class Cell(IntEnum):
    """Which number stands where."""

    MAGIC = 0
    BEAT_NS = 1  #: CLOCK_MONOTONIC at the last beat; 0 before the first
    WAITED_NS = 2  #: how long the main thread had waited for a CPU by then
    BEGUN = 3  #: requests handed to the application, or answered 503 because there was no room for them
    FINISHED = 4  #: of these, the ones that it is done with
    CUT = 5  #: requests whose response was left unfinished because the worker ended
    ERRORS = 6  #: requests answered 5xx by the application or for it, or broken off by an exception
    CONNECTIONS = 7
    LAG_US = 8  #: how late the last beat was
    LAG_MAX_US = 9
    RSS = 10  #: bytes
    TREND_EVERY = 11  #: seconds between the samples that follow
    TREND_0 = 12  #: RSS, oldest first; 0 where there is no sample yet
    TREND_7 = 19
    TAKES_DUMPS = 20  #: 1 once `DUMP_SIGNAL` may be sent
    CPU_US = 22  #: processor time of all threads up to the last beat
    CPU_SHARE = 23  #: millionths of one processor, between the last two beats
    WEBSOCKETS = 24  #: that are open
    WAITING = 25  #: requests that wait for a turn (limits.concurrency)
    SECONDS_0 = 30  #: microseconds that the application took, for each class of status: 0 (none) to 9xx
    SECONDS_9 = 39
    ANSWERED = 40  #: requests by class of status, and in it by how long the application took: see `BOUNDS`


#: Upper bounds, in seconds, of how long requests took; what took longer is counted behind the last.
BOUNDS: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
BUCKETS: Final = len(BOUNDS) + 1
CLASSES: Final = 10  #: 0 for no response at all, 1 for 1xx, and so on; an application may send up to 999
CELLS: Final = Cell.ANSWERED + CLASSES * BUCKETS


@dataclass(frozen=True, slots=True)
class Reading:
    """What a worker's board says.

    Attributes:
        beat: When its loop last beat, in seconds of CLOCK_MONOTONIC; None before its server runs.
        waited: Seconds its main thread had waited for a CPU by then; 0 where the kernel does not tell.
        begun: Requests handed to the application, WebSockets among them.
        finished: Of these, those the application is done with.
        cut: Requests whose response was left unfinished because the worker ended.
        errors: Requests answered 5xx by or for the application, or broken off by an exception of it.
        connections: Connections with clients at the last beat.
        lag: Seconds by which the last beat was late.
        lag_max: The most that a beat was late by.
        rss: Resident memory, in bytes; 0 before it is known.
        rss_trend: Earlier values of it over the worker's life, oldest first.
        trend_every: Seconds between these; doubles whenever they do not fit any more.
        takes_dumps: It may be sent `DUMP_SIGNAL`.
        cpu_seconds: Processor time it has used.
        cpu: Of how many processors it has lately used the time.
        websockets: WebSockets that are open.
        waiting: Requests that wait for their turn.
        answered: HTTP requests finished by the last beat, by class of status and by duration: `BUCKETS`
            numbers for each class that occurred.
        seconds: For each of these, how long the application took, in all.
    """

    beat: float | None
    waited: float
    begun: int
    finished: int
    cut: int
    errors: int
    connections: int
    lag: float
    lag_max: float
    rss: int
    rss_trend: tuple[int, ...]
    trend_every: int
    takes_dumps: bool
    cpu_seconds: float = 0.0
    cpu: float = 0.0
    websockets: int = 0
    waiting: int = 0
    answered: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Requests that the application is at work on."""
        return max(self.begun - self.finished, 0)


def read(buffer: Board, now: float, *, with_durations: bool = False) -> Reading | None:
    """Return what a board says; None if it says nothing yet, or nonsense.

    Args:
        buffer: The board.
        now: Seconds of CLOCK_MONOTONIC.
        with_durations: With `Reading.answered` and `Reading.seconds`, which take as long as all the rest.
    """
    cells = _cells_of(buffer)
    if cells is None:
        return None
    finished = cells[Cell.FINISHED]  # before what is begun, or a request between both looks would be too many
    answered = _answered(cells) if with_durations else {}
    beat_ns = cells[Cell.BEAT_NS]
    reading = Reading(
        beat=beat_ns / _NANO if beat_ns else None,
        waited=cells[Cell.WAITED_NS] / _NANO,
        begun=cells[Cell.BEGUN],
        finished=finished,
        cut=cells[Cell.CUT],
        errors=cells[Cell.ERRORS],
        connections=cells[Cell.CONNECTIONS],
        lag=cells[Cell.LAG_US] / _MICRO,
        lag_max=cells[Cell.LAG_MAX_US] / _MICRO,
        rss=cells[Cell.RSS],
        rss_trend=tuple(sample for sample in cells[Cell.TREND_0 : Cell.TREND_7 + 1] if sample),
        trend_every=cells[Cell.TREND_EVERY],
        takes_dumps=cells[Cell.TAKES_DUMPS] == 1,
        cpu_seconds=cells[Cell.CPU_US] / _MICRO,
        cpu=cells[Cell.CPU_SHARE] / _MICRO,
        websockets=cells[Cell.WEBSOCKETS],
        waiting=cells[Cell.WAITING],
        answered=answered,
        seconds={name: cells[Cell.SECONDS_0 + int(name)] / _MICRO for name in answered},
    )
    return reading if _makes_sense(reading, now) else None


def _answered(cells: memoryview[int]) -> dict[str, tuple[int, ...]]:
    """Return the counts of the classes that occurred; the keys are texts, as in the JSON it becomes."""
    counts = cells[Cell.ANSWERED : CELLS].tolist()
    rows = ((str(n), tuple(counts[n * BUCKETS : (n + 1) * BUCKETS])) for n in range(CLASSES))
    return {name: row for name, row in rows if any(row)}


def _makes_sense(reading: Reading, now: float) -> bool:
    counted = (
        reading.begun,
        reading.finished,
        reading.cut,
        reading.errors,
        reading.connections,
        reading.websockets,
        reading.waiting,
        *map(max, reading.answered.values()),
    )
    seconds = (
        reading.waited,
        reading.lag,
        reading.lag_max,
        reading.trend_every,
        reading.cpu_seconds,
        reading.cpu,
        *reading.seconds.values(),
    )
    return (
        (reading.beat is None or reading.beat <= now + _FUTURE)
        and reading.finished <= reading.begun + _SKEW
        and max(counted) < _MOST_COUNTED
        and max(seconds) < _MOST_SECONDS
        and max((reading.rss, *reading.rss_trend)) < _MOST_BYTES
    )


def harmless_lines(data: bytes) -> list[str]:
    """Return the lines of a text that somebody else wrote, so that they do nothing to a terminal or a log.

    Colours are left out, other control characters are written as escapes; so is what is not UTF-8.
    """
    text = _COLOR.sub("", data.decode("utf-8", errors="backslashreplace"))
    lines = text.removesuffix("\n").replace("\r\n", "\n").split("\n") if text else []
    return ["".join(map(_harmless, line)) for line in lines]


def _harmless(character: str) -> str:
    is_fine = character.isprintable() or character == "\t"
    return character if is_fine else character.encode("unicode_escape").decode("ascii")


def _cells_of(buffer: Board) -> memoryview[int] | None:
    """Return the cells of a board; None if it is none."""
    view = memoryview(buffer).cast("B")
    if len(view) < _PAGE:
        return None
    cells = view[:_PAGE].cast("Q")
    return cells if cells[Cell.MAGIC] == MAGIC else None


# -- for the worker ------------------------------------------------------------------------------------


def begin(buffer: Board) -> memoryview[int]:
    """Begin a board; return its cells, into which its worker writes."""
    cells = memoryview(buffer).cast("B")[:_PAGE].cast("Q")
    cells[Cell.MAGIC] = MAGIC
    return cells


def private_cells() -> list[int]:
    """Return cells that nobody reads, for a server without a master."""
    return [0] * CELLS
