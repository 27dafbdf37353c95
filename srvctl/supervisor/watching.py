"""The child that watches files in development, as the master sees it: what it says comes out as events.

Must not know how files are watched: that takes a library, so the child alone loads it (`srvctl.dev`).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.events import FilesChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.poller import Poller

logger = logging.getLogger("srvctl.error")

_CHUNK: Final = 65536
_PAUSE: Final = 2.0  #: seconds until a watcher that has ended is replaced
_UNTOLD: Final = 1.0  #: seconds before its end of which one may not have told everything


class Watching:
    """The child; a child and a clock of the poller's.

    Args:
        poller: Reads what it says, and waits for it.
        start: Forks it; is given the descriptor to write to, and for how many seconds up to now it is to
            tell what has changed; returns its process id.
        settings_file: What it is called when the file with the settings has changed; empty without one.
    """

    def __init__(self, poller: Poller, start: Callable[[int, float], int], settings_file: str) -> None:
        self.pid: int | None = None
        self._poller = poller
        self._start = start
        self._settings_file = settings_file
        self._pipe: int | None = None
        self._rest = b""
        self._due: float | None = None
        self._told_until = time.monotonic()
        poller.add_clock(self)

    def begin(self) -> None:
        """Start the child, or another one; if that fails, try again later."""
        self._due = None
        try:
            reader, writer = os.pipe()
        except OSError as error:
            self._refused(error)
            return
        os.set_blocking(reader, False)
        self._pipe, self._rest = reader, b""  # before the fork, so that the child abandons its copy
        try:
            self.pid = self._start(writer, time.monotonic() - self._told_until)
        except OSError as error:
            self._pipe = None
            os.close(reader)
            self._refused(error)
            return
        finally:
            os.close(writer)
        self._poller.watch(reader, lambda _mask: self.last_words())
        self._poller.adopt(self)
        logger.info("Started reloader process [%d] using WatchFiles", self.pid)

    def close(self) -> None:
        """Watch no more, and wait until the child is gone: it has nothing to finish."""
        self._due = None
        self._hang_up()
        if self.pid is not None:
            self._poller.forget(self)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None

    def abandon(self) -> None:
        """Close a forked child's copy of the pipe."""
        if self._pipe is not None:
            os.close(self._pipe)

    # -- for the poller --------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when another one is to be started."""
        return self._due

    def expire(self, now: float) -> None:
        """Start another one, if it is time."""
        if self._due is not None and self._due <= now:
            self.begin()

    def last_words(self) -> Iterator[Event]:
        """Return what it says."""
        while self._pipe is not None:
            try:
                chunk = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                self._hang_up()
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                yield from self._event_of(json.loads(line))

    def ended(self, cause: str, status: int) -> Iterator[Event]:  # noqa: ARG002 - as `poller.Child.ended`
        """Have another one, unless none is wanted any more."""
        self.pid = None
        self._hang_up()
        logger.warning(
            "The process that watches files ended (%s); another one starts in %g s.", cause, _PAUSE
        )
        self._told_until = time.monotonic() - _UNTOLD
        self._due = time.monotonic() + _PAUSE
        yield from ()

    # -- steps -----------------------------------------------------------------------------------------

    def _refused(self, error: OSError) -> None:
        logger.warning("Files are not watched: %s; trying again in %g s.", error.strerror, _PAUSE)
        self._due = time.monotonic() + _PAUSE

    def _hang_up(self) -> None:
        if self._pipe is not None:
            self._poller.unwatch(self._pipe)
            os.close(self._pipe)
            self._pipe = None

    def _event_of(self, said: dict[str, list[str] | str]) -> Iterator[Event]:
        match said:
            case {"watching": list(directories)}:
                logger.info("Will watch for changes in these directories: %s", directories)
            case {"warning": str(text)}:
                logger.warning("%s", text)
            case {"changed": list(paths)}:
                yield FilesChanged(tuple(paths), of_settings=self._settings_file in paths)
            case _:
                logger.warning("The process that watches files says what nobody understands: %s", said)
