"""The composition root: the one module that knows both the master's side and the worker's."""

from __future__ import annotations

import logging
import os
import random
from typing import TYPE_CHECKING

from srvctl.logs import setup
from srvctl.settings.binds import binds_of
from srvctl.supervisor.effects import Effects
from srvctl.supervisor.fleet import Fleet, FleetPolicy
from srvctl.supervisor.master import Master
from srvctl.supervisor.meeting_place import name_place, remove_place
from srvctl.supervisor.poller import Poller
from srvctl.supervisor.signals import SignalInbox
from srvctl.supervisor.sockets import open_listeners
from srvctl.systemd import Notifier

if TYPE_CHECKING:
    import socket

    from srvctl.settings.groups import Settings, TimeoutSettings

logger = logging.getLogger("srvctl.error")
_LAST_LINES = 4.0  #: seconds a worker has beyond its own timeouts before the master kills it


def serve(settings: Settings) -> int:
    """Open the sockets, supervise the workers, and return the exit code once everything has ended.

    Raises:
        BindError: A socket cannot be opened.
    """
    setup.configure(
        settings.log.level,
        use_colors=settings.log.use_colors,
        access=settings.log.access,
        access_format=settings.log.access_format,
        access_file=settings.log.access_file,
    )
    inbox = SignalInbox()  # before anything else: from here on a signal is never lost and never fatal
    notifier = Notifier.from_environ(os.environ)
    place = name_place(os.environ)
    listeners = open_listeners(binds_of(settings.server), settings.server.backlog, os.environ)
    try:
        if settings.tls.certfile is not None:
            listeners.speak_tls()
        for warning in listeners.warnings:
            logger.warning(warning)
        logger.info("Started master process [%d]", os.getpid())

        def serve_worker(slot: int, channel: socket.socket) -> int:
            from srvctl.worker import main  # noqa: PLC0415 - the master never loads an event loop or a parser

            os.environ["SRVCTL_SLOT"] = str(slot)
            return main.serve(settings, [listener.socket for listener in listeners], channel, place)

        poller = Poller(inbox)
        fleet = Fleet(_policy(settings), random.random)
        effects = Effects(poller, listeners, notifier, logger, serve_worker)
        try:
            code = Master(fleet, poller, effects, logger).run()
        finally:
            poller.close()
    finally:
        listeners.close()
        remove_place(place)
    logger.info("Finished master process [%d]", os.getpid())
    return code


def _policy(settings: Settings) -> FleetPolicy:
    count = settings.workers.count
    if count == "auto":
        from srvctl.supervisor.capacity import auto_count  # noqa: PLC0415 - for auto only

        count, reason = auto_count()
        logger.info("Starting %d workers: %s", count, reason)
    return FleetPolicy(
        count=count,
        boot=settings.timeouts.boot,
        drain=_time_to_drain(settings.timeouts),
        term=settings.timeouts.lifespan_shutdown,
        max_surge=settings.workers.max_surge,
    )


def _time_to_drain(timeouts: TimeoutSettings) -> float:
    return timeouts.graceful_shutdown + timeouts.lifespan_shutdown + _LAST_LINES
