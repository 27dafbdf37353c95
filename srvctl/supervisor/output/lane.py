"""One way for lines out of the master: a sink, what waits for it, and when it is tried again.

Nothing here waits, but `drain`, which is for the end of the master. Called by `outlet`.
"""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING, Final

from srvctl.logs.access.sinks import ReaderGoneError
from srvctl.supervisor.output.backlog import Backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.output.sinks import LogSink
    from srvctl.supervisor.poller import Poller

#: Seconds after which a sink is tried again that cannot say when it takes something.
_AGAIN: Final = 0.25
#: Seconds that who prints may be held up for a sink that is slower; once, until everything is written.
_PATIENCE: Final = 1.0


class Lane:
    """The way.

    Args:
        sink: Where it leads; is the lane's.
        limit: Bytes that are kept while the sink takes none.
        on_lost: Is told how many lines were lost, once that is over.
        on_trouble: Is told why the sink takes nothing, once until it does again.
    """

    def __init__(
        self,
        sink: LogSink,
        limit: int,
        on_lost: Callable[[int], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self.backlog = Backlog(limit)
        self._sink = sink
        self._on_lost = on_lost
        self._on_trouble = on_trouble
        self._told = 0  #: lost lines that were reported
        self._trouble = ""
        self._poller: Poller | None = None
        self._watched: int | None = None
        self._again: float | None = None
        self._behind_since: float | None = None

    @property
    def lost(self) -> int:
        """How many lines were lost, ever."""
        return self.backlog.lost

    @property
    def is_waiting(self) -> bool:
        """Whether the sink took nothing when it was tried last."""
        return self._watched is not None or self._again is not None

    def is_behind(self, now: float) -> bool:
        """Return whether a moment without new lines may save some from being lost.

        A reader that is fast, but for a moment not as fast as who prints, makes up for it. For one that
        stands still, or is slow for good, nobody is held up longer than this moment.
        """
        if len(self.backlog) * 2 <= self.backlog.limit:
            return False
        if self._behind_since is None:
            self._behind_since = now
        return now - self._behind_since < _PATIENCE

    def attach(self, poller: Poller | None) -> None:
        """Be told from now on, by this poller, when the sink takes something; by none, try each time."""
        self._stop_waiting()
        self._poller = poller

    def put(self, lines: Iterable[bytes]) -> None:
        """Take lines, and write what can be written now."""
        for line in lines:
            self.backlog.put(line)
        if not self.is_waiting:
            self.flush()

    def flush(self) -> bool:
        """Write what the sink takes without waiting; return whether it took anything."""
        self._stop_waiting()
        has_taken = False
        while data := self.backlog.take(self._sink.size):
            try:
                taken = self._sink.write(data)
            except ReaderGoneError:
                self.backlog.give_back(data)
                self.backlog.lose_all()
                self._told = self.backlog.lost  # there is nobody to tell
                return has_taken
            has_taken = has_taken or taken > 0
            if taken < len(data):
                self.backlog.give_back(data[taken:])
            if not taken:
                self._wait()
                return has_taken
        self._settle()
        return has_taken

    def drain(self, deadline: float) -> None:
        """Write everything, waiting for the sink until then (monotonic seconds); what is left is lost."""
        self.flush()
        while self.backlog.pieces and (left := deadline - time.monotonic()) > 0:
            if self._sink.wait(left) and not self.flush():
                time.sleep(min(left, 0.01))  # it said it had room, such as a file on a full disk
        self.backlog.lose_all()

    def reopen(self) -> None:
        """Go on with what has the sink's name now, and try it at once.

        Raises:
            OSError: It cannot be opened.
        """
        self._stop_waiting()
        try:
            self._sink.reopen()
        finally:
            self.flush()

    def close(self) -> None:
        """Close the sink; what waits for it stays in the backlog."""
        self._stop_waiting()
        self._sink.close()

    def abandon(self) -> None:
        """Close a forked child's copy, without telling the poller, which it shares with the master."""
        self._sink.close()

    # -- waiting ---------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when `expire` is to be called at the latest, in monotonic seconds; None for never."""
        return self._again

    def expire(self, now: float) -> None:
        """Try again, if it is time."""
        if self._again is not None and self._again <= now:
            self.flush()

    def _wait(self) -> None:
        """Have the sink tried again when it may take something."""
        if self._trouble != self._sink.trouble:
            self._trouble = self._sink.trouble
            if self._trouble:
                self._on_trouble(self._trouble)
        if self._poller is None:
            return
        fd = self._sink.watched()
        if fd is not None:
            try:
                self._poller.watch(fd, self._takes, selectors.EVENT_WRITE)
            except (OSError, ValueError, KeyError):  # epoll_ctl(2): not a descriptor that one can wait for
                pass
            else:
                self._watched = fd
                return
        self._again = time.monotonic() + _AGAIN

    def _takes(self, _mask: int) -> Iterable[Event]:
        self.flush()
        return ()

    def _stop_waiting(self) -> None:
        self._again = None
        if self._watched is not None and self._poller is not None:
            self._poller.unwatch(self._watched)
        self._watched = None

    def _settle(self) -> None:
        """Say, once everything is written, what was not."""
        self._trouble = ""
        self._behind_since = None
        missing, self._told = self.backlog.lost - self._told, self.backlog.lost
        if missing:
            self._on_lost(missing)
