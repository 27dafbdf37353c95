"""The composition root: the one module that knows both the master's side and the worker's."""

from __future__ import annotations

import logging
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from srvctl.errors import ConfigError
from srvctl.ipc import naming
from srvctl.ipc.lifeline import Lifeline
from srvctl.ipc.naming import name_process
from srvctl.logs import setup
from srvctl.settings.binds import binds_of
from srvctl.settings.instance import ledger_paths
from srvctl.supervisor.admin import Admin
from srvctl.supervisor.births import Births, Lives
from srvctl.supervisor.children import Staff
from srvctl.supervisor.control_socket import open_control_socket
from srvctl.supervisor.directories import first_usable
from srvctl.supervisor.effects import Effects
from srvctl.supervisor.events import UpgradeRefused
from srvctl.supervisor.fleet import Fleet
from srvctl.supervisor.generations import Generation, Generations
from srvctl.supervisor.ledger import Ledger
from srvctl.supervisor.master import Master
from srvctl.supervisor.meeting_place import name_place, remove_place
from srvctl.supervisor.obituaries import Obituaries
from srvctl.supervisor.oom import OomWatch
from srvctl.supervisor.pidfile import PidFile
from srvctl.supervisor.policy import policy_of
from srvctl.supervisor.poller import Poller
from srvctl.supervisor.rereading import Rereading
from srvctl.supervisor.signals import SignalInbox
from srvctl.supervisor.sockets import open_listeners
from srvctl.supervisor.subreaper import become_subreaper
from srvctl.systemd import Notifier

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from srvctl.settings.groups import LogSettings, Settings
    from srvctl.settings.instance import Instance
    from srvctl.settings.service import Service
    from srvctl.supervisor.births import Place
    from srvctl.worker.main import Outfit

logger = logging.getLogger("srvctl.error")


def serve(service: Service, reread: Callable[[], Settings | str]) -> int:
    """Open the sockets, supervise the workers, and return the exit code once everything has ended.

    Args:
        service: What to serve.
        reread: Reads the settings anew, in a child; returns them, or what is wrong with them.

    Raises:
        BindError: A socket cannot be opened.
        ConfigError: The pid file or the log cannot be written.
        AlreadyRunning: The instance runs already.
    """
    settings = service.settings
    _configure_logs(settings.log)
    inbox = SignalInbox()  # before anything else: from here on a signal is never lost and never fatal
    become_subreaper()
    name_process(naming.MASTER)
    pid_file = PidFile.take(settings.server.pid_file) if settings.server.pid_file is not None else None
    try:
        return _Instance(service, reread, inbox, pid_file).run()
    finally:
        if pid_file is not None:
            pid_file.release()


class _Instance:
    """Everything that belongs to one master, put together."""

    def __init__(
        self,
        service: Service,
        reread: Callable[[], Settings | str],
        inbox: SignalInbox,
        pid_file: PidFile | None,
    ) -> None:
        self._settings = service.settings
        self._instance = service.instance
        self._reread = reread
        self._pid_file = pid_file
        self._inbox = inbox
        self._pid = os.getpid()
        self._notifier = Notifier.from_environ(os.environ)
        self._place = name_place(os.environ)
        self._lifeline = Lifeline()
        self._poller = Poller(inbox)
        self._staff = Staff()
        self._admin: Admin | None = None

    def run(self) -> int:
        """Serve; return the exit code.

        Raises:
            BindError: A socket cannot be opened.
        """
        server = self._settings.server
        listeners = open_listeners(binds_of(server), server.backlog, os.environ)
        if self._settings.tls.certfile is not None:
            listeners.speak_tls()
        self._generations = Generations(Generation(1, self._settings, tuple(listeners)))
        try:
            for warning in listeners.warnings:
                logger.warning(warning)
            self._open_control_socket()
            logger.info("Started master process [%d]", self._pid)
            fleet = Fleet(policy_of(self._settings, _count(self._settings)), random.random)
            code = Master(fleet, self._poller, self._effects(), logger).run()
        finally:
            self._poller.close()
            if self._admin is not None:
                self._admin.close()
            self._generations.close()
            remove_place(self._place)
        logger.info("Finished master process [%d]", self._pid)
        return code

    def _open_control_socket(self) -> None:
        control, reason = open_control_socket(
            self._instance, self._settings.control.socket, os.environ, os.geteuid()
        )
        if control is None:
            if reason:
                logger.warning("%s", reason)
            return
        self._instance = replace(self._instance, name=control.name)
        about = {
            "config": self._instance.config,
            "target": self._instance.target,
            "binds": [listener.url for listener in self._generations],
        }
        self._admin = Admin(control, about, self._poller)
        self._poller.add_clock(self._admin)

    def _effects(self) -> Effects:
        lives = Lives(worker=self._be_worker, mold=self._be_mold, leave_master=self._leave_master)
        return Effects(
            staff=self._staff,
            births=Births(self._poller, self._staff, self._generations, lives),
            generations=self._generations,
            rereading=Rereading(
                self._poller, self._generations, self._read_again, _count, self._leave_master
            ),
            obituaries=Obituaries(_ledger(self._instance, self._settings), OomWatch(), logger),
            notifier=self._notifier,
            logger=logger,
            admin=self._admin,
            on_commit=lambda generation: _configure_logs(generation.settings.log),
            upgrade=lambda: UpgradeRefused("not built yet"),
        )

    # -- in a child ------------------------------------------------------------------------------------

    def _leave_master(self) -> None:
        """Close, in a child, what belongs to the master alone; nothing is told to those it shares it with."""
        self._poller.close()
        self._staff.abandon()
        if self._admin is not None:
            self._admin.close(unlink=False)
        if self._pid_file is not None:
            self._pid_file.close()
        self._notifier.close()
        self._lifeline.let_go()

    def _read_again(self) -> Settings | str:
        """Return the settings, or what is wrong with them; a log that cannot be opened is."""
        found = self._reread()
        if not isinstance(found, str):
            try:
                _configure_logs(found.log)
            except ConfigError as error:
                return str(error)
        return found

    def _outfit(self, generation: Generation) -> Outfit:
        from srvctl.worker.main import Outfit  # noqa: PLC0415 - the master never loads a loop or a parser

        self._generations.leave_others(generation.number)
        if generation.number > 1:
            _configure_logs(generation.settings.log)
        return Outfit(
            settings=generation.settings,
            sockets=[listener.socket for listener in generation.listeners],
            meeting_place=self._place,
            generation=generation.number,
            master=self._pid,
            lifeline=self._lifeline.end,
        )

    def _be_worker(self, generation: Generation, place: Place) -> int:
        from srvctl.worker import main  # noqa: PLC0415 - as above

        return main.serve(self._outfit(generation), place.slot, place.channel, place.board)

    def _be_mold(self, generation: Generation, channel: socket.socket) -> int:
        from srvctl.worker.molding import Molding  # noqa: PLC0415 - as above

        return Molding(self._outfit(generation)).live(channel)


def _configure_logs(log: LogSettings) -> None:
    setup.configure(
        log.level,
        use_colors=log.use_colors,
        access=log.access,
        access_format=log.access_format,
        access_file=log.access_file,
    )


def _count(settings: Settings) -> int:
    count = settings.workers.count
    if count != "auto":
        return count
    from srvctl.supervisor.capacity import auto_count  # noqa: PLC0415 - for auto only

    count, reason = auto_count()
    logger.info("Workers: %s", reason)
    return count


def _ledger(instance: Instance, settings: Settings) -> Ledger:
    paths = ledger_paths(settings.ledger.file, instance.name, os.environ, os.geteuid())
    path, reason = first_usable(paths, os.geteuid())
    if path is None and reason:
        logger.warning("Deaths of workers are kept in memory only: %s.", reason)
    ledger = Ledger(path, settings.ledger.size)
    ledger.prepare()
    while error := ledger.take_error():
        logger.warning("%s", error)
    return ledger
