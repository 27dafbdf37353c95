"""The directory in which the workers of one master find each other: a socket file for each that listens.

The master names it, and removes it at the end. A socket file appears under its final name only once somebody
listens on it, so one that refuses connections belongs to a worker that is gone, and whoever notices removes
it. See `srvctl.supervisor.meeting_place` for what the lock is good for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
import stat
import time
from pathlib import Path
from typing import Final

SUFFIX: Final = ".sock"
#: Nanoseconds after which a directory's time of modification says that nothing has changed since: the kernel
#: takes it from a clock that ticks every few milliseconds, so two changes in one tick look like one.
_SETTLED: Final = 100_000_000
_ATTEMPTS: Final = 20  #: at a directory that others remove meanwhile
_BACKLOG: Final = 1024


class PlaceError(OSError):
    """The directory cannot be used; the message is a sentence."""


class Place:
    """The directory as one worker sees it.

    Args:
        path: Which the master named.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._own = ""  #: the name of our own socket file
        self._lock = -1
        self._seen: tuple[int, int] | None = None  #: inode and time of modification, once it has settled

    def listen(self) -> socket.socket:
        """Return a socket on which other workers can connect from now on.

        Raises:
            PlaceError: The directory cannot be made or is not ours.
        """
        try:
            for _ in range(_ATTEMPTS):
                if self._enter():
                    return self._listen()
        except OSError as error:
            raise PlaceError(f"{self.path} cannot be used: {error.strerror or error}") from error
        raise PlaceError(f"{self.path} cannot be used: somebody removes it again and again")

    def _enter(self) -> bool:
        """Make the directory if it is not there, and lock it; return whether it is still there then."""
        with contextlib.suppress(FileExistsError):
            Path(self.path).mkdir(0o700)
        try:
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        found = os.fstat(directory)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            os.close(directory)
            raise PermissionError(f"it is not private to user {os.geteuid()}")
        fcntl.flock(directory, fcntl.LOCK_SH)
        try:
            is_there = os.path.samestat(found, os.lstat(self.path))
        except FileNotFoundError:
            is_there = False
        if not is_there:
            os.close(directory)
            return False
        self._lock = directory
        return True

    def _listen(self) -> socket.socket:
        own = f"{os.getpid()}-{secrets.token_hex(4)}"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(f"{self.path}/{own}")
            sock.listen(_BACKLOG)
            sock.setblocking(False)
            Path(self.path, own).rename(f"{self.path}/{own}{SUFFIX}")
        except OSError:
            sock.close()
            raise
        self._own = own + SUFFIX
        return sock

    def changed(self) -> set[str] | None:
        """Return the names of all socket files but our own; None when they are those of the last time."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - once for every turn that publishes
        except OSError:
            self._seen = None
            return set()
        now = (found.st_ino, found.st_mtime_ns)
        if now == self._seen:
            return None
        has_settled = time.time_ns() - found.st_mtime_ns > _SETTLED
        try:
            names = {name for name in os.listdir(self.path) if name.endswith(SUFFIX)}  # noqa: PTH208 - names
        except OSError:
            names = set()
        self._seen = now if has_settled else None
        return names - {self._own}

    def look_again(self) -> None:
        """Have `changed` return the names the next time."""
        self._seen = None

    def path_of(self, name: str) -> str:
        """Return the path of a socket file."""
        return f"{self.path}/{name}"

    def remove(self, name: str) -> None:
        """Remove the socket file of a worker that is gone."""
        with contextlib.suppress(OSError):
            Path(self.path, name).unlink()

    def remove_if_dead(self, name: str) -> bool:
        """Remove a socket file on which nobody listens; return whether it is gone."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.path_of(name))
            except FileNotFoundError:
                return True
            except ConnectionRefusedError:
                self.remove(name)
                return True
            except OSError:  # a full queue: it lives
                pass
        return False

    def leave(self) -> None:
        """Remove our own socket file."""
        if self._own:
            self.remove(self._own)
            self._own = ""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
