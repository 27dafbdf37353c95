"""Sleeps until anything happens in some directories, or nobody wants to know any more.

watchfiles looks every few milliseconds whether its thread has found something, and asks a function whether
to stop: `Bell.is_set`, which does not return while nothing happens. So an idle child uses no CPU. It is no
more than that: where it cannot be had, watchfiles looks as it always does.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# inotify(7), linux/inotify.h: MODIFY, ATTRIB, MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF.
_MASK: Final = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
_AWAKE: Final = 1.0  #: seconds in which watchfiles' thread has surely found what rang
_HEAD_START: Final = 0.002  #: seconds in which it usually has
_CHUNK: Final = 65536


class Bell:
    """Rings when something happens; what is waited for besides is the end of the reader.

    Args:
        out: The pipe that somebody reads.
    """

    def __init__(self, out: int) -> None:
        self._poll = select.poll()
        self._poll.register(out, 0)  # errors only: the reader is gone
        self._out = out
        self._inotify: int | None = None
        self._awake_until = 0.0

    def hang(self, folders: Iterable[str]) -> None:
        """Ring for these directories from now on, if that can be had."""
        self.take_down()
        self._awake_until = time.monotonic() + _AWAKE
        self._inotify = _watch(folders)
        if self._inotify is not None:
            self._poll.register(self._inotify, select.POLLIN)

    def take_down(self) -> None:
        """Ring no more: waiting is left to the caller."""
        if self._inotify is not None:
            self._poll.unregister(self._inotify)
            os.close(self._inotify)
            self._inotify = None

    def is_set(self) -> bool:
        """Say whether the reader is gone, once that is so or something has happened lately."""
        is_awake = self._inotify is None or time.monotonic() < self._awake_until
        ready = self._poll.poll(0 if is_awake else None)
        if any(fd == self._out for fd, _ in ready):
            return True
        if not is_awake and self._inotify is not None:
            # One read: what is left of a burst rings again, when this time is over.
            os.read(self._inotify, _CHUNK)
            self._awake_until = time.monotonic() + _AWAKE
            time.sleep(_HEAD_START)
        return False


def _watch(folders: Iterable[str]) -> int | None:
    """Return a descriptor that can be read when something happens; None where there is none to be had."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    inotify: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if inotify < 0:
        return None
    for folder in folders:
        if libc.inotify_add_watch(inotify, os.fsencode(folder), _MASK) < 0:
            os.close(inotify)
            return None
    return inotify
