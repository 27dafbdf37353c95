"""What a worker has started and left behind, in development: it must not outlive the code it belongs to.

Such a process, one of a pool for instance, becomes the master's child, for that is the subreaper (prctl(2)).
One that has a session of its own was meant to stay (setsid(2)) and is left alone; the others have a while to
end by themselves.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_GRACE: Final = 1.0  #: seconds in which they may end by themselves, as the resource tracker of Python does


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
        for pid in kill(self._is_known):
            os.waitpid(pid, 0)

    def next_deadline(self) -> float | None:
        """Return when they are to be killed."""
        return self._due

    def expire(self, now: float) -> None:
        """Kill those that are there, if it is time."""
        if self._due is not None and self._due <= now:
            self._due = None
            kill(self._is_known)


def kill(is_known: Callable[[int], bool]) -> list[int]:
    """Kill every child of this process that is not known and shares its session; return their ids."""
    own_session = os.getsid(0)
    found = [pid for pid in _children() if not is_known(pid) and os.getsid(pid) == own_session]
    for pid in found:  # nobody else reaps them, so an id cannot be another's by now
        os.kill(pid, signal.SIGKILL)
    return found


def _children() -> Iterable[int]:
    """Return this process's children (proc_pid_task_children(5)); none where the kernel does not tell."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []
