"""Reads a feed of an instance, and goes on when the instance is restarted: as ``tail -F`` does with a file.

Knows nothing of what is in the feed but that each item has a time, ``at``. An upgrade in place keeps the
connection; for a restart, the same socket is tried until somebody answers there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import asking
from srvctl.cli.report import warn
from srvctl.cli.values import number
from srvctl.ipc.control import Done, Reason, Request, refusal
from srvctl.ipc.control_client import Connection, NotReachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from srvctl.cli.instances import Wanted

#: Seconds between two looks for an instance that is restarted.
_PAUSE: Final = 0.2
#: Items that may have come while nobody was connected; those that are known are left out.
_MISSED: Final = 1000
#: What feeds call the number of items of before.
_HOW_MANY: Final = ("last", "lines")


def read(
    wanted: Wanted, request: Request, patience: float, take: Callable[[Mapping[str, Any]], None]
) -> Done:
    """Read a feed to its end; when following, until the user interrupts it or the instance stays away.

    Args:
        wanted: The instance.
        request: For the feed; follows it if it has ``follow``.
        patience: Seconds for the answer, and for an instance that went away to come back.
        take: Is given each item.

    Returns:
        How it ended; what the user interrupts, or stops to read, has ended well.

    Raises:
        NotReachableError: The instance is not there, or does not answer.
        NotInTimeError: It does not answer in time.
    """
    with asking.met(wanted) as master:
        feed = _Feed(take)
        try:
            done = feed.read(master.connection, request, patience)
            while request.args.get("follow") and (done is None or done.ok):
                warn(f"{master} is gone; waiting for it to come back")
                with _again(master.connection.path, patience) as connection:
                    done = feed.read(connection, _for_what_was_missed(request), patience)
        except (KeyboardInterrupt, BrokenPipeError):
            return Done(ok=True)
        return done or refusal(f"{master} ended the connection before it answered", reason=Reason.ENDED)


def _for_what_was_missed(request: Request) -> Request:
    more = {name: _MISSED for name in _HOW_MANY if name in request.args}
    return Request(request.command, {**request.args, **more})


class _Feed:
    """What is given on; remembers how far it came.

    Args:
        take: Is given each item.
    """

    def __init__(self, take: Callable[[Mapping[str, Any]], None]) -> None:
        self._take = take
        self._latest = float("-inf")

    def read(self, connection: Connection, request: Request, patience: float) -> Done | None:
        """Take what is new over a connection; return the end, or None where it just broke off."""
        known = self._latest  # what a restarted instance remembers of before was taken already
        for reply in connection.replies(request, None if request.args.get("follow") else patience):
            if isinstance(reply, Done):
                return reply
            at = number(reply.data, "at") if "at" in reply.data else known
            if at > known or known == float("-inf"):
                self._take(reply.data)
                self._latest = max(self._latest, at)
        return None


def _again(path: Path, patience: float) -> Connection:
    """Return a connection to who is behind a socket next.

    Raises:
        NotReachableError: Nobody comes in so many seconds.
    """
    until = time.monotonic() + patience
    while True:
        try:
            return Connection(path, patience)
        except NotReachableError:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE)
