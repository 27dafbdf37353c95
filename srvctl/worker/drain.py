"""How a worker ends: in phases, so that each request gets the end it deserves.

1. No more connections; those that idle are closed, running responses say ``Connection: close``.
2. Event streams, which would go on for ever, are told that their client left, and closed a second later: it
   will connect again, to another worker.
3. At the end of the grace all other applications are told that their client left.
4. Whoever does not end by itself then is cancelled.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.server import Server

#: Seconds for those who were told that their client left, and for those who were cancelled. The master
#: waits for them as well before it kills.
LAST_STEP: Final = 1.0


async def drain(server: Server, *, last: bool) -> None:
    """Return when every request is answered or the time for that is over.

    Args:
        server: Is to be closed afterwards.
        last: Nobody takes over the listeners: what the kernel has queued on them is served first.
    """
    timeouts, logger = server.timeouts, server.logger
    end = server.now() + timeouts.graceful_shutdown
    await server.stop_accepting(last=last)
    if busy := len(server.busy_runners()):
        hint = " (CTRL+C to force quit)" if last else ""
        logger.info("Waiting for %d request%s to finish.%s", busy, "s" * (busy > 1), hint)
    await server.wait_until_quiet(min(timeouts.stream_shutdown, timeouts.graceful_shutdown))
    if _tell_disconnected(server, lambda cycle: cycle.is_event_stream):
        await server.wait_until_quiet(min(LAST_STEP, end - server.now()))
        for connection in list(server.connections):
            connection.end_event_stream()
    await server.wait_until_quiet(end - server.now())
    if _tell_disconnected(server, lambda _: True):
        await server.wait_until_quiet(LAST_STEP)
    await _cancel(server)


def _tell_disconnected(server: Server, applies: Callable[[RequestCycle], bool]) -> int:
    """Tell the applications of running requests that the client left, so that they end by themselves."""
    told = [cycle for connection in server.connections for cycle in connection.cycles if applies(cycle)]
    for cycle in told:
        cycle.client_finished()
    return len(told)


async def _cancel(server: Server) -> None:
    tasks = [runner.task for runner in server.busy_runners()]
    if not tasks:
        return
    server.logger.error("Cancel %d running task(s), timeout graceful shutdown exceeded", len(tasks))
    for task in tasks:
        task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
    await asyncio.wait(tasks, timeout=LAST_STEP)
