"""Joins a worker with the others, from before its application starts until after it has shut down."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from srvctl.broadcast import hubs
from srvctl.broadcast.hub import Hub
from srvctl.broadcast.mesh import Mesh
from srvctl.errors import AppError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from srvctl.settings.groups.broadcast import BroadcastSettings


def check_installed(settings: BroadcastSettings) -> None:
    """Check that there is a client for the server that the settings name.

    Raises:
        AppError: There is none.
    """
    if settings.url and find_spec("redis") is None:
        scheme = settings.url.partition("://")[0]
        raise AppError(
            f"broadcast.url is {scheme}://..., but the package redis is not installed; "
            "install srvctl[redis], or remove the setting."
        )


@asynccontextmanager
async def joined(settings: BroadcastSettings, place: str) -> AsyncIterator[None]:
    """Have `publish` and `subscribe` reach other workers.

    Args:
        settings: How, and the limits.
        place: The directory in which the workers of this master meet.
    """
    hub = Hub(settings)
    if settings.url:
        from srvctl.broadcast.redis_link import RedisLink  # noqa: PLC0415 - the client is optional

        hub.link = link = RedisLink(hub)
        await link.start()
    else:
        hub.link = Mesh(hub, place)
    hubs.serve(hub)
    try:
        yield
    finally:
        await hub.close()
        hubs.serve(None)
