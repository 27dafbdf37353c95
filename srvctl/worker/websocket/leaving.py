"""When the WebSockets of a worker that ends are closed: one after the other.

Clients connect again as soon as they are told to. If all were told at once, all would come back at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.worker.websocket.connection import WebSocketConnection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.http.link import Link

_GAP: Final = 0.05  #: seconds from one to the next where that is soon enough; a few are gone at once


def leave_times(count: int, start: float, spread: float) -> list[float]:
    """Return when each of so many is closed.

    Args:
        count: How many.
        start: When the first is.
        spread: Seconds in which all are.
    """
    gap = min(_GAP, spread / count) if count else 0.0
    return [start + gap * number for number in range(count)]


def spread_leaves(connections: Iterable[Link], start: float, spread: float) -> None:
    """Tell each WebSocket among the connections when it is to be closed, the oldest one first."""
    sockets = [connection for connection in connections if isinstance(connection, WebSocketConnection)]
    for socket, time in zip(sockets, leave_times(len(sockets), start, spread), strict=True):
        socket.leave_at = time
