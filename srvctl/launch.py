"""The composition root: a service begins here, or goes on where an upgrade or another program has left it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from srvctl.ipc import naming
from srvctl.ipc.naming import name_process
from srvctl.settings.binds import all_binds, binds_of
from srvctl.settings.development import for_development
from srvctl.settings.log_setup import captures, configure_logs
from srvctl.supervisor.belongings import Belongings
from srvctl.supervisor.births import FirstMold
from srvctl.supervisor.fd_store import FdStore
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.output.destinations import resolved
from srvctl.supervisor.output.output import Output
from srvctl.supervisor.parentage import objection, parent
from srvctl.supervisor.pidfile import PidFile
from srvctl.supervisor.programs.passed import Wanted
from srvctl.supervisor.provenance import START
from srvctl.supervisor.signals import SignalInbox
from srvctl.supervisor.sockets import open_listeners
from srvctl.supervisor.subreaper import become_subreaper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.ipc.warm import Warm
    from srvctl.settings.groups import Settings
    from srvctl.settings.service import Service
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.listeners import Listeners

logger = logging.getLogger("srvctl.error")


def serve(service: Service, reread: Callable[[], Settings | str], warm: Warm | None = None) -> int:
    """Open the sockets, supervise the workers, and return the exit code once everything has ended.

    Args:
        service: What to serve.
        reread: Reads the settings anew, in a child; returns them, or what is wrong with them.
        warm: A process that has imported what every worker needs; becomes the first mold or, in development,
            the first worker, or is ended.

    Raises:
        BindError: A socket cannot be opened.
        ConfigError: The pid file or the log cannot be written.
        AlreadyRunning: The instance runs already.
    """
    settings = for_development(service.settings)
    service = replace(service, settings=settings)
    configure_logs(settings.log)
    output = Output(resolved(settings.log), captures=captures(settings))
    output.take_streams()
    try:
        return _serve(service, reread, warm, output)
    finally:
        output.close()


def _serve(service: Service, reread: Callable[[], Settings | str], warm: Warm | None, output: Output) -> int:
    settings = service.settings
    inbox = SignalInbox()  # before anything else: from here on a signal is never lost and never fatal
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))  # held back by `resolve`
    become_subreaper()
    name_process(naming.MASTER)
    pid_file = PidFile.take(settings.server.pid_file) if settings.server.pid_file is not None else None
    if pid_file is not None and pid_file.warning:
        logger.warning("%s", pid_file.warning)
    try:
        belongings = Belongings.fresh(os.environ, for_others=_have_workers_another_user(settings))
        if belongings.started != START and (warning := objection(parent())):
            logger.warning("%s", warning)
        inherited = Inherited.from_environ(os.environ)
        fd_store = FdStore.from_environ(belongings.notifier, os.environ, inherited.stored.names)
        inherited.stored.give_up_others(all_binds(settings))
        programs = Wanted(settings)
        opened = open_listeners(
            [*binds_of(settings.server), *programs.missing], settings.server.backlog, inherited
        )
        listeners, passed = programs.put_together(opened)
        if settings.tls.certfile is not None:
            listeners.speak_tls()
        spare = warm if settings.reload.enabled else None
        mold = None
        if warm is not None and spare is None:
            mold = _begin_mold(settings, listeners, belongings, warm, output)
        from srvctl.assembly import Assembly  # noqa: PLC0415 - loads while the mold imports the application

        assembly = Assembly(service, reread, inbox, pid_file, belongings, output, fd_store)
        return assembly.start(listeners, passed, inherited, mold, spare)
    finally:
        if pid_file is not None:
            pid_file.release()


def rehearse(service: Service, state: Mapping[str, Any]) -> None:
    """Do of `go_on` what can be done beside the program that is still there.

    Raises:
        Exception: It cannot be gone on with.
    """
    from srvctl.assembly import restored_fleet  # noqa: PLC0415 - as in `serve`

    restored_fleet(service.settings, state)


def go_on(
    service: Service, reread: Callable[[], Settings | str], state: Mapping[str, Any], first: Event
) -> Callable[[], int]:
    """Put together again what the program that this process ran before has left; all signals are blocked.

    Args:
        service: What it served, with the settings its workers have.
        reread: As for `serve`.
        state: What it left.
        first: What the fleet is to be told.

    Returns:
        What supervises the workers, and returns the exit code, as `serve` does.

    Raises:
        Exception: It cannot be done; whoever asked must not let go of the descriptors then.
    """
    configure_logs(service.settings.log)
    output = Output.of_heir(service.settings.log, captures=captures(service.settings))
    output.take_streams()
    inbox = SignalInbox()
    become_subreaper()
    name_process(naming.MASTER)
    pid_file = PidFile.inherit(*state["pid_file"]) if state["pid_file"] is not None else None
    from srvctl.assembly import Assembly  # noqa: PLC0415 - as in `serve`

    belongings = Belongings.inherit(state)
    fd_store = FdStore.inherit(belongings.notifier, state.get("fd_store"))
    instance = Assembly(service, reread, inbox, pid_file, belongings, output, fd_store)
    supervise = instance.go_on(state, first)

    def run() -> int:
        try:
            os.kill(os.getpid(), signal.SIGCHLD)  # somebody may have died meanwhile
            signal.pthread_sigmask(signal.SIG_SETMASK, state["mask"])
            return supervise()
        finally:
            if pid_file is not None:
                pid_file.release()
            output.close()

    return run


def _begin_mold(
    settings: Settings, listeners: Listeners, belongings: Belongings, warm: Warm, output: Output
) -> FirstMold | None:
    """Have a warm process become the first mold, if one is wanted, before the master is complete itself.

    Returns:
        The mold; None if it did not.
    """
    if settings.workers.preload != "off":
        with contextlib.suppress(OSError), contextlib.ExitStack() as undo:  # it is gone, or there is no room
            pipes = output.make_pipes()
            if pipes is not None:
                undo.callback(pipes.close)
            prints = pipes.writing if pipes is not None else ()
            own = [belongings.lifeline.end, belongings.shares, *prints]
            warm.become(
                "srvctl.worker.warmed:live",
                [settings, belongings.place, 1, os.getpid(), dict(os.environ)],
                [*own, *(listener.socket.fileno() for listener in listeners)],
            )
            undo.pop_all()
            if pipes is None:
                return FirstMold(warm.pid, warm.channel)
            pipes.close_writing()
            return FirstMold(warm.pid, warm.channel, pipes.reading)
    warm.end()
    return None


def _have_workers_another_user(settings: Settings) -> bool:
    return settings.workers.user is not None and os.geteuid() == 0  # anybody else cannot change it
