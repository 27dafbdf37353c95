"""The master's end of one pipe that a child prints into. Called by `printed`, and by the poller."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.output.lines import Cutter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.poller import Poller

_CHUNK: Final = 65536
#: Reads of one `drain`: more than a pipe holds. Who prints without a break is heard on in the next turn.
_MOST_READS: Final = 16


class Source:
    """The pipe.

    Args:
        fd: The end to read from, which is the source's.
        poller: Tells when there is something.
        take: Is given the lines.
        is_held: Whether it is to be read later.
        rest: What was read before and is no whole line yet.
    """

    def __init__(
        self,
        fd: int,
        poller: Poller,
        take: Callable[[list[bytes]], None],
        is_held: Callable[[], bool],
        rest: bytes = b"",
    ) -> None:
        self.fd: int | None = fd
        self._poller = poller
        self._take = take
        self._cutter = Cutter(rest)
        self._is_held = is_held
        self._is_watched = True
        os.set_blocking(fd, False)
        os.set_inheritable(fd, False)
        poller.watch(fd, self._readable)

    @property
    def rest(self) -> bytes:
        """What is no whole line yet."""
        return self._cutter.rest

    def drain(self) -> None:
        """Read what there is."""
        for _ in range(_MOST_READS):
            if not self._read():
                return

    def end_line(self) -> None:
        """Take what has no newline yet for a line: who printed it is gone."""
        lines = self._cutter.end()
        if lines:
            self._take(lines)

    def close(self) -> None:
        """Read no more."""
        if self.fd is not None:
            if self._is_watched:
                self._poller.unwatch(self.fd)
            os.close(self.fd)
            self.fd = None

    def abandon(self) -> None:
        """Close a forked child's copy, without telling the poller, which it shares with the master."""
        if self.fd is not None:
            os.close(self.fd)

    def resume(self) -> None:
        """Read on."""
        if self.fd is not None and not self._is_watched:
            self._is_watched = True
            self._poller.watch(self.fd, self._readable)

    def _readable(self, _mask: int) -> Iterable[Event]:
        if self.fd is not None and self._is_held():
            self._is_watched = False
            self._poller.unwatch(self.fd)
        else:
            self._read()
        return ()

    def _read(self) -> bool:
        """Read once; return whether there may be more."""
        if self.fd is None:
            return False
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # nothing that a pipe does; whatever it is, it must not come again and again
            data = b""
        if not data:
            self.close()
            self.end_line()
            return False
        lines = self._cutter.feed(data)
        if lines:
            self._take(lines)
        return True
