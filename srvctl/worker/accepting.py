"""Accepting from listeners, one connection after the other, with a rest when there is no descriptor for more.

Not left to event loops, which do badly without descriptors: asyncio tries again as often as the backlog is
long, with a traceback each time; uvloop takes connections and closes them at once, without a word. Here they
stay in the kernel's queue, where another worker may take them. Knows nothing of what becomes of a connection.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

logger = logging.getLogger("srvctl.error")

_AT_ONCE: Final = 32  #: connections accepted before others have their turn
_MOST_FAILURES: Final = 32  #: in a row, whatever they are
_RETRY: Final = 1.0  #: seconds until accept(2) is tried again, for which there was no descriptor for example
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Accepting:
    """Calls a function for each connection that waits.

    Args:
        accept: Accepts one connection from the listener it is given; raises what accept(2) raises.
        is_alone: No other worker accepts from the same listeners. Otherwise each takes one connection in a
            turn of its loop, or the first to wake up would have a whole burst to itself.
    """

    def __init__(self, accept: Callable[[socket.socket], None], *, is_alone: bool = True) -> None:
        self._at_once = _AT_ONCE if is_alone else 1
        self._failures = 0  #: in a row
        self._loop = asyncio.get_running_loop()
        self._accept = accept
        self._listeners: dict[socket.socket, asyncio.TimerHandle | None] = {}  #: with those that rest

    def start(self, listener: socket.socket) -> None:
        """Accept from a listener; it stays the caller's."""
        listener.setblocking(False)  # for all workers: they share it
        self._listeners[listener] = None
        self._loop.add_reader(listener, self._accept_some, listener)

    def stop(self) -> None:
        """Accept no more."""
        for listener, rest in self._listeners.items():
            self._loop.remove_reader(listener)
            if rest is not None:
                rest.cancel()
        self._listeners.clear()

    def _accept_some(self, listener: socket.socket) -> None:
        for _ in range(self._at_once):
            try:
                self._accept(listener)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # accept(2): errors of the network belong to a connection, which is gone, and not to the next.
                self._failures += 1
                if error.errno in _EXHAUSTED or self._failures == _MOST_FAILURES:
                    self._rest(listener, error)
                    return
            else:
                self._failures = 0

    def _rest(self, listener: socket.socket, error: OSError) -> None:
        """Let the trouble pass: the listener stays readable all the time, and would keep the loop busy."""
        self._failures = 0
        logger.error("No connection can be accepted for %g s: %s.", _RETRY, error.strerror)
        self._loop.remove_reader(listener)
        self._listeners[listener] = self._loop.call_later(_RETRY, self.start, listener)
