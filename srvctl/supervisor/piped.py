"""A child of the master that says something through a pipe and ends: nothing of it counts before its end.

Must not know what is said. Made with a process that was just forked; the poller reads it and waits for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.poller import Poller

_CHUNK: Final = 65536


class PipedChild(ABC):
    """The child, and what it has said.

    Args:
        pid: Its process.
        pipe: The end to read from, which is this object's then.
        poller: Watches the pipe and waits for the process.
        most: Bytes that are kept, the last ones; 0 for all.
    """

    def __init__(self, pid: int, pipe: int, poller: Poller, *, most: int = 0) -> None:
        self.pid: int | None = pid
        self.said = b""
        self._pipe: int | None = pipe
        self._poller = poller
        self._most = most
        self._is_wanted = True
        os.set_blocking(pipe, False)
        poller.watch(pipe, lambda _mask: self.last_words())
        poller.adopt(self)

    @abstractmethod
    def told(self, cause: str, status: int) -> Iterator[Event]:
        """Return what it means that this is all, and how it ended; as `poller.Child.ended`."""

    def last_words(self) -> Iterator[Event]:
        """Read what it says."""
        while self._pipe is not None:
            try:
                chunk = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                break
            if not chunk:
                self._close()
            self.said = (self.said + chunk)[-self._most :]  # from -0 on is all
        yield from ()

    def ended(self, cause: str, status: int) -> Iterator[Event]:
        """Tell what came of it, if anybody wants to know."""
        self._close()
        if self._is_wanted:
            yield from self.told(cause, status)

    def give_up(self) -> None:
        """Want nothing of it any more."""
        self._is_wanted = False
        self._close()
        self.kill()

    def kill(self) -> None:
        """End it; its end is told as any other."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Close a forked child's copy, without telling the poller, which it shares with the master."""
        if self._pipe is not None:
            os.close(self._pipe)

    def _close(self) -> None:
        if self._pipe is not None:
            self._poller.unwatch(self._pipe)
            os.close(self._pipe)
            self._pipe = None
