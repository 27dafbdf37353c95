"""The life of the console's process: its privileges, its loop, its server, and what it sends by itself.

Forked by the master (`srvctl.supervisor.console`), which ends it by SIGKILL when everything else has ended:
until then ``/readyz`` tells how far the end is. So it ignores what a terminal or a service manager sends to
the whole group, and it has nothing to tidy up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from srvctl.console.app import App
from srvctl.console.live import Live
from srvctl.console.sending import sending
from srvctl.console.upstream import Upstream
from srvctl.console.watching import Watching
from srvctl.errors import AppError, ExitCode
from srvctl.ipc import forking
from srvctl.ipc.lifeline import hold
from srvctl.ipc.naming import CONSOLE, name_process
from srvctl.logs.loggers import switch_off_requests
from srvctl.logs.streams import put_in_place
from srvctl.settings.console_token import SecretError, token_of
from srvctl.settings.groups import (
    AppSettings,
    HttpSettings,
    LimitSettings,
    Settings,
    TimeoutSettings,
    WorkersSettings,
    WsSettings,
)
from srvctl.worker import privileges
from srvctl.worker.loops import is_users_own, loop_factory_of
from srvctl.worker.serving import Serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from types import FrameType

logger = logging.getLogger("srvctl.error")

_MOST_BODY: Final = 64 * 1024
#: How the console is served, whatever the settings say about the application.
SERVED: Final = Settings(
    app=AppSettings(lifespan="off"),
    ws=WsSettings(protocol="none"),
    http=HttpSettings(server_header=False),
    limits=LimitSettings(request_body_size=_MOST_BODY, concurrency=256),
    # Prometheus keeps its connection from one scrape to the next.
    timeouts=TimeoutSettings(keep_alive=75.0, request_head=10.0, request_body=10.0, write_stall=20.0),
)


@dataclass(frozen=True, slots=True)
class Outfit:
    """What the console is given.

    Attributes:
        settings: Of the instance.
        sockets: What it listens on; none if it only sends figures.
        wire: To the master.
        lifeline: Descriptor whose other end only the master holds.
        master: Process id of the master.
        prints: What stdout and stderr are to be; None if they stay what they are.
    """

    settings: Settings
    sockets: Sequence[socket.socket]
    wire: socket.socket
    lifeline: int
    master: int
    prints: tuple[int, int] | None = None


def live(outfit: Outfit) -> int:
    """Be the console until the master ends it; return the exit code if it cannot be one."""
    if outfit.prints is not None:
        put_in_place(*outfit.prints)
    name_process(CONSOLE)
    hold(outfit.lifeline)
    signal.signal(signal.SIGTERM, _leave_it_to_the_master)
    switch_off_requests()
    try:
        token = token_of(outfit.settings.console)  # before it becomes a user who may not read it
    except SecretError as error:
        logger.error("The console only shows: %s", error)  # noqa: TRY400 - the traceback would be our own
        token = None
    try:
        _become_user(outfit)
        loop = outfit.settings.workers.loop
        with asyncio.Runner(loop_factory=loop_factory_of("auto" if is_users_own(loop) else loop)) as runner:
            runner.run(_serve(outfit, token))
    except AppError as error:
        logger.error("The console cannot be served: %s", error)  # noqa: TRY400 - as above
        return ExitCode.NEVER_UP
    return ExitCode.OK


def _become_user(outfit: Outfit) -> None:
    """Become the user of the workers; their limits are not for the console."""
    workers = outfit.settings.workers
    own = WorkersSettings(
        user=workers.user,
        group=workers.group,
        supplementary_groups=workers.supplementary_groups,
        oom_score=workers.oom_score,
        no_new_privs=workers.no_new_privs,
    )
    privileges.become(own, lambda: forking.die_with(outfit.master))


async def _serve(outfit: Outfit, token: str | None) -> None:
    upstream = Upstream(outfit.wire)
    # The master says nothing over the wire, so what can be read is its end.
    asyncio.get_running_loop().add_reader(outfit.wire, os._exit, ExitCode.OK)
    watching = Watching(upstream)
    app = App(outfit.settings.console, token, upstream, watching, Live(upstream, watching))
    async with contextlib.AsyncExitStack() as stack:
        for task in sending(outfit.settings.metrics, watching):
            stack.callback(task.cancel)
        serving = Serving(app, replace(SERVED, log=outfit.settings.log))
        serving.listen(outfit.sockets)
        await asyncio.Event().wait()


def _leave_it_to_the_master(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""
