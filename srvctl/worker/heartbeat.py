"""What a worker's loop says about itself at each beat, which is each tick of its server.

Only a loop that turns beats, so the master takes the beats for the sign of life. What it needs beside them to
tell a blocked loop from one that gets no CPU is written along, and so is what explains a death afterwards.
Called by the server, which owns the clock.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from srvctl.ipc.scoreboard import TREND_LENGTH, Cell

if TYPE_CHECKING:
    from srvctl.ipc.scoreboard import Cells

RSS_EVERY: Final = 5.0  #: seconds between looks at the memory, which costs a little more than the rest
_PAGE_SIZE: Final = os.sysconf("SC_PAGESIZE")
_MICRO: Final = 1_000_000
_NANO: Final = 1_000_000_000
_SHORTEST: Final = 0.001  #: seconds between two beats, lest the share between them be nonsense


class Heartbeat:
    """Writes the beats of one worker.

    Args:
        cells: Of the worker's board.
        folder: Where the kernel tells about this process.
    """

    def __init__(self, cells: Cells, folder: str = "/proc/self") -> None:
        self._cells = cells
        # Kept open, and opened in the worker itself: of a process that forks, "self" is the parent.
        self._schedstat = _Numbers(f"{folder}/schedstat")
        self._statm = _Numbers(f"{folder}/statm")
        self._trend = Trend()
        self._due: float | None = None
        self._rss_due = 0.0
        self._beaten: tuple[float, float] | None = None  #: when, and the processor time used by then

    def beat(self, now: float, *, due_in: float, connections: int, waiting: int = 0) -> None:
        """Write a beat.

        Args:
            now: Seconds of CLOCK_MONOTONIC; not of the loop's clock, which stands still within a turn.
            due_in: Seconds after which the next beat is meant to come.
            connections: How many there are.
            waiting: Requests that wait for their turn.
        """
        cells = self._cells
        lag = 0 if self._due is None else max(int((now - self._due) * _MICRO), 0)
        self._due = now + due_in
        cells[Cell.LAG_US] = lag
        cells[Cell.LAG_MAX_US] = max(lag, cells[Cell.LAG_MAX_US])
        cells[Cell.CONNECTIONS] = connections
        cells[Cell.WAITING] = waiting
        self._write_cpu(now)
        # Of the main thread: its time on a CPU, its time of waiting for one (proc_pid_schedstat in the
        # kernel's Documentation/scheduler/sched-stats). What a cgroup's quota takes from it is in there.
        cells[Cell.WAITED_NS] = self._schedstat.read(1)
        if now >= self._rss_due:
            self._rss_due = now + RSS_EVERY
            self._write_rss(now)
        cells[Cell.BEAT_NS] = int(now * _NANO)  # last: what a fresh beat stands beside is fresh

    def _write_cpu(self, now: float) -> None:
        used = time.process_time()
        if self._beaten is not None:
            then, before = self._beaten
            share = int((used - before) / max(now - then, _SHORTEST) * _MICRO)
            # An average over some beats: a share of half a second jumps too much to be read.
            self._cells[Cell.CPU_SHARE] = (3 * self._cells[Cell.CPU_SHARE] + share) // 4
        self._beaten = now, used
        self._cells[Cell.CPU_US] = int(used * _MICRO)

    def _write_rss(self, now: float) -> None:
        cells = self._cells
        cells[Cell.RSS] = rss = self._statm.read(1) * _PAGE_SIZE  # proc_pid_statm(5)
        if rss and self._trend.take(now, rss):
            cells[Cell.TREND_EVERY] = int(self._trend.every)
            samples = self._trend.samples
            for index in range(TREND_LENGTH):
                cells[Cell.TREND_0 + index] = samples[index] if index < len(samples) else 0

    def close(self) -> None:
        """Beat no more."""
        self._schedstat.close()
        self._statm.close()


class Trend:
    """A few samples over a whole life: whenever they are too many, every other one goes.

    So the first is always that of the beginning, and a leak of weeks is seen as well as one of minutes.

    Attributes:
        samples: Oldest first.
        every: Seconds between them.
    """

    def __init__(self) -> None:
        self.samples: list[int] = []
        self.every = RSS_EVERY
        self._due = 0.0

    def take(self, now: float, value: int) -> bool:
        """Take a value, if one is due; return whether it was.

        Args:
            now: In seconds.
            value: What is watched.
        """
        if self.samples and now < self._due:
            return False
        if len(self.samples) == TREND_LENGTH:
            del self.samples[1::2]
            self.every *= 2
        self.samples.append(value)
        self._due = now + self.every
        return True


class _Numbers:
    """A line of numbers that the kernel makes up anew whenever it is read."""

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # another kind of system, or no descriptors left
            self._fd = -1

    def read(self, index: int) -> int:
        """Return one of them; 0 where there is none."""
        try:
            return max(int(os.pread(self._fd, 128, 0).split()[index]), 0)
        except (OSError, ValueError, IndexError):
            return 0

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
