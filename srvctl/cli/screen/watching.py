"""Looks at an instance again and again: its metrics, its last events, and the memory of its workers.

Connects anew when the instance was restarted, or did not answer: what was seen last stays, and is said to be
old. What is shown of it is `layout`'s.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.instances import Master
from srvctl.cli.quantities import duration
from srvctl.cli.screen.figures import compare
from srvctl.cli.weighing import Scales, weighed
from srvctl.errors import ExitCode, SrvctlError
from srvctl.ipc.control import Command, Done, Request
from srvctl.ipc.control_client import Connection, NotInTimeError, NotReachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.cli.screen.figures import Figures

#: Seconds for an answer, during which no key is obeyed; a master that is well needs a thousandth of it.
_PATIENCE: Final = 1.0
#: Seconds for the memory of all workers, at each look.
_TO_WEIGH: Final = 0.1
_EVENTS: Final = 50
_HISTORY: Final = 300


class NoMetricsError(SrvctlError):
    """An instance does not tell its metrics."""

    exit_code = ExitCode.REFUSED


class Watching:
    """What is known of an instance. Looks once at the beginning.

    Args:
        master: The instance; the connection stays the caller's.

    Attributes:
        metrics: What it said last, with the memory of its workers.
        figures: What came of the last two looks.
        events: The last ones, the oldest first.
        history: Requests in a second, of each look, the oldest first.
        note: What is wrong; empty if nothing is.

    Raises:
        NotReachableError: It is not there.
        NotInTimeError: It does not answer.
        NoMetricsError: It does not tell.
    """

    def __init__(self, master: Master) -> None:
        self._path = master.connection.path
        self._connection: Connection | None = master.connection
        self._scales = Scales()
        self.note = ""
        self.history: deque[float] = deque(maxlen=_HISTORY)
        self.metrics, self.events = self._ask()
        self._at = time.monotonic()
        self.figures: Figures = compare(None, self.metrics, 0.0)

    def look(self) -> None:
        """Look again; if nobody answers, say so, and try to connect anew the next time."""
        before, since = self.metrics, self._at
        try:
            self.metrics, self.events = self._ask()
        except SrvctlError as error:
            what = "not responding" if isinstance(error, NotInTimeError) else str(error)
            self.note = f"{what}; this is {duration(time.monotonic() - since)} old"
            self.close()
            return
        self.note = ""
        self._at = time.monotonic()
        self.figures = compare(before, self.metrics, self._at - since)
        if self.figures.traffic is not None:
            self.history.append(self.figures.traffic.requests)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ask(self) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
        if self._connection is None:
            self._connection = Connection(self._path, _PATIENCE)
        events: list[Mapping[str, Any]] = []
        done = _end(self._connection, Request(Command.METRICS))
        if not done.ok:
            raise NoMetricsError(done.message)
        _end(self._connection, Request(Command.EVENTS, {"last": _EVENTS}), events)  # fine without them
        master = Master(self._connection, done.data)
        return weighed(done.data, master, self._scales, _TO_WEIGH), events


def _end(connection: Connection, request: Request, found: list[Mapping[str, Any]] | None = None) -> Done:
    """Return the end of a request; what comes before is added to what is found."""
    for reply in connection.replies(request, _PATIENCE):
        if isinstance(reply, Done):
            return reply
        if found is not None:
            found.append(reply.data)
    raise NotReachableError(f"pid {connection.peer} behind {connection.path} has ended")
