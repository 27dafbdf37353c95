"""Evidence for the kernel's OOM killer, which kills by SIGKILL and leaves no other trace of its deed.

`OomWatch` reads the kernel's count of such kills in this process's cgroup; `OomClaims` decides which death
one of them explains. The kernel counts before it kills, so the count is there when the death is noticed.
Used by the master: at every look at its workers, so that a kill of long ago explains no death of today, and
at every death by SIGKILL. Fails never: a kernel that does not count explains nothing.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.cgroups import folders, read

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELD: Final = "oom_kill"
#: Seconds a kill may explain a death for. A process that is killed with all memory taken may need some
#: before it is gone; one found dead later died of something else.
_VALID: Final = 30.0
_MOST_KILLS: Final = 1024


class OomWatch:
    """Counts the processes that the kernel killed for want of memory, here: workers and what they started.

    Finds the counter when it is made: no process of srvctl changes its cgroup later.
    """

    __slots__ = ("_files", "_last", "_total")

    def __init__(self, root: Path = Path("/"), *, since: int | None = None) -> None:
        """Begin to count.

        Args:
            root: Where /proc and /sys are looked for.
            since: What another watch, of the same process, had `seen`.
        """
        self._files = _counters(root)
        self._last = since if since is not None else self._count() or 0
        self._total = 0

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the kernel that are read; none where it does not count."""
        return self._files

    @property
    def seen(self) -> int:
        """The kernel's count as of the last `delta`."""
        return self._last

    def delta(self) -> int:
        """Return how many were killed since the last call, or since the watch began."""
        count = self._count()
        if count is None:  # for want of descriptors, maybe; what was counted meanwhile is seen later
            return 0
        kills = max(count - self._last, 0)
        self._last = count
        self._total += kills
        return kills

    def total(self) -> int:
        """Return how many were killed since the watch began, as of the last `delta`."""
        return self._total

    def _count(self) -> int | None:
        # memory.events.local leaves out cgroups below, memory.events may do so as well (the mount option
        # memory_localevents); the larger one counts all there are.
        counts = [_number(read(file)) for file in self._files]
        return max((count for count in counts if count is not None), default=None)


class OomClaims:
    """Kills of the OOM killer that no death was explained with yet. Pure; times in seconds."""

    __slots__ = ("_kills",)

    def __init__(self) -> None:
        self._kills: deque[float] = deque(maxlen=_MOST_KILLS)

    def note(self, kills: int, now: float) -> None:
        """Remember that the kernel killed so many processes just now, and forget those of long ago."""
        while self._kills and now - self._kills[0] > _VALID:
            self._kills.popleft()
        self._kills.extend([now] * min(kills, _MOST_KILLS))

    def claim(self, cause: str, *, is_own_kill: bool = False) -> bool:
        """Return whether the OOM killer explains a death, and let the kill explain no other.

        Call `note` before. Where several died by SIGKILL at once and only one of them by the OOM killer,
        nothing tells which: the first that is asked about is taken for it.

        Args:
            cause: The end in words: only ``killed by SIGKILL`` can be one.
            is_own_kill: The master sent SIGKILL as well, so the kill explains something else.
        """
        if cause != "killed by SIGKILL" or is_own_kill or not self._kills:
            return False
        self._kills.popleft()
        return True


def _counters(root: Path) -> tuple[Path, ...]:
    """Return the files that count the kills nearest to this process, found in the order of their worth."""
    for candidates in _candidates(root):
        found = tuple(file for file in candidates if _number(read(file)) is not None)
        if found:
            return found
    return ()


def _candidates(root: Path) -> Iterator[tuple[Path, ...]]:
    for folder in list(folders(root, ""))[:1]:
        yield folder / "memory.events", folder / "memory.events.local"
    for folder in list(folders(root, "memory"))[:1]:
        yield (folder / "memory.oom_control",)  # counts since Linux 4.13
    # In the root of cgroup v2, which has no memory.events, and without any controller of memory: the kills in
    # all of the system, which may be another service's, but few are at the very moment a worker dies.
    yield (root / "proc/vmstat",)


def _number(text: str) -> int | None:
    """Return the value of the field in lines of a name and a number; None without it."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == _FIELD and value.isascii() and value.isdecimal() and len(value) <= len(str(2**64)):
            return int(value)
    return None
