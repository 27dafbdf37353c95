"""What a master has beside everything else while an application is developed (``--reload``).

A process that watches the files, one that is to be the next worker, and an eye on what workers leave behind.
Part of the composition root; made by `srvctl.assembly`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from srvctl.ipc.warm import start
from srvctl.logs.streams import flush
from srvctl.supervisor.orphans import Orphans
from srvctl.supervisor.spare import Spare
from srvctl.supervisor.spawn import fork_child
from srvctl.supervisor.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.ipc.warm import Warm
    from srvctl.settings.service import Service
    from srvctl.supervisor.belongings import Belongings
    from srvctl.supervisor.births import Place
    from srvctl.supervisor.generations import Generation
    from srvctl.supervisor.poller import Poller


class Developing:
    """The three of them.

    Args:
        service: What is developed.
        belongings: Of the master.
        poller: Waits for whatever happens.
        leave_master: Closes, in a child, everything that is the master's, and what it listens on.
        warm: A process that has imported what every worker needs, if there is one already.
    """

    def __init__(
        self,
        service: Service,
        belongings: Belongings,
        poller: Poller,
        leave_master: Callable[[], None],
        warm: Warm | None,
    ) -> None:
        self._service = service
        self._belongings = belongings
        self._poller = poller
        self._leave_master = leave_master
        self._spare = Spare(self._start_spare, poller, warm)
        self._orphans = Orphans(poller.knows)
        poller.add_clock(self._orphans)
        self._watching = Watching(poller, self._start_watching, service.instance.config)

    def become_worker(self, generation: Generation, place: Place) -> int | None:
        """Make a worker of the process that is at hand; return its id, or None if there is none."""
        warm = self._spare.take()
        if warm is None:
            return None
        arguments = [generation.settings, self._belongings.place, generation.number, os.getpid()]
        own = [self._belongings.lifeline.end, place.channel.fileno(), place.board]
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

    def worker_ended(self) -> None:
        """Look after what it leaves behind."""
        self._orphans.expect()

    def close(self) -> None:
        """Do without all of it."""
        self._watching.close()
        self._spare.close()
        self._orphans.end()

    def abandon(self) -> None:
        """Close a forked child's copies of descriptors."""
        self._watching.abandon()
        self._spare.abandon()

    def _start_spare(self) -> Warm:
        flush()  # or the child would write the same buffer again
        return start(self._prepare)

    def _prepare(self) -> None:
        self._leave_master()
        from srvctl.worker.mold import prepare  # noqa: PLC0415 - never in the master

        prepare()

    def _start_watching(self, pipe: int) -> int:
        return fork_child(self._leave_master, lambda: self._watch(pipe))

    def _watch(self, pipe: int) -> int:
        from srvctl.dev.watcher import live  # noqa: PLC0415 - loads a library, never in the master

        settings = self._service.settings
        files = [self._service.instance.config, settings.app.env_file or ""]
        return live(settings.reload, settings.app.dir, [file for file in files if file], pipe)
