"""The one wait of the master: signals, dead children and whatever can be read come out as events.

Knows processes and descriptors, decides nothing. Called by `master`. Whoever owns a descriptor registers a
handler for it; whoever started a process registers it as a child.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from typing import TYPE_CHECKING, Protocol

from srvctl.supervisor.events import TimePassed
from srvctl.supervisor.signals import MEANINGS, SignalInbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import FileDescriptorLike

    from srvctl.supervisor.events import Event

    Handler = Callable[[int], Iterable[Event]]


class Child(Protocol):
    """A process that the master waits for."""

    @property
    def pid(self) -> int | None:
        """Its process id; None as long as only the process that forks it knows that."""

    def last_words(self) -> Iterable[Event]:
        """Return what can still be read of it; while it is a zombie, its pid belongs to nobody else."""

    def ended(self, cause: str, status: int) -> Iterable[Event]:
        """Return what its end means.

        Args:
            cause: The end in words.
            status: As of waitpid(2).
        """


class Clock(Protocol):
    """Something that has deadlines of its own, which concern nobody else."""

    def next_deadline(self) -> float | None:
        """Return when `expire` is to be called at the latest, in monotonic seconds; None for never."""

    def expire(self, now: float) -> None:
        """Do what is due."""


class Poller:
    """Waits for whatever happens next."""

    def __init__(self, inbox: SignalInbox) -> None:
        self._inbox = inbox
        self._selector = selectors.DefaultSelector()
        self._selector.register(inbox, selectors.EVENT_READ)
        self._children: list[Child] = []
        self._clocks: list[Clock] = []
        #: Says what a signal asks of the fleet.
        self.meaning_of: Callable[[signal.Signals], Event | None] = MEANINGS.get
        #: What is done at once for signals that are no concern of the fleet.
        self.answers: dict[signal.Signals, Callable[[], None]] = {}

    # -- what is waited for ----------------------------------------------------------------------------

    def watch(self, source: FileDescriptorLike, handler: Handler, mask: int = selectors.EVENT_READ) -> None:
        """Call ``handler`` with what the source is ready for, of ``mask`` (``selectors.EVENT_*``)."""
        self._selector.register(source, mask, handler)

    def change(self, source: FileDescriptorLike, mask: int) -> None:
        """Watch for something else."""
        self._selector.modify(source, mask, self._selector.get_key(source).data)

    def unwatch(self, source: FileDescriptorLike) -> None:
        """Forget a source; to be called before it is closed."""
        self._selector.unregister(source)

    def adopt(self, child: Child) -> None:
        """Learn of a process before it can end, and tell when it has."""
        self._children.append(child)

    def forget(self, child: Child) -> None:
        """Learn that there never was such a process."""
        self._children.remove(child)

    def knows(self, pid: int) -> bool:
        """Return whether a process is one that somebody wants to learn of."""
        return self._find(pid) is not None

    def add_clock(self, clock: Clock) -> None:
        """Wake up for its deadlines, too."""
        self._clocks.append(clock)

    # -- waiting ---------------------------------------------------------------------------------------

    def wait(self, deadline: float | None) -> Iterator[Event]:
        """Wait until something happens or the deadline (monotonic seconds) comes, and yield it."""
        deadlines = [deadline, *(clock.next_deadline() for clock in self._clocks)]
        first = min((moment for moment in deadlines if moment is not None), default=None)
        timeout = None if first is None else max(0.0, first - time.monotonic())
        ready = self._selector.select(timeout)
        # What is asked of the master comes first: a SIGTERM to the whole process group must not look like
        # workers that leave on their own. What a worker said comes before the news of its death.
        signals = self._inbox.take_nowait()
        for number in signals:
            self.answers.get(number, _nothing)()
            meaning = self.meaning_of(number)
            if meaning is not None:
                yield meaning
        for key, mask in ready:
            # An event before this one may have had the source closed, and another opened in its place.
            if key.data is not None and self._selector.get_map().get(key.fd) == key:
                yield from key.data(mask)
        if signals:  # any of them: SIGCHLDs merge, and one can be lost in a full inbox
            yield from self._reap()
        for clock in self._clocks:
            clock.expire(time.monotonic())
        yield TimePassed()

    def _reap(self) -> Iterator[Event]:
        """Collect every dead child; as pid 1 or subreaper that includes orphans nobody here started.

        A child is only peeked at first and stays a zombie while its last words are handled, so that its
        pid cannot yet belong to another process if the fleet answers them with a signal.
        """
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                child = self._find(dead.si_pid)
                if child is None:  # one of whom the pid is not known yet says it before all else
                    for nameless in [other for other in self._children if other.pid is None]:
                        yield from nameless.last_words()
                    child = self._find(dead.si_pid)
                if child is not None:
                    yield from child.last_words()
                _, status = os.waitpid(dead.si_pid, 0)
                if child is not None:
                    self._children.remove(child)
                    yield from child.ended(cause_of_end(status), status)

    def _find(self, pid: int) -> Child | None:
        return next((child for child in self._children if child.pid == pid), None)

    def close(self) -> None:
        """Wait for nothing any more; a forked child calls this on its copy."""
        self._selector.close()
        self._inbox.close()


def _nothing() -> None:
    """Do nothing: the signal is the fleet's business, or nobody's."""


def cause_of_end(status: int) -> str:
    """Say a wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"
