"""What a master has beside everything else while an application is developed (``--reload``).

A process that watches the files, one that is to be the next worker, an eye on what workers leave behind, and
one on the terminal. Part of the composition root; made by `srvctl.assembly`.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Final

from srvctl.ipc.naming import SPARE, WATCHER, name_process
from srvctl.ipc.warm import start
from srvctl.logs.streams import flush
from srvctl.supervisor.events import StopAsked
from srvctl.supervisor.orphans import Orphans
from srvctl.supervisor.signals import MEANINGS
from srvctl.supervisor.spare import Spare
from srvctl.supervisor.spawn import fork_child
from srvctl.supervisor.terminal import Terminal
from srvctl.supervisor.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.ipc.warm import Warm
    from srvctl.settings.service import Service
    from srvctl.supervisor.belongings import Belongings
    from srvctl.supervisor.births import Place
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.generations import Generation
    from srvctl.supervisor.poller import Poller

_WELL: Final = "exit code 0"  #: the end of a worker that nobody has killed


class Developing:
    """All of it.

    Args:
        service: What is developed.
        belongings: Of the master.
        poller: Waits for whatever happens.
        leave_master: Closes, in a child, everything that is the master's, and what it listens on.
        warm: A process that has imported what every worker needs, if there is one already.
        outlives_terminal: Go on where the terminal has been closed.
    """

    def __init__(
        self,
        service: Service,
        belongings: Belongings,
        poller: Poller,
        leave_master: Callable[[], None],
        warm: Warm | None,
        *,
        outlives_terminal: bool,
    ) -> None:
        self._service = service
        self._belongings = belongings
        self._poller = poller
        self._leave_master = leave_master
        self._spare = Spare(self._start_spare, poller, warm)
        self._orphans = Orphans(poller.knows)
        poller.add_clock(self._orphans)
        self._watching = Watching(poller, self._start_watching, service.instance.config)
        self._terminal = Terminal()
        if not outlives_terminal:
            poller.meaning_of = self._meaning_of

    def begin(self) -> None:
        """Watch the files."""
        self._watching.begin()

    def become_worker(self, generation: Generation, place: Place) -> int | None:
        """Make a worker of the process that is at hand; return its id, or None if there is none."""
        warm = self._spare.take()
        if warm is None:
            return None
        arguments = [generation.settings, self._belongings.place, generation.number, os.getpid()]
        belongings = self._belongings
        own = [belongings.lifeline.end, belongings.shares, place.channel.fileno(), place.board]
        listeners = [listener.socket.fileno() for listener in generation.listeners]
        try:
            warm.become(
                "srvctl.worker.warmed:work",
                [*arguments, dict(os.environ), place.slot, place.apology],
                [*own, *listeners],
            )
        except OSError:  # somebody has killed it, or there is no room for a descriptor
            warm.end()
            return None
        warm.channel.close()
        return warm.pid

    def worker_ended(self, cause: str) -> None:
        """Look after what it leaves behind."""
        self._orphans.expect()
        if cause != _WELL:  # perhaps in a debugger
            self._terminal.restore()

    def close(self) -> None:
        """Do without all of it."""
        self._watching.close()
        self._spare.close()
        self._orphans.end()
        self._terminal.restore()
        self._terminal.close()

    def abandon(self) -> None:
        """Close a forked child's copies of descriptors."""
        self._watching.abandon()
        self._spare.abandon()
        self._terminal.close()

    def _meaning_of(self, number: signal.Signals) -> Event | None:
        """Return what a signal asks for; that the terminal is closed, which SIGHUP says, is the end."""
        if number == signal.SIGHUP and self._terminal.is_gone:
            return StopAsked(by="SIGHUP, the terminal is gone")
        return MEANINGS.get(number)

    def _start_spare(self) -> Warm:
        flush()  # or the child would write the same buffer again
        return start(self._prepare)

    def _prepare(self) -> None:
        name_process(SPARE)
        self._leave_master()
        from srvctl.worker.mold import prepare  # noqa: PLC0415 - never in the master

        prepare()

    def _start_watching(self, pipe: int, untold: float) -> int:
        since = time.time() - untold  # as the times of files are
        return fork_child(self._leave_master, lambda: self._watch(pipe, since))

    def _watch(self, pipe: int, since: float) -> int:
        name_process(WATCHER)
        from srvctl.dev.watcher import live  # noqa: PLC0415 - loads a library, never in the master

        settings = self._service.settings
        files = [self._service.instance.config, settings.app.env_file or ""]
        return live(settings.reload, settings.app.dir, [file for file in files if file], pipe, since)
