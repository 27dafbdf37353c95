"""What one child prints: its two pipes, and the last lines of its stderr, which outlive it.

Made by `output`, owned by the child's handle until the child is gone. Knows nothing of what becomes of lines.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from srvctl.ipc.scoreboard import harmless_lines
from srvctl.supervisor.output.entry import STDERR, STREAMS, entries_of
from srvctl.supervisor.output.lines import Tail
from srvctl.supervisor.output.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from srvctl.supervisor.output.entry import Entry
    from srvctl.supervisor.poller import Poller

#: Bytes of a pipe. Twice what it has by default, so that a burst while the master is busy makes nobody wait;
#: what a user may have in all pipes is limited (pipe(7), pipe-user-pages-soft).
_SIZE: Final = 128 * 1024


class Pipes(NamedTuple):
    """Two pipes: the ends to read from, for the master, and those to write to, for a child.

    Attributes:
        reading: stdout and stderr.
        writing: stdout and stderr.
    """

    reading: tuple[int, int]
    writing: tuple[int, int]

    def close_writing(self) -> None:
        """Close the child's ends, when it has its copies."""
        for fd in self.writing:
            os.close(fd)

    def close(self) -> None:
        """Close everything: there is no such child."""
        for fd in (*self.reading, *self.writing):
            os.close(fd)


def make_pipes() -> Pipes:
    """Return two pipes; no program that is started inherits them.

    Raises:
        OSError: There is no room for a descriptor.
    """
    stdout = os.pipe()
    try:
        stderr = os.pipe()
    except OSError:
        for fd in stdout:
            os.close(fd)
        raise
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        for fd in (stdout[1], stderr[1]):
            with contextlib.suppress(OSError):  # the user has too much in pipes already
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _SIZE)
    return Pipes((stdout[0], stderr[0]), (stdout[1], stderr[1]))


class Printed:
    """What it prints.

    Args:
        fds: The ends to read from, of stdout and stderr; None for one that is closed.
        slot: The child's place; `entry.MASTER` for a mold.
        pid: Its process; 0 as long as that is not known.
        poller: Tells when there is something.
        take: Is given the lines.
        is_held: Whether it is to be read later, unless somebody asks for it.
        rests: What was read before and is no whole line, by stream.
        tail: What it last wrote to stderr before.
        program: Which program it is a process of; empty for srvctl's own children.
    """

    def __init__(
        self,
        fds: Iterable[int | None],
        slot: int,
        pid: int,
        poller: Poller,
        take: Callable[[list[Entry]], None],
        is_held: Callable[[], bool],
        *,
        rests: Mapping[str, bytes] | None = None,
        tail: list[bytes] | None = None,
        program: str = "",
    ) -> None:
        self.pid = pid
        self._program = program
        self._slot = slot
        self._take = take
        self._tail = Tail(tail)
        self._sources = {
            stream: Source(fd, poller, _taker(self, stream), is_held, (rests or {}).get(stream, b""))
            for stream, fd in zip(STREAMS, fds, strict=True)
            if fd is not None
        }

    @property
    def is_open(self) -> bool:
        """Whether anybody can still print."""
        return any(source.fd is not None for source in self._sources.values())

    @property
    def last_lines(self) -> list[str]:
        """The last lines of stderr, harmless to print."""
        return harmless_lines(b"".join(line + b"\n" for line in self._tail.lines))

    def fds(self) -> list[int]:
        """Return the descriptors."""
        return [source.fd for source in self._sources.values() if source.fd is not None]

    def drain(self) -> None:
        """Read what has been printed by now."""
        for source in self._sources.values():
            source.drain()

    def resume(self) -> None:
        """Read on, where that was put off."""
        for source in self._sources.values():
            source.resume()

    def end(self) -> None:
        """Read what the child has left; what it has started may print on."""
        self.drain()
        for source in self._sources.values():
            source.end_line()

    def close(self) -> None:
        """Read no more."""
        for source in self._sources.values():
            source.close()

    def abandon(self) -> None:
        """Close a forked child's copies."""
        for source in self._sources.values():
            source.abandon()

    def export(self) -> dict[str, Any]:
        """Return what `inherited` needs, as JSON."""
        known = {stream: self._sources.get(stream) for stream in STREAMS}
        return {
            "slot": self._slot,
            "pid": self.pid,
            "program": self._program,
            "fds": [source.fd if source is not None else None for source in known.values()],
            "rests": {stream: source.rest.decode("latin-1") for stream, source in self._sources.items()},
            "tail": [line.decode("latin-1") for line in self._tail.lines],
        }

    def heard(self, stream: str, lines: list[bytes]) -> None:
        """Pass on lines."""
        if stream == STDERR:
            self._tail.add(lines)
        self._take(entries_of(self._slot, self.pid, stream, lines, self._program))


def _taker(printed: Printed, stream: str) -> Callable[[list[bytes]], None]:
    return lambda lines: printed.heard(stream, lines)


def inherited(
    values: Mapping[str, Any],
    poller: Poller,
    take: Callable[[list[Entry]], None],
    is_held: Callable[[], bool],
) -> Printed:
    """Return what a child of the program that this process ran before prints.

    Raises:
        OSError: A descriptor did not come along.
    """
    return Printed(
        values["fds"],
        values["slot"],
        values["pid"],
        poller,
        take,
        is_held,
        rests={stream: rest.encode("latin-1") for stream, rest in values["rests"].items()},
        tail=[line.encode("latin-1") for line in values["tail"]],
        program=values.get("program", ""),  # an older srvctl has no programs
    )
