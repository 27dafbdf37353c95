"""What a WebSocket needs of the connection that its request came on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from srvctl.worker.http.roles import CycleHost

if TYPE_CHECKING:
    from srvctl.worker.http.link import Link


class HandshakeHost(CycleHost, Protocol):
    """What a request for a WebSocket needs of its connection."""

    is_waiting: bool  #: the request is not handed to the application yet

    def give_way(self, cycle: Any, successor: Link) -> bytes:
        """Let another protocol speak on the connection from now on; return what was received for it."""
