"""Broadcast in an embedded server: within its loop by itself, beyond that only through Redis.

A program that embeds servers has no worker processes, so there is nobody for the mesh to find. Each event
loop has channels of its own (`srvctl.broadcast.hubs`), which all servers in it share; with ``broadcast.url``
the one server that says so reaches other processes.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from srvctl.broadcast.serving import joined
from srvctl.errors import AppError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from srvctl.settings.groups import BroadcastSettings


class _Links:
    """How many servers of this process reach others; a hub belongs to the process."""

    count = 0


_links: Final = _Links()


@asynccontextmanager
async def linked(settings: BroadcastSettings) -> AsyncIterator[None]:
    """Have `publish` and `subscribe` reach other processes, if there is a server that carries messages.

    Raises:
        AppError: Another server in this process has asked for that.
    """
    if not settings.url:
        yield
        return
    if _links.count:
        raise AppError(
            "broadcast.url: another server in this process uses it; start one server in a process."
        )
    _links.count += 1
    try:
        async with joined(settings, ""):
            yield
    finally:
        _links.count -= 1
