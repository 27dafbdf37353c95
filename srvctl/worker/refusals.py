"""What is said about connections that are turned away: each at debug, and at most one warning a second."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("srvctl.error")

_INTERVAL: Final = 1.0  #: seconds between two warnings


class Refusals:
    """Counts them, so that whoever connects again and again does not fill the log.

    Args:
        loop: Runs the clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None  #: while it runs, what comes is only counted
        self._unsaid = 0
        self._last = ""

    def note(self, text: str) -> None:
        """Say that a connection was turned away.

        Args:
            text: Why, and from whom it came where that helps; without an end.
        """
        if self._timer is not None:
            self._unsaid += 1
            self._last = text
            logger.debug("%s.", text)
            return
        logger.warning("%s.", text)
        self._timer = self._loop.call_later(_INTERVAL, self._catch_up)

    def close(self) -> None:
        """Say what is still to be said."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._say_count()

    def _catch_up(self) -> None:
        self._timer = None
        if self._unsaid:
            self._say_count()
            self._timer = self._loop.call_later(_INTERVAL, self._catch_up)

    def _say_count(self) -> None:
        if self._unsaid == 1:
            logger.warning("%s.", self._last)
        elif self._unsaid:
            logger.warning("%d more connections were turned away, the last: %s.", self._unsaid, self._last)
        self._unsaid = 0
