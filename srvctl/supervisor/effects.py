"""Carries out what the fleet decided. The only module that forks, kills and writes to workers.

Results come back as events, so the fleet never waits for one.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from srvctl.ipc.channel import DrainAsked, encode
from srvctl.supervisor.actions import (
    Announce,
    CloseListeners,
    Drain,
    Exit,
    Kill,
    Log,
    Milestone,
    Severity,
    Spawn,
)
from srvctl.supervisor.events import Forked, SpawnFailed
from srvctl.supervisor.spawn import fork_worker

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.listeners import Listeners
    from srvctl.supervisor.poller import Poller
    from srvctl.systemd import Notifier

_LEVELS: Final = {severity: getattr(logging, severity.value) for severity in Severity}
_SIGNALS: Final = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL}


class Effects:
    """The hands of the master.

    Args:
        poller: Learns of each new worker.
        listeners: The sockets; workers inherit them.
        notifier: The service manager.
        logger: Where the master writes its lines.
        serve: Runs a worker in the child: takes its slot and channel, returns the exit code.
    """

    def __init__(
        self,
        poller: Poller,
        listeners: Listeners,
        notifier: Notifier,
        logger: logging.Logger,
        serve: Callable[[int, socket.socket], int],
    ) -> None:
        self._poller = poller
        self._listeners = listeners
        self._notifier = notifier
        self._logger = logger
        self._serve = serve

    def perform(self, action: Action) -> Event | None:
        """Do one thing; return what came of it where the fleet must know."""
        match action:
            case Spawn():
                return self._spawn(action)
            case Drain(worker=worker, last=last):
                self._drain(worker, last=last)
            case Kill(worker=worker, signal=name):
                os.kill(self._poller.handle_of(worker).pid, _SIGNALS[name])
            case CloseListeners():
                self._listeners.close()
            case Announce(milestone=milestone, status=status):
                self._announce(milestone, status)
            case Log(severity=severity, text=text, details=details):
                self._logger.log(_LEVELS[severity], "%s\n%s" if details else "%s%s", text, details.rstrip())
            case Exit():
                pass  # the loop ends itself
        return None

    def _spawn(self, action: Spawn) -> Event:
        try:
            handle = fork_worker(
                action.worker, self._poller.close, lambda channel: self._serve(action.slot, channel)
            )
        except OSError as error:
            return SpawnFailed(action.worker, str(error))
        self._poller.add(handle)
        return Forked(action.worker, handle.pid)

    def _drain(self, worker: int, *, last: bool) -> None:
        """Ask through the channel; by signal when the application closed it or does not read it."""
        handle = self._poller.handle_of(worker)
        try:
            if handle.channel is None:
                raise BrokenPipeError
            handle.channel.send(encode(DrainAsked(last=last)))
        except OSError:
            os.kill(handle.pid, signal.SIGTERM)

    def _announce(self, milestone: Milestone, status: str) -> None:
        match milestone:
            case Milestone.READY:
                for listener in self._listeners:
                    self._logger.info("Srvctl running on %s (Press CTRL+C to quit)", listener.url)
                self._notifier.ready("Serving.")
            case Milestone.RELOADING:
                self._notifier.reloading(time.monotonic_ns() // 1000)
            case Milestone.RELOADED:
                self._notifier.ready("Serving.")
            case Milestone.RELOAD_FAILED:
                self._notifier.ready(status)
            case Milestone.STOPPING:
                self._notifier.stopping("Stopping.")
