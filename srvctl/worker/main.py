"""The life of a worker process, from its fork to its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from srvctl.errors import AppError, ExitCode
from srvctl.hooks import HookContext
from srvctl.ipc import forking
from srvctl.ipc.channel import Failed
from srvctl.ipc.lifeline import hold
from srvctl.ipc.naming import WORKER, name_process
from srvctl.logs.json_lines import this_is
from srvctl.logs.setup import reopen_requests
from srvctl.settings.groups import AppSettings, HookSettings
from srvctl.worker import last_words, privileges
from srvctl.worker.env_file import load_env_file
from srvctl.worker.hooks import Hooks
from srvctl.worker.loading import Loaded, load_all
from srvctl.worker.loops import is_users_own, loop_factory_of
from srvctl.worker.obeying import Worker
from srvctl.worker.saying import say

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from srvctl.ipc.channel import Apology
    from srvctl.settings.groups import Settings
    from srvctl.worker.http.cycle import Application

logger = logging.getLogger("srvctl.error")


@dataclass(frozen=True, slots=True)
class Outfit:
    """What the workers of one generation share.

    Attributes:
        settings: What to serve and how.
        sockets: The inherited listeners.
        meeting_place: The directory in which the workers of this master find each other.
        generation: Its number.
        master: Process id of the master.
        lifeline: Descriptor whose other end only the master holds.
        shares: Descriptor of the table of all workers' connections; None without one.
    """

    settings: Settings
    sockets: Sequence[socket.socket]
    meeting_place: str
    generation: int
    master: int
    lifeline: int
    shares: int | None = None

    def context(self, slot: int | None) -> HookContext:
        """Return what hooks are told."""
        return HookContext(slot=slot, generation=self.generation)


def serve(outfit: Outfit, slot: int, channel: socket.socket, board: int) -> int:
    """Import the application and serve it until the master or a signal asks to stop; return the exit code.

    Args:
        outfit: What all workers are given.
        slot: The worker's place.
        channel: The connection to the master.
        board: Descriptor of the worker's board.
    """

    def load() -> Loaded:
        privileges.settle(outfit.settings.workers, slot, outfit.generation)  # before there is any thread
        become_user(outfit)
        _see_what_was_saved(outfit)
        loaded = load_all(outfit.settings)
        loaded.hooks.call("on_boot", outfit.context(slot))
        return replace(loaded, application=_refreshing(loaded.application, outfit))

    return _serve(outfit, slot, channel, board, load)


def serve_loaded(outfit: Outfit, loaded: Loaded, slot: int, channel: socket.socket, board: int) -> int:
    """Serve what a mold has imported, in a process that it has forked; return the exit code.

    Args:
        outfit: What all workers are given.
        loaded: What was imported.
        slot: The worker's place.
        channel: The connection to the master.
        board: Descriptor of the worker's board.
    """

    def settle() -> Loaded:
        privileges.settle(outfit.settings.workers, slot, outfit.generation)
        return loaded

    return _serve(outfit, slot, channel, board, settle)


def stand_in(outfit: Outfit, apology: Apology, slot: int, channel: socket.socket, board: int) -> int:
    """Serve a page that shows why the application cannot be served, in development; return the exit code.

    Args:
        outfit: What all workers are given; nothing of the application's own is touched.
        apology: What is shown, until the master says otherwise.
        slot: The worker's place.
        channel: The connection to the master.
        board: Descriptor of the worker's board.
    """
    from srvctl.dev.error_page import ErrorPage  # noqa: PLC0415 - not for a service

    page = ErrorPage(apology.message, apology.details)
    quiet = replace(
        outfit.settings,
        app=AppSettings(lifespan="off"),
        hooks=HookSettings(),
        workers=replace(outfit.settings.workers, loop="auto"),
    )
    calm = replace(outfit, settings=quiet)

    def load() -> Loaded:
        return Loaded(_refreshing(page, calm), Hooks(quiet.hooks))

    return _serve(calm, slot, channel, board, load, page.show)


def become_user(outfit: Outfit) -> None:
    """Take on the user and the limits of the workers, and before that the variables, which may be secret.

    Raises:
        AppError: The kernel refuses, or the file of variables cannot be used.
    """
    load_env_file(outfit.settings.app)
    privileges.become(outfit.settings.workers, lambda: forking.die_with(outfit.master))


def _see_what_was_saved(outfit: Outfit) -> None:
    """Import, in development, no byte code of older sources."""
    if outfit.settings.reload.enabled:
        from srvctl.dev.bytecode import distrust_fresh_files  # noqa: PLC0415 - not for a service

        distrust_fresh_files()


def _refreshing(application: Application, outfit: Outfit) -> Application:
    """Return the application, in development with pages that reload themselves."""
    reload = outfit.settings.reload
    if not (reload.enabled and reload.browser):
        return application
    from srvctl.dev.browser import keep_out_of_access_log, refreshing  # noqa: PLC0415 - not for a service

    keep_out_of_access_log()
    return refreshing(application, outfit.generation)


def _show_nothing(_message: str, _details: str) -> None:
    pass


def _serve(
    outfit: Outfit,
    slot: int,
    channel: socket.socket,
    board: int,
    load: Callable[[], Loaded],
    show: Callable[[str, str], None] = _show_nothing,
) -> int:
    pid = os.getpid()
    name_process(WORKER)
    hold(outfit.lifeline)
    cells = last_words.begin(board)
    this_is(slot, outfit.generation)
    reopen_requests()
    logger.info("Started worker process [%d]", pid)
    try:
        loop = outfit.settings.workers.loop
        if not is_users_own(loop):
            loop_factory_of(loop)  # imports it before the process has a user who may not read it
        loaded = load()
        loop_factory = loop_factory_of(loop, outfit.settings.app.dir)
        context = outfit.context(slot)
        loaded.hooks.call("post_fork", context)
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            worker = Worker(outfit.settings, loaded, context, channel, cells, show, outfit.shares)
            runner.run(worker.run(outfit.sockets, outfit.meeting_place))
    except AppError as error:
        channel.setblocking(True)  # a long traceback may not fit at once, and the master always reads
        say(channel, Failed(str(error), error.details))
        return ExitCode.NEVER_UP
    logger.info("Finished worker process [%d]", pid)
    return ExitCode.OK
