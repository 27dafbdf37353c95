"""Sends figures where the settings say, as often as they say, and says once when that begins to fail.

Called by `main`. A server that is away, slow or does not exist costs a line in the log and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from srvctl.console.statsd import Changes, Statsd, datagrams
from srvctl.settings.console_checks import parse_statsd

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from srvctl.console.watching import Watching
    from srvctl.settings.groups import MetricsSettings

    #: Sends an answer of the master; returns what went wrong, or nothing.
    Deliver = Callable[[Mapping[str, Any]], Awaitable[str]]

logger = logging.getLogger("srvctl.error")


def sending(metrics: MetricsSettings, watching: Watching) -> Iterator[asyncio.Task[None]]:
    """Start and yield the tasks that send figures, in the loop that runs.

    Args:
        metrics: Where and how often.
        watching: What there is to send.
    """
    if metrics.statsd is not None:
        deliver = _statsd(*parse_statsd(metrics.statsd), metrics.prefix)
        yield asyncio.create_task(_send(deliver, f"StatsD at {metrics.statsd}", metrics.interval, watching))
    if metrics.otlp is not None:
        deliver = _otlp(metrics.otlp)
        yield asyncio.create_task(_send(deliver, metrics.otlp, metrics.interval, watching))


def _statsd(host: str, port: int, prefix: str) -> Deliver:
    changes, server = Changes(prefix), Statsd(host, port)

    async def deliver(answer: Mapping[str, Any]) -> str:
        try:
            await server.send(datagrams(changes.lines(answer)))
        except OSError as error:
            return error.strerror or str(error)
        return ""

    return deliver


def _otlp(url: str) -> Deliver:
    from srvctl.console.otlp import Otlp  # noqa: PLC0415 - an extra, and it takes a while to load

    otlp = Otlp(url)

    async def deliver(answer: Mapping[str, Any]) -> str:
        arrived = await asyncio.to_thread(otlp.deliver, answer)
        return "" if arrived else "it does not take them, or cannot be reached"

    return deliver


async def _send(deliver: Deliver, where: str, interval: float, watching: Watching) -> None:
    loop = asyncio.get_running_loop()
    due, was_wrong = loop.time(), ""
    while True:
        answer = await watching.answer()
        if answer is not None:
            wrong = await _tried(deliver, answer)
            if wrong and not was_wrong:
                logger.warning("Figures do not reach %s: %s. Trying on.", where, wrong)
            elif was_wrong and not wrong:
                logger.info("Figures reach %s again.", where)
            was_wrong = wrong
        due = max(due + interval, loop.time())
        await asyncio.sleep(due - loop.time())


async def _tried(deliver: Deliver, answer: Mapping[str, Any]) -> str:
    try:
        return await deliver(answer)
    except Exception as error:  # noqa: BLE001 - a library's or a figure's: it must not end the others
        return repr(error)
