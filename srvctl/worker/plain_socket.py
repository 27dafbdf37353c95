"""Sockets that tell their family and type as plain numbers.

`socket.socket` looks for a member of an enumeration whenever it is asked, and for each connection it is asked
several times: the listener by `accept`, what was accepted by event loops.
"""

from __future__ import annotations

import socket
from typing import Any


class PlainSocket(socket.socket):
    """A socket, as is what it accepts."""

    __slots__ = ()

    family = socket.SocketType.family  # type: ignore[assignment]
    type = socket.SocketType.type  # type: ignore[assignment]

    def accept(self) -> tuple[PlainSocket, Any]:
        """Accept a connection; it blocks, unless the process has another default, as with `socket.socket`.

        Raises:
            OSError: See accept(2).
        """
        # What the standard library's own `accept` calls, and those that others have written in its place.
        fd, address = self._accept()  # type: ignore[attr-defined]
        return PlainSocket(self.family, self.type, self.proto, fd), address
