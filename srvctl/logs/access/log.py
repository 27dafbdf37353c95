"""What a worker calls for each finished request.

The fast way makes the line and adds it to a batch. It is taken while nobody but srvctl listens to the logger
or its twin, uvicorn's (see `loggers`); whoever does, gets every request through `logging`, at once and in its
context, with uvicorn's five arguments.

The first line after a quiet moment is written in the same turn of the event loop; while more come, a batch is
written every tenth of a second, or as soon as it is full.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from srvctl.logs.access.batch import encoded
from srvctl.logs.access.handler import RECORD, AccessHandler, arguments
from srvctl.logs.loggers import Relay, twin_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.logs.access.record import AccessRecord

NAME: Final = "srvctl.access"
INTERVAL: Final = 0.1  #: seconds lines may wait for others
_LAST_WAIT: Final = 1.0  #: seconds the reader has at the end, of the two before the master kills a worker


class Clock(Protocol):
    """What the log needs of an event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> object:
        """Call in the next turn."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> object:
        """Call after so many seconds."""


class AccessLog:
    """The access log of one worker, in the thread of its event loop.

    Args:
        loop: The event loop.
    """

    def __init__(self, loop: Clock) -> None:
        self._loop = loop
        self._logger = logging.getLogger(NAME)
        self._twin = logging.getLogger(twin_name(NAME))
        self._relays = [handler for handler in self._logger.handlers if isinstance(handler, Relay)]
        own = [handler for handler in self._twin.handlers if isinstance(handler, AccessHandler)]
        self._handler = own[0] if own and self._relays else None
        self._is_awake = False  #: a batch is due soon
        self._is_alone = False  #: nobody but our own handler listens

    @property
    def is_on(self) -> bool:
        """Whether requests are logged at all; else nothing needs to be asked of them."""
        return self._logger.isEnabledFor(logging.INFO)

    @property
    def needs_times(self) -> bool:
        """Whether ``duration`` and ``time`` of the records are looked at."""
        return self._handler is not None and self._handler.form.needs_times

    @property
    def needs_details(self) -> bool:
        """Whether any field of the records from ``size`` on is looked at."""
        return self._handler is not None and self._handler.form.needs_details

    def log(self, record: AccessRecord, line: bytes | None = None) -> bytes | None:
        """Log a finished request.

        Args:
            record: What is known of it.
            line: What this returned for the same record before, which saves making the line again.

        Returns:
            Its line, if one was made.
        """
        if not self._is_awake:
            self._wake()
        if not self._is_alone or self._handler is None:
            self._hand_to_logging(record)
            return None
        if line is None:
            line = encoded(self._handler.form.line(record))
        self._handler.writer.add_encoded(line)
        return line

    def reopen(self) -> None:
        """Go on with the file that has the log's name now; does nothing for stdout.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """
        if self._handler is not None:
            self._handler.reopen()

    def close(self) -> None:
        """Write what is left; call it when the worker has drained, and in any case before it exits."""
        if self._handler is not None:
            self._handler.writer.drain(_LAST_WAIT)

    # -- time ------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._is_awake = True
        self._look_around()
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        if self._handler is not None:
            self._handler.writer.flush()
        self._loop.call_later(INTERVAL, self._end_interval)

    def _end_interval(self) -> None:
        if self._handler is None or self._handler.writer.is_empty:
            self._is_awake = False
        else:
            self._look_around()
            self._turn()

    # -- logging ---------------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """See whether somebody listens to our logger, or took it away from us."""
        handler, logger, twin = self._handler, self._logger, self._twin
        is_alone = (
            handler is not None
            and handler.is_as_made
            and logger.handlers == self._relays
            and twin.handlers == [handler]
            and not (logger.filters or twin.filters or logger.propagate or twin.propagate)
            and not any(relay.filters or relay.level > logging.INFO for relay in self._relays)
            and self.is_on
        )
        if handler is not None and self._is_alone and not is_alone:
            handler.writer.flush()
        self._is_alone = is_alone

    def _hand_to_logging(self, record: AccessRecord) -> None:
        """Log a request as uvicorn does."""
        if not self.is_on:
            return
        text = '%s - "%s %s HTTP/%s" %d' if isinstance(record.status, int) else '%s - "%s %s HTTP/%s" %s'
        args = arguments(record)
        entry = self._logger.makeRecord(NAME, logging.INFO, __file__, 0, text, args, None)
        entry.__dict__[RECORD] = record, args
        self._logger.handle(entry)
