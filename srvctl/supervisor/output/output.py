"""All that is printed by the master and its children, on its way into the log and into the memory of it.

Made by the composition root before anything is logged. Nothing here ever waits for who reads the log, but
`close`, for a moment. Must not know the fleet.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, cast

from srvctl.errors import ConfigError
from srvctl.logs.access.sinks import ReaderGoneError
from srvctl.logs.streams import redirect
from srvctl.supervisor.feeds import Feed
from srvctl.supervisor.output import printed
from srvctl.supervisor.output.destinations import is_elsewhere, opened
from srvctl.supervisor.output.entry import MASTER, STDERR, STDOUT, STREAMS, entries_of
from srvctl.supervisor.output.outlet import Outlet
from srvctl.supervisor.output.printed import Printed
from srvctl.supervisor.output.sinks import StreamSink, reason
from srvctl.supervisor.output.streams import MasterStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from srvctl.settings.groups import LogSettings
    from srvctl.supervisor.output.entry import Entry
    from srvctl.supervisor.output.printed import Pipes
    from srvctl.supervisor.poller import Poller

logger = logging.getLogger("srvctl.error")

#: Seconds that whoever reads the log has at the end of the master.
_PATIENCE: Final = 1.0
#: Children that are gone and have left somebody behind who may print; of more, the oldest are not heard.
MOST_ORPHANS: Final = 64
#: Seconds after which it is seen whether children can be read again.
_MOMENT: Final = 0.02
_FORMS: Final = ("file", "format", "max_size", "max_age", "backups", "buffer")


class Output:
    """All of it.

    Args:
        log: What the settings say.
        captures: Whether children print into pipes.

    Attributes:
        feed: The memory, for `srvctl logs`.

    Raises:
        ConfigError: What ``log.file`` says cannot be opened.
    """

    def __init__(self, log: LogSettings, *, captures: bool) -> None:
        self.feed = Feed(log.keep)
        self._log = log
        self._captures = captures
        self._lost_before = 0
        self._poller: Poller | None = None
        self._all: list[Printed] = []
        self._orphans: list[Printed] = []
        self._has_held = False
        self._real: dict[str, TextIO | None] = {STDOUT: sys.stdout, STDERR: sys.stderr}
        self._streams: dict[str, MasterStream] = {}
        self._outlet = self._opened(log)

    @classmethod
    def of_heir(cls, log: LogSettings, *, captures: bool) -> Output:
        """Return that of a master that goes on: what it cannot open must not end the service."""
        try:
            return cls(log, captures=captures)
        except ConfigError as error:
            from dataclasses import replace  # noqa: PLC0415 - hardly ever

            output = cls(replace(log, file="-"), captures=captures)
            output.take_streams()
            logger.error("%s The log goes to stdout and stderr.", error)  # noqa: TRY400 - it says all
            return output

    @property
    def lost(self) -> int:
        """How many lines could not be written, ever."""
        return self._lost_before + self._outlet.lost

    def take(self, entries: list[Entry]) -> None:
        """Write lines, and remember them."""
        self._outlet.write(entries)
        for entry in entries:
            item = {
                "at": round(entry.at, 6),
                "slot": entry.slot,
                "pid": entry.pid,
                "stream": entry.stream,
                "line": entry.text,
            }
            self.feed.push({**item, "program": entry.program} if entry.program else item)

    # -- what the master does with it ------------------------------------------------------------------

    def take_streams(self) -> None:
        """Have ``sys.stdout`` and ``sys.stderr``, and so handlers of logging, lead here until `close`."""
        elsewhere = is_elsewhere(self._log)
        for name in STREAMS:
            real = self._real[name]
            is_terminal = not elsewhere and real is not None and real.isatty()
            stream = MasterStream(self._taker(name), is_terminal=is_terminal)
            redirect(cast("TextIO | None", self._streams.get(name, real)), cast("TextIO", stream))
            self._streams[name] = stream
            setattr(sys, name, stream)

    def attach(self, poller: Poller) -> None:
        """Be told from now on when something can be read or written."""
        self._poller = poller
        self._outlet.attach(poller)
        poller.add_clock(self)

    def next_deadline(self) -> float | None:
        """Return when `expire` is to be called at the latest, in monotonic seconds; None for never."""
        moments = [self._outlet.next_deadline(), time.monotonic() + _MOMENT if self._has_held else None]
        return min((moment for moment in moments if moment is not None), default=None)

    def expire(self, now: float) -> None:
        """Try again to write what could not be written, and read what could not be."""
        self._outlet.expire(now)
        if self._has_held and not self._outlet.is_behind(now):
            self._has_held = False
            for one in self._all:
                one.resume()

    def change(self, log: LogSettings) -> None:
        """Write to where the settings say by now; what waits for the former place, and is not taken, is lost.

        Raises:
            ConfigError: It cannot be opened; everything stays as it was.
        """
        if all(getattr(log, name) == getattr(self._log, name) for name in _FORMS):
            self._log = log
            return
        outlet = self._opened(log)
        former, self._outlet = self._outlet, outlet
        former.drain(0.0)
        former.close()
        self._lost_before += former.lost
        self._log = log
        outlet.attach(self._poller)
        if self._streams:
            self.take_streams()

    def reopen(self) -> None:
        """Go on with the file that has the log's name now; somebody has moved the other one away."""
        try:
            self._outlet.reopen()
        except OSError as error:
            logger.error("log.file: %s cannot be opened again: %s.", self._log.file, reason(error))  # noqa: TRY400
        else:
            logger.info("Logs are reopened.")

    def end(self) -> None:
        """Read what is left of everybody; the poller is not needed any more then."""
        for one in list(self._all):
            one.end()
            one.close()
        self._all.clear()
        self._orphans.clear()
        self._outlet.attach(None)
        self._poller = None

    def close(self) -> None:
        """Write what is left, waiting a moment for who reads it, and give back the streams."""
        for stream in self._streams.values():
            stream.end_line()
        self._give_back()
        self._outlet.drain(_PATIENCE)
        self._outlet.close()

    def abandon(self) -> None:
        """Leave everything, in a forked child, as if there had never been a master."""
        self._give_back()
        for one in self._all:
            one.abandon()
        self._outlet.abandon()

    # -- children --------------------------------------------------------------------------------------

    def make_pipes(self) -> Pipes | None:
        """Return pipes for a new child; None where children print by themselves.

        Raises:
            OSError: There is no room for a descriptor.
        """
        return printed.make_pipes() if self._captures else None

    def hear(
        self, reading: tuple[int, int] | None, slot: int = MASTER, pid: int = 0, program: str = ""
    ) -> Printed | None:
        """Read what a child prints.

        Args:
            reading: The master's ends of its pipes, which are this object's then; None where there are none.
            slot: Its place.
            pid: Its process, if it is known.
            program: Which program it is a process of, where it is one beside the workers.
        """
        if reading is None or self._poller is None:
            return None
        one = Printed(reading, slot, pid, self._poller, self.take, self._holds, program=program)
        self._all.append(one)
        return one

    def dismiss(self, one: Printed) -> None:
        """Let go of a child that is gone; what it has started may print for as long as it likes."""
        one.end()
        if not one.is_open:
            self._forget(one)
            return
        self._orphans.append(one)
        self._orphans = [orphan for orphan in self._orphans if self._is_heard(orphan)]
        while len(self._orphans) > MOST_ORPHANS:
            oldest = self._orphans.pop(0)
            oldest.close()
            self._forget(oldest)

    def _holds(self) -> bool:
        """Whether children are to be read later: what they print now would be lost."""
        if self._outlet.is_behind(time.monotonic()):
            self._has_held = True
            return True
        return False

    def _is_heard(self, orphan: Printed) -> bool:
        if not orphan.is_open:
            self._forget(orphan)
        return orphan.is_open

    def _forget(self, one: Printed) -> None:
        if one in self._all:
            self._all.remove(one)

    # -- an upgrade in place ---------------------------------------------------------------------------

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over; those of children are their handles'."""
        return [fd for orphan in self._orphans for fd in orphan.fds()]

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        return {
            "orphans": [orphan.export() for orphan in self._orphans if orphan.is_open],
            "waiting": self._outlet.export(),
            "lost": self.lost,
        }

    def inherit(self, values: Mapping[str, Any] | None) -> None:
        """Go on with what the program had that this process ran before; one of before had nothing.

        Raises:
            OSError: A descriptor did not come along.
        """
        if values is None:
            return
        self._orphans = [self.inherit_child(one) for one in values["orphans"]]
        self._outlet.inherit(values["waiting"])
        self._lost_before = values["lost"]

    def inherit_child(self, values: Mapping[str, Any]) -> Printed:
        """Go on with what a child prints.

        Raises:
            OSError: A descriptor did not come along.
        """
        if self._poller is None:
            raise RuntimeError("nobody would tell when there is something to read")
        one = printed.inherited(values, self._poller, self.take, self._holds)
        self._all.append(one)
        return one

    # -- the master's own ------------------------------------------------------------------------------

    def _opened(self, log: LogSettings) -> Outlet:
        """Open what the settings say.

        Raises:
            ConfigError: It cannot be opened.
        """
        ways = opened(log, self._real)
        return Outlet(ways, log.buffer, self._say_lost, self._say_trouble, is_json=log.format == "json")

    def _taker(self, name: str) -> Callable[[list[bytes]], None]:
        pid = os.getpid()
        return lambda lines: self.take(entries_of(MASTER, pid, name, lines))

    def _give_back(self) -> None:
        for name, stream in self._streams.items():
            redirect(cast("TextIO", stream), self._real[name])
            setattr(sys, name, self._real[name])
        self._streams.clear()

    def _say_lost(self, lines: int) -> None:
        logger.warning("%d line(s) of the log were lost: nobody took them in time.", lines)

    def _say_trouble(self, text: str) -> None:
        """Say, where there is somebody else to say it to, that the log cannot be written."""
        line = (
            f"WARNING:  The log cannot be written ({text}). {self._log.buffer} bytes of it are kept "
            "(log.buffer) until it can; what is beyond is lost."
        ).encode()
        aside = StreamSink(self._real[STDERR])
        with contextlib.suppress(ReaderGoneError):  # then there is nobody left to tell
            aside.write(line + b"\n")
        aside.close()
