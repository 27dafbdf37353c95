"""This worker's row in the table of connections: takes it, keeps it, asks whether it is our turn to accept.

Knows the file, its locks and the clock; `srvctl.worker.courtesy` decides, `srvctl.worker.accepting` acts.
The row is the worker's by a record lock of one byte, which the kernel drops when the process ends, however it
does, and with the first descriptor of the file that the process closes (fcntl(2)): there must be one only.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import socket
import struct
import time
import zlib
from typing import TYPE_CHECKING, Final, Self

from srvctl.ipc import shares
from srvctl.worker.courtesy import MOST, Courtesy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.worker.courtesy import Wait

_BRIEF: Final = 1.0  #: seconds; connections that end sooner even out by themselves
_TCP_INFO: Final[int] = getattr(socket, "TCP_INFO", -1)
#: The beginning of struct tcp_info up to tcpi_unacked, which of a socket that listens is the length of its
#: queue (tcp_get_info in the kernel's net/ipv4/tcp.c).
_INFO: Final = struct.Struct("24xI")


class Balance:
    """The row of a worker that accepts; see `join`.

    Args:
        fd: Of the table; stays open, and the caller's.
        row: Ours.
        memory: The table, which is the balance's to close.
        group: See `Shares.begin`.
        count: Returns how many connections there are.
        is_courteous: Connections are left to those who have fewer.
    """

    def __init__(
        self,
        fd: int,
        row: int,
        memory: mmap.mmap,
        group: int,
        count: Callable[[], int],
        *,
        is_courteous: bool,
    ) -> None:
        self._fd = fd
        self._row = row
        self._memory = memory
        self._count = count
        self._shares = shares.Shares(memory)
        self._shares.begin(row, group)
        self._courtesy = Courtesy(self._shares, row)
        self._is_courteous = is_courteous
        self._rests = False
        self._silent: set[socket.socket] = set()  #: listeners whose queue the kernel does not tell

    @classmethod
    def join(
        cls, fd: int, sockets: Iterable[socket.socket], count: Callable[[], int], *, is_courteous: bool
    ) -> Self | None:
        """Take part; return None where that is not possible.

        Args:
            fd: Of the table.
            sockets: What is accepted from.
            count: Returns how many connections there are.
            is_courteous: Connections are left to those who have fewer.
        """
        with contextlib.suppress(OSError, ValueError):  # no such file, or one that is too short
            memory = mmap.mmap(fd, shares.SIZE)
            for row in range(shares.ROWS):
                if _claim(fd, row):
                    return cls(fd, row, memory, group_of(sockets), count, is_courteous=is_courteous)
            memory.close()
        return None

    def look(self, listener: socket.socket, wait: Wait | None) -> tuple[int, Wait | None]:
        """Return how many of the connections that wait in front of a listener to accept now.

        Args:
            listener: It.
            wait: What was returned last, if something has been waiting there ever since.

        Returns:
            The number; and for the next look, while others are waited for, with what wait.
        """
        waiting = self._queued(listener)
        if waiting == 0:  # all workers wake up for a connection, and somebody was faster
            return 0, None
        self._shares.turn(self._row)
        courtesy = self._courtesy
        if courtesy.is_alone:
            return MOST, None
        if not self._is_courteous:  # the first to wake up must not have a whole burst to itself
            return 1, None
        room = courtesy.room(waiting)
        if room:
            return room, None
        has_waited, wait = courtesy.wait(wait, time.monotonic())
        if courtesy.missed:
            self._bury()
            room = courtesy.room(waiting)
        return room or int(has_waited), wait

    def note(self) -> None:
        """Write down how many connections there are."""
        if not self._rests:
            self._shares.write(self._row, self._count())

    def note_end(self, seconds: float | None) -> None:
        """Write down that a connection has ended.

        Args:
            seconds: How long it has lasted, as far as that is known.
        """
        if seconds is not None and seconds < _BRIEF:
            self._courtesy.ended += 1
        self.note()

    def beat(self) -> None:
        """Say that this worker is awake; to be called about twice a second."""
        self._shares.turn(self._row)
        self._courtesy.ended //= 2

    def rest(self) -> None:
        """Have nobody leave connections to this worker, until it goes on."""
        self._rests = True
        self._shares.rest(self._row)

    def go_on(self) -> None:
        """Have connections left to this worker again."""
        self._rests = False
        self.note()

    def leave(self) -> None:
        """Give up the row; nothing else may be called then."""
        self._shares.end(self._row)
        self._shares.release()
        with contextlib.suppress(BufferError):  # who keeps a traceback may keep a view; the worker goes on
            self._memory.close()  # and with its descriptor goes the lock

    def _queued(self, listener: socket.socket) -> int | None:
        """Return how many connections wait to be accepted; None where the kernel does not tell."""
        if listener in self._silent:
            return None
        try:
            info = listener.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO.size)
            return int(_INFO.unpack(info)[0])
        except (OSError, struct.error):  # a Unix socket has none; nor has every kind of system
            self._silent.add(listener)
            return None

    def _bury(self) -> None:
        """Take those that are dead off the table, so that the other siblings need not wait for them too."""
        for row in list(self._courtesy.missed):
            if _claim(self._fd, row):  # nobody is there to hold it
                self._shares.end(row)
                del self._courtesy.missed[row]
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, row)


def group_of(sockets: Iterable[socket.socket]) -> int:
    """Return a number for these sockets, which is the same in every process that has them, and not 0."""
    found = sorted((stat.st_dev, stat.st_ino) for stat in (os.fstat(sock.fileno()) for sock in sockets))
    return zlib.crc32(repr(found).encode()) | 1


def _claim(fd: int, row: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
    except OSError:
        return False
    return True
