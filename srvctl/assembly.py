"""Everything that belongs to one master, put together: what is forked by it knows the worker's side as well.

Made by `srvctl.launch`, at the start of a service or where another program has left one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import random
import signal
import time
from base64 import b64encode
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import AlreadyRunning, ConfigError
from srvctl.ipc.control import Command
from srvctl.logs.streams import put_in_place
from srvctl.settings.instance import AUTO, ledger_paths
from srvctl.settings.keeping import flat, shown
from srvctl.settings.log_setup import configure_logs
from srvctl.settings.service import Service
from srvctl.supervisor import handover
from srvctl.supervisor.admin import Admin
from srvctl.supervisor.births import Births, Lives
from srvctl.supervisor.children import Staff
from srvctl.supervisor.chronicle import Chronicle, of_death, of_upgrade
from srvctl.supervisor.console import Console
from srvctl.supervisor.console_start import adopt, is_wanted, new_console
from srvctl.supervisor.control_socket import ControlSocket, open_control_socket
from srvctl.supervisor.directories import first_usable
from srvctl.supervisor.effects import Effects
from srvctl.supervisor.events import Upgraded
from srvctl.supervisor.feeds import Feed
from srvctl.supervisor.fleet import Fleet
from srvctl.supervisor.generations import Generation, Generations
from srvctl.supervisor.ledger import Ledger
from srvctl.supervisor.master import Master
from srvctl.supervisor.meeting_place import remove_place
from srvctl.supervisor.memory_use import MemoryUse
from srvctl.supervisor.notices import Manager
from srvctl.supervisor.obituaries import Obituaries
from srvctl.supervisor.oom import OomWatch
from srvctl.supervisor.output.destinations import check, resolved
from srvctl.supervisor.policy import policy_of
from srvctl.supervisor.poller import Poller
from srvctl.supervisor.programs.hands import ProgramHands
from srvctl.supervisor.rereading import Rereading
from srvctl.supervisor.spawn import fork_child
from srvctl.supervisor.tally import Tally
from srvctl.supervisor.upgrading import Upgrading

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from srvctl.developing import Developing
    from srvctl.ipc.deaths import Death
    from srvctl.ipc.warm import Warm
    from srvctl.settings.groups import Settings
    from srvctl.settings.instance import Instance
    from srvctl.supervisor.belongings import Belongings
    from srvctl.supervisor.births import FirstMold, Place
    from srvctl.supervisor.console import Start
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.fd_store import FdStore
    from srvctl.supervisor.inherited import Inherited
    from srvctl.supervisor.listeners import Listener, Listeners
    from srvctl.supervisor.output.output import Output
    from srvctl.supervisor.output.printed import Pipes
    from srvctl.supervisor.pidfile import PidFile
    from srvctl.supervisor.signals import SignalInbox
    from srvctl.systemd import Notifier
    from srvctl.worker.main import Outfit

logger = logging.getLogger("srvctl.error")

_EVENTS_KEPT: Final = 256 * 1024  #: bytes: some thousand events


class Assembly:
    """Everything that belongs to one master, put together."""

    def __init__(
        self,
        service: Service,
        reread: Callable[[], Settings | str],
        inbox: SignalInbox,
        pid_file: PidFile | None,
        belongings: Belongings,
        output: Output,
        fd_store: FdStore,
    ) -> None:
        self._settings = service.settings
        self._instance = service.instance
        self._reread = reread
        self._pid_file = pid_file
        self._first_mold: FirstMold | None = None
        self._developing: Developing | None = None
        self._belongings = belongings
        self._pid = os.getpid()
        self._poller = Poller(inbox)
        self._poller.add_clock(belongings.notifier)
        self._outlives_terminal = inbox.is_to_outlive_terminal
        self._output = output
        output.attach(self._poller)
        self._poller.answers[signal.SIGUSR1] = self._reopen_logs
        self._staff = Staff(output)
        self._programs = ProgramHands(self._poller, lambda: self._generations, output, self._leave_master)
        self._fd_store = fd_store
        self._poller.add_clock(fd_store)
        self._oom = OomWatch()
        self._tally = Tally()
        self._feeds = {Command.EVENTS: Feed(_EVENTS_KEPT), Command.LOGS: output.feed}
        self._admin: Admin | None = None
        self._console: Console | None = None
        self._upgrading = Upgrading(
            belongings.program, self._poller, inbox, self._export, lambda: self._fleet.state.policy.boot
        )

    def start(
        self,
        listeners: Listeners,
        passed: Mapping[str, tuple[Listener, ...]],
        inherited: Inherited,
        first_mold: FirstMold | None,
        warm: Warm | None = None,
    ) -> int:
        """Serve; return the exit code.

        Args:
            listeners: What to listen on.
            passed: What is listened on for programs, by their names.
            inherited: What the console may listen on instead of opening it.
            first_mold: The mold of the first generation, if there is one already.
            warm: In development, a process that has imported what every worker needs.
        """
        self._first_mold = first_mold
        self._generations = Generations(Generation(1, self._settings, tuple(listeners), passed))
        policy = policy_of(self._settings, _count(self._settings))
        self._fleet = Fleet(policy, random.random, manager_of(self._belongings.notifier))
        with self._tidied_up():
            for warning in listeners.warnings:
                logger.warning(warning)
            self._open_control_socket()
            logger.info("Started master process [%d]", self._pid)
            if is_wanted(self._settings):
                self._console = new_console(self._settings, listeners, inherited, *self._for_console())
                self._console.begin()  # when it is known, and so abandoned in the child
            for warning in inherited.unused():
                logger.warning(warning)
            self._have_sockets_kept()
            if self._settings.reload.enabled:
                self._develop(warm)
            return int(self._master().run())

    def go_on(self, state: Mapping[str, Any], first: Event) -> Callable[[], int]:
        """Take over what is there; return what supervises it.

        Raises:
            Exception: It cannot be done.
        """
        self._fleet = restored_fleet(self._settings, state, manager_of(self._belongings.notifier))
        self._generations = Generations.inherit(state["generation"], self._settings)
        self._output.inherit(state.get("output"))
        self._staff.inherit(state["staff"], self._poller)
        self._programs.inherit(state.get("programs", []))
        if state["admin"] is not None:
            self._admin = Admin.inherit(
                state["admin"],
                self._about(),
                self._poller,
                feeds=self._feeds,
                settings=lambda: shown(self._settings),
            )
            self._poller.add_clock(self._admin)
        if state.get("console") is not None:
            self._console = Console.inherit(state["console"], *self._for_console())
        self._oom = OomWatch(since=state.get("oom"))
        if "tally" in state:  # an earlier srvctl has none
            self._tally.restore(state["tally"])
        master = self._master()
        if isinstance(first, Upgraded):
            self._happened(of_upgrade(first.before, first.after))

        def supervise() -> int:
            with self._tidied_up():
                return int(master.run(first))

        return supervise

    def _master(self) -> Master:
        self._chronicle = Chronicle(self._fleet.state)
        effects = self._effects()
        return Master(self._fleet, self._poller, effects, logger, self._settle, self._note_news)

    @contextlib.contextmanager
    def _tidied_up(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._upgrading.give_up()
            if self._developing is not None:
                self._developing.close()
            if self._console is not None:
                self._console.close()
            self._programs.close()
            self._output.end()
            self._poller.close()
            if self._admin is not None:
                self._admin.close()
            self._generations.close()
            remove_place(self._belongings.place)
        logger.info("Finished master process [%d]", self._pid)

    # -- an upgrade in place ---------------------------------------------------------------------------

    def _settle(self) -> Event | None:
        """Make way if that is wanted and was rehearsed; return only what kept it from that."""
        if not self._fleet.is_upgrading:
            self._upgrading.give_up()
            return None
        return self._upgrading.make_way() if self._upgrading.is_due else None

    def _export(self) -> dict[str, Any]:
        settings = self._generations.accepted.settings
        pid_file = self._pid_file
        state = {
            **handover.head(),
            **self._belongings.export(),
            "own": b64encode(pickle.dumps(Service(settings, self._instance))).decode(),
            "settings": flat(settings),
            "instance": asdict(self._instance),
            "count": self._fleet.state.policy.count,
            "generation": self._generations.export(),
            "staff": self._staff.export(),
            "programs": self._programs.export(),
            "output": self._output.export(),
            "admin": self._admin.state() if self._admin is not None else None,
            "console": self._console.export() if self._console is not None else None,
            "pid_file": [str(pid_file.path), pid_file.fd] if pid_file is not None else None,
            "fd_store": self._fd_store.export(),
            "oom": self._oom.seen,
            "tally": self._tally.export(),
            "fleet": self._fleet.export(),
        }
        return {**state, "descriptors": self._descriptors()}

    def _descriptors(self) -> list[int]:
        """Return what must stay open."""
        return [
            *self._belongings.fds(),
            *(listener.socket.fileno() for listener in self._generations),
            *self._staff.fds(),
            *self._programs.fds(),
            *self._output.fds(),
            *(self._admin.fds() if self._admin is not None else ()),
            *(self._console.fds() if self._console is not None else ()),
            *([self._pid_file.fd] if self._pid_file is not None else ()),
        ]

    # -- its parts -------------------------------------------------------------------------------------

    def _open_control_socket(self) -> None:
        wanted = self._settings.control
        control, warning = open_control_socket(
            self._instance, wanted.socket, os.environ, os.geteuid(), wanted.group
        )
        if warning:
            logger.warning("%s", warning)
        if control is None:
            if not is_wanted(self._settings):
                return
            control = ControlSocket.of_nobody(self._instance.name)  # but the console
        self._instance = replace(self._instance, name=control.name)
        self._admin = Admin(
            control, self._about(), self._poller, feeds=self._feeds, settings=lambda: shown(self._settings)
        )
        self._poller.add_clock(self._admin)

    def _about(self) -> dict[str, Any]:
        return {
            "config": self._instance.config,
            "app": self._settings.app.target,
            "binds": [listener.url for listener in self._generations.accepted.listeners],
            "started": self._belongings.started,
        }

    def _for_console(self) -> tuple[Poller, Output, Start, Callable[[socket.socket], None]]:
        def start(wire: socket.socket, pipes: Pipes | None) -> int:
            leave = partial(self._leave_for_console, pipes)
            return fork_child(leave, lambda: self._be_console(wire, pipes))

        def take(sock: socket.socket) -> None:
            adopt(self._admin, sock, self._settings.console)

        return self._poller, self._output, start, take

    def _develop(self, warm: Warm | None) -> None:
        from srvctl.developing import Developing  # noqa: PLC0415 - not for a service

        def leave() -> None:
            self._leave_master()
            self._generations.close(unlink=False)

        service = Service(self._settings, self._instance)
        self._developing = Developing(
            service, self._belongings, self._poller, leave, warm, outlives_terminal=self._outlives_terminal
        )
        self._developing.begin()  # when it is known, and so abandoned in the child

    def _effects(self) -> Effects:
        lives = Lives(
            self._be_worker, self._be_mold, self._take_first_mold, self._leave_master, self._take_spare
        )
        return Effects(
            staff=self._staff,
            births=Births(self._poller, self._staff, self._generations, lives),
            programs=self._programs,
            generations=self._generations,
            rereading=Rereading(
                self._poller, self._generations, self._read_again, _count, self._leave_master
            ),
            obituaries=Obituaries(
                _ledger(self._instance, self._settings),
                self._oom,
                logger,
                are_for_people=self._settings.reload.enabled,
            ),
            tally=self._tally,
            memory=MemoryUse(),
            lost_lines=lambda: self._output.lost,
            notifier=self._belongings.notifier,
            logger=logger,
            admin=self._admin,
            on_commit=self._obey_settings,
            on_death=self._worker_ended,
            upgrade=self._upgrading.begin,
        )

    def _obey_settings(self, generation: Generation) -> None:
        """Have this process, too, do as the settings of a reload say."""
        try:
            if generation.settings.log != self._settings.log:
                self._output.change(generation.settings.log)
                configure_logs(generation.settings.log)
        except ConfigError as error:  # a moment ago it could be opened
            logger.error("%s", error)  # noqa: TRY400 - the traceback would be our own
        self._settings = generation.settings
        self._have_sockets_kept()
        self._renew_files()
        if self._admin is not None:
            self._admin.describe(self._about())

    def _have_sockets_kept(self) -> None:
        """Have the service manager keep what is listened on, for whomever."""
        of_console = self._console.listeners if self._console is not None else ()
        self._fd_store.keep([*self._generations.accepted, *of_console])

    def _renew_files(self) -> None:
        """Put back the pid file and the control socket, where somebody has tidied them away."""
        try:
            if self._pid_file is not None:
                self._pid_file.renew()
        except (AlreadyRunning, ConfigError) as error:
            logger.error("%s", error)  # noqa: TRY400 - the traceback would be our own
        reason = self._admin.renew() if self._admin is not None else ""
        if reason:
            logger.warning("%s", reason)

    def _reopen_logs(self) -> None:
        """Go on with the files that have the names of the logs now."""
        self._output.reopen()
        self._staff.reopen_logs()

    def _take_first_mold(self) -> FirstMold | None:
        mold, self._first_mold = self._first_mold, None
        return mold

    def _take_spare(self, generation: Generation, place: Place) -> int | None:
        return self._developing.become_worker(generation, place) if self._developing is not None else None

    def _worker_ended(self, death: Death) -> None:
        self._happened(of_death(death))
        if self._developing is not None:
            self._developing.worker_ended(death.cause)

    def _note_news(self) -> None:
        for happening in self._chronicle.news(self._fleet.state):
            self._happened(happening)
        while error := self._belongings.notifier.take_error():
            logger.warning("%s", error)

    def _happened(self, happening: Mapping[str, Any]) -> None:
        self._feeds[Command.EVENTS].push({"at": round(time.time(), 3), **happening})

    # -- in a child ------------------------------------------------------------------------------------

    def _leave_for_console(self, pipes: Pipes | None) -> None:
        """Close, in the console, all that it does not need."""
        for fd in pipes.reading if pipes is not None else ():
            os.close(fd)
        self._leave_master(is_console=True)
        self._generations.close(unlink=False)
        for worker in self._staff.workers.values():
            worker.board.close()

    def _be_console(self, wire: socket.socket, pipes: Pipes | None) -> int:
        from srvctl.console.main import Outfit, live  # noqa: PLC0415 - the master never loads a loop or a parser

        listeners = self._console.listeners if self._console is not None else ()
        return live(
            Outfit(
                settings=self._settings,
                sockets=[listener.socket for listener in listeners],
                wire=wire,
                lifeline=self._belongings.lifeline.end,
                master=self._pid,
                prints=pipes.writing if pipes is not None else None,
            )
        )

    def _leave_master(self, *, is_console: bool = False) -> None:
        """Close, in a child, what belongs to the master alone; nothing is told to those it shares it with."""
        if self._console is not None:
            self._console.abandon(is_console=is_console)
        self._output.abandon()
        self._poller.close()
        self._staff.abandon()
        self._programs.abandon()
        self._upgrading.abandon()
        if self._developing is not None:
            self._developing.abandon()
        if self._admin is not None:
            self._admin.close(unlink=False)
        if self._pid_file is not None:
            self._pid_file.close()
        self._belongings.notifier.close()
        self._belongings.lifeline.let_go()

    def _read_again(self) -> Settings | str:
        """Return the settings, or what is wrong with them; a log that cannot be opened is."""
        found = self._reread()
        if not isinstance(found, str):
            try:
                configure_logs(found.log)
                log = resolved(found.log)
                check(log)
            except ConfigError as error:
                return str(error)
            found = replace(found, log=log)
        return found

    def _outfit(self, generation: Generation) -> Outfit:
        from srvctl.worker.main import Outfit  # noqa: PLC0415 - the master never loads a loop or a parser

        self._generations.leave_others(generation.number)
        if generation.number > 1 or generation.settings.log.config:  # whose handlers the master has used
            configure_logs(generation.settings.log)
        return Outfit(
            settings=generation.settings,
            sockets=[listener.socket for listener in generation.listeners],
            meeting_place=self._belongings.place,
            generation=generation.number,
            master=self._pid,
            lifeline=self._belongings.lifeline.end,
            shares=self._belongings.shares,
        )

    def _be_worker(self, generation: Generation, place: Place) -> int:
        from srvctl.worker import main  # noqa: PLC0415 - as above

        outfit = self._outfit(generation)
        if place.prints is not None:
            put_in_place(*place.prints)
        if place.apology is not None:
            return main.stand_in(outfit, place.apology, place.slot, place.channel, place.board)
        return main.serve(outfit, place.slot, place.channel, place.board)

    def _be_mold(self, generation: Generation, channel: socket.socket, prints: tuple[int, int] | None) -> int:
        from srvctl.worker.molding import Molding  # noqa: PLC0415 - as above

        outfit = self._outfit(generation)
        if prints is not None:
            put_in_place(*prints)
        return Molding(outfit).live(channel)


def manager_of(notifier: Notifier) -> Manager:
    """Return what the fleet has to know of the service manager."""
    return Manager(listens=notifier.is_kept_posted, watchdog=notifier.watchdog)


def restored_fleet(settings: Settings, state: Mapping[str, Any], manager: Manager | None = None) -> Fleet:
    """Return the fleet that another program has left.

    Raises:
        Exception: It cannot be understood.
    """
    return Fleet.restore(state["fleet"], policy_of(settings, state["count"]), random.random, manager)


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
    path, reason = first_usable(paths, os.geteuid(), is_chosen=settings.ledger.file != AUTO)
    if path is None and reason:
        logger.warning("Deaths of workers are kept in memory only: %s.", reason)
    ledger = Ledger(path, settings.ledger.size)
    ledger.prepare()
    while error := ledger.take_error():
        logger.warning("%s", error)
    return ledger
