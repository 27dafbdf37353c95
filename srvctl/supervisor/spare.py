"""A warm process kept at hand in development: it is the next worker, so new code waits for its import only.

Knows the process and when to have another one, not what it becomes. Called by the composition root.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.ipc.warm import Warm
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.poller import Poller

#: Seconds from the use of one to the next: the worker it became is to have the CPU first.
_PAUSE: Final = 0.5
#: Seconds after which another one is tried where one was killed, or could not be made. Workers are forked
#: from the master meanwhile, and take longer.
_LONG_PAUSE: Final = 5.0


class Spare:
    """The process, if there is one; a child and a clock of the poller's.

    Args:
        start: Makes one.
        poller: Waits for it.
        first: One that there is already.
    """

    def __init__(self, start: Callable[[], Warm], poller: Poller, first: Warm | None) -> None:
        self._start = start
        self._poller = poller
        self._warm: Warm | None = None
        self._due: float | None = time.monotonic() + _PAUSE
        poller.add_clock(self)
        if first is not None:
            self._keep(first)

    @property
    def pid(self) -> int | None:
        """Its process."""
        return self._warm.pid if self._warm is not None else None

    def take(self) -> Warm | None:
        """Return it, if there is one, and have another one soon; it is the caller's then."""
        warm = self._warm
        if warm is not None:
            self._poller.forget(self)
            self._warm = None
            self._due = time.monotonic() + _PAUSE
        return warm

    def close(self) -> None:
        """Do without it, and without another one."""
        self._due = None
        if self._warm is not None:
            self._poller.forget(self)
            self._warm.end()
            self._warm = None

    def abandon(self) -> None:
        """Close a forked child's copy of its channel."""
        if self._warm is not None:
            self._warm.channel.close()

    # -- for the poller --------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when another one is to be made."""
        return self._due

    def expire(self, now: float) -> None:
        """Make another one, if it is time."""
        if self._due is not None and self._due <= now:
            try:
                self._keep(self._start())
            except OSError:
                self._due = now + _LONG_PAUSE

    def last_words(self) -> Iterator[Event]:
        """Say nothing."""
        yield from ()

    def ended(self, cause: str, status: int) -> Iterator[Event]:  # noqa: ARG002 - as `poller.Child.ended`
        """Note that somebody killed it, and have another one later."""
        if self._warm is not None:
            self._warm.channel.close()
            self._warm = None
            self._due = time.monotonic() + _LONG_PAUSE
        yield from ()

    def _keep(self, warm: Warm) -> None:
        self._warm, self._due = warm, None
        self._poller.adopt(self)
