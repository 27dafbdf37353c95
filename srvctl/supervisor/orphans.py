"""What a worker has started and left behind, in development: it must not outlive the code it belongs to.

Such a process, one of a pool for instance, becomes the master's child, for that is the subreaper (prctl(2)).
One that has a session of its own was meant to stay (setsid(2)) and is left alone; the others have a while to
end by themselves. Python's resource tracker, which removes what a worker has left in /dev/shm, does so when
the last process is gone that may use it, so it goes last.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_GRACE: Final = 1.0  #: seconds in which they may end by themselves, and then the resource tracker
_PAUSE: Final = 0.01  #: seconds between two looks whether they have
_TRACKER: Final = b"multiprocessing.resource_tracker"


class Orphans:
    """Kills them; a clock of the poller's.

    Args:
        is_known: Says whether a child of the master is one that it wants.
    """

    def __init__(self, is_known: Callable[[int], bool]) -> None:
        self._is_known = is_known
        self._due: float | None = None

    def expect(self) -> None:
        """Look after them: a worker has ended."""
        self._due = time.monotonic() + _GRACE

    def end(self) -> None:
        """Kill them now, and wait until they are gone."""
        while others := kill(self._is_known, but_trackers=True):  # each may leave some itself
            for pid in others:
                os.waitpid(pid, 0)
        patience = time.monotonic() + _GRACE
        while self._left() and time.monotonic() < patience:
            time.sleep(_PAUSE)  # the master has nothing else to do any more
        for pid in kill(self._is_known):
            os.waitpid(pid, 0)

    def next_deadline(self) -> float | None:
        """Return when they are to be killed."""
        return self._due

    def expire(self, now: float) -> None:
        """Kill those that are there, if it is time."""
        if self._due is not None and self._due <= now:
            has_others = kill(self._is_known, but_trackers=True)
            self._due = now + _GRACE if has_others else None
            if not has_others:
                kill(self._is_known)

    def _left(self) -> list[int]:
        """Return those that have not ended yet, and reap the others."""
        return [pid for pid in _orphans(self._is_known) if os.waitpid(pid, os.WNOHANG) == (0, 0)]


def kill(is_known: Callable[[int], bool], *, but_trackers: bool = False) -> list[int]:
    """Kill every child of this process that is not known and shares its session; return their ids.

    Args:
        is_known: Says whether it is one that is wanted.
        but_trackers: Leave alone those that clean up by themselves.
    """
    found = [pid for pid in _orphans(is_known) if not (but_trackers and _is_tracker(pid))]
    for pid in found:  # nobody else reaps them, so an id cannot be another's by now
        os.kill(pid, signal.SIGKILL)
    return found


def _orphans(is_known: Callable[[int], bool]) -> list[int]:
    own_session = os.getsid(0)
    return [pid for pid in _children() if not is_known(pid) and os.getsid(pid) == own_session]


def _is_tracker(pid: int) -> bool:
    try:
        return _TRACKER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _children() -> Iterable[int]:
    """Return this process's children (proc_pid_task_children(5)); none where the kernel does not tell."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []
