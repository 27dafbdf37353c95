"""`serve`: a server for as long as an ``async with`` lasts, as tests want one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from srvctl.embedding.config import Config, names
from srvctl.embedding.server import Server
from srvctl.embedding.signature import takes_what

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@takes_what(Config)
@asynccontextmanager
async def serve(*values: Any, **keywords: Any) -> AsyncIterator[Server]:
    """Serve in the loop that runs; gives the `Server`, whose ``url`` says where.

    Takes the keywords of `Config`. The port is any free one unless one is given; logging is left as it is
    unless ``log_config`` is given; signals are left alone. At the end, also by an exception or cancellation,
    running requests are waited for and the application is shut down; a second cancellation waits for nothing.

    Raises:
        SrvctlError: The application failed to start, or an address or a setting is wrong.
    """
    given: dict[str, Any] = dict(zip(names(), values, strict=False)) | keywords
    # Clients that keep idle connections are in the same process, and know when they are done.
    own = {"timeouts.drain_idle": 0, **(given.get("settings") or {})}
    if not any(given.get(way) is not None for way in ("port", "uds", "fd")) and "server.bind" not in own:
        given["port"] = 0
    given = {"log_config": None, **given, "settings": own}

    server = Server(Config(**given))
    await server.begin()
    try:
        yield server
    finally:
        server.should_exit = True
        await _shut_down(server)


async def _shut_down(server: Server) -> None:
    ending = asyncio.ensure_future(server.shutdown())
    try:
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        server.force_exit = True
        await ending
        raise
