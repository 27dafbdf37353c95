"""Ports that are named before anybody listens there."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack


def reserve_port(stack: ExitStack) -> int:
    """Return a port of 127.0.0.1 that the kernel gives to nobody who asks for any, until the stack is closed.

    It is bound and nobody listens: who connects is refused. Who names it and sets SO_REUSEADDR, as srvctl
    does, may listen there.
    """
    sock = stack.enter_context(socket.socket())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    port: int = sock.getsockname()[1]
    return port
