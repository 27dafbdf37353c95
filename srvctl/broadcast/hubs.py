"""Which hub a call means: that of the worker, or outside a server one for each event loop.

A worker has one hub, joined with those of the other workers; it belongs to the worker's own loop. A call from
another loop in a worker is refused, since a message that silently reached nobody would be worse. Without a
server every loop has a hub of its own, which goes with it: tests do not hear each other.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final
from weakref import WeakKeyDictionary

from srvctl.broadcast.hub import Hub


class _Served:
    """The hub of this worker; both are None outside one."""

    hub: Hub | None = None
    loop: asyncio.AbstractEventLoop | None = None


_served: Final = _Served()
_hubs: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]] = WeakKeyDictionary()
_hubs_lock: Final = threading.Lock()  # loops of several threads may look for theirs at the same time


def serve(hub: Hub | None) -> None:
    """Make a hub that of this process, for the loop that runs; None ends that."""
    _served.hub = hub
    _served.loop = asyncio.get_running_loop() if hub is not None else None


def current() -> Hub:
    """Return the hub of the loop that runs.

    Raises:
        RuntimeError: No loop runs, or this is a worker and the loop is not its own.
    """
    loop = asyncio.get_running_loop()
    if loop is _served.loop and _served.hub is not None:
        return _served.hub
    if _served.hub is not None:
        raise RuntimeError(
            "Broadcast belongs to the worker's event loop, and this is another one; from here use "
            "asyncio.run_coroutine_threadsafe(publish(...), loop) with the loop that calls the application."
        )
    with _hubs_lock:
        hub = _hubs.get(loop)
        if hub is None:
            from srvctl.settings.groups.broadcast import BroadcastSettings  # noqa: PLC0415 - rarely needed

            for gone in [other for other in _hubs if other.is_closed()]:  # timers of theirs may hold them
                del _hubs[gone]
            hub = _hubs[loop] = Hub(BroadcastSettings())
    return hub
