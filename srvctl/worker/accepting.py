"""Accepting from listeners, one connection after the other, with a rest when there is no descriptor for more.

Not left to event loops, which do badly without descriptors: asyncio tries again as often as the backlog is
long, with a traceback each time; uvloop takes connections and closes them at once, without a word. Here they
stay in the kernel's queue, where another worker may take them. A worker that has more connections than others
leaves those that wait to them for a moment (`srvctl.worker.balance`), off the listener meanwhile, which would
keep the loop busy. Nothing is ever looked at while nothing waits. Knows nothing of what becomes of a
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srvctl.worker.courtesy import MOST

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from srvctl.worker.balance import Balance
    from srvctl.worker.courtesy import Wait

logger = logging.getLogger("srvctl.error")

_MOST_FAILURES: Final = 32  #: in a row, whatever they are
_RETRY: Final = 1.0  #: seconds until accept(2) is tried again, for which there was no descriptor for example
_PAUSE: Final = 0.001  #: seconds off a listener; event loops know no shorter time
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@dataclass(slots=True)
class _Place:
    """What is going on in front of one listener.

    Attributes:
        later: When it is looked at again, while it is not watched.
        wait: For others to accept what waits.
    """

    later: asyncio.TimerHandle | None = None
    wait: Wait | None = None


class Accepting:
    """Calls a function for each connection that waits.

    Args:
        accept: Accepts one connection from the listener it is given; raises what accept(2) raises.
        is_alone: No other worker accepts from the same listeners, as far as is known without a balance.
            Otherwise each takes one connection in a turn of its loop, or the first to wake up would have a
            whole burst to itself.
    """

    def __init__(self, accept: Callable[[socket.socket], None], *, is_alone: bool = True) -> None:
        self._unasked = MOST if is_alone else 1  #: accepted in a turn without a balance
        self._balance: Balance | None = None
        self._failures = 0  #: in a row
        self._loop = asyncio.get_running_loop()
        self._accept = accept
        self._places: dict[socket.socket, _Place] = {}

    def start(self, listener: socket.socket, balance: Balance | None = None) -> None:
        """Accept from a listener; it stays the caller's.

        Args:
            listener: It.
            balance: Knows whose turn it is to accept; the same for all listeners.
        """
        listener.setblocking(False)  # for all workers: they share it
        self._balance = balance
        self._places[listener] = _Place()
        self._watch(listener)

    def stop(self) -> None:
        """Accept no more."""
        for listener, place in self._places.items():
            self._loop.remove_reader(listener)
            if place.later is not None:
                place.later.cancel()
        self._places.clear()
        self._balance = None

    def _watch(self, listener: socket.socket) -> None:
        self._places[listener].later = None
        self._loop.add_reader(listener, self._accept_some, listener)

    # -- whose turn it is ------------------------------------------------------------------------------

    def _accept_some(self, listener: socket.socket) -> None:
        """Accept what waits, or leave it to others for now."""
        balance = self._balance
        if balance is None:
            self._take(listener, self._unasked)
            return
        place = self._places[listener]
        try:
            most, place.wait = balance.look(listener, place.wait)
        except Exception as error:  # noqa: BLE001 - it is logged
            most = self._do_without(error)
        if most:
            self._take_turn(listener, place, most)
        elif place.wait is not None:
            self._loop.remove_reader(listener)
            place.later = self._loop.call_later(_PAUSE, self._look_again, listener)

    def _look_again(self, listener: socket.socket) -> None:
        """Go on waiting, unless nothing waits any more, or it is our turn."""
        place = self._places[listener]
        balance, wait, place.wait = self._balance, place.wait, None
        most = 0
        try:
            if balance is not None and _waits(listener):
                most, place.wait = balance.look(listener, wait)
        except Exception as error:  # noqa: BLE001 - it is logged
            most = self._do_without(error)
        if place.wait is not None and not most:
            place.later = self._loop.call_later(_PAUSE, self._look_again, listener)
            return
        self._watch(listener)
        if most:
            self._take_turn(listener, place, most)

    def _take_turn(self, listener: socket.socket, place: _Place, most: int) -> None:
        """Accept what waits; patience that was had with it is not for what comes later."""
        self._take(listener, most)
        if place.wait is not None and not _waits(listener):
            place.wait = None

    def _do_without(self, error: Exception) -> int:
        """Go on without the balance, whatever is wrong with it; return how many to accept now.

        Left to the loop, the error would be the end of accepting: the listener may be off the loop. And this
        worker would look well meanwhile.
        """
        logger.error(
            "The balance with other workers has failed; from now on this one accepts whatever it comes to.",
            exc_info=error,
        )
        balance, self._balance = self._balance, None
        if balance is not None:
            with contextlib.suppress(Exception):  # it may be wrong with this as well
                balance.rest()  # so that others leave nothing to a worker that leaves nothing to them
        return self._unasked

    # -- accepting -------------------------------------------------------------------------------------

    def _take(self, listener: socket.socket, most: int) -> None:
        for _ in range(most):
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
                if self._balance is not None:
                    self._balance.note()

    def _rest(self, listener: socket.socket, error: OSError) -> None:
        """Let the trouble pass: the listener stays readable all the time, and would keep the loop busy."""
        self._failures = 0
        logger.error("No connection can be accepted for %g s: %s.", _RETRY, error.strerror)
        self._loop.remove_reader(listener)
        if self._balance is not None:
            self._balance.rest()
        self._places[listener].later = self._loop.call_later(_RETRY, self._end_rest, listener)

    def _end_rest(self, listener: socket.socket) -> None:
        if self._balance is not None:
            self._balance.go_on()
        self._watch(listener)


def _waits(listener: socket.socket) -> bool:
    """Return whether there is a connection to accept."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
