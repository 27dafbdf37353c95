"""What is true of connections, seen from outside: whether an answer has come, how many a worker has."""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import TYPE_CHECKING

import psutil

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from tests.support.client import Connection
    from tests.support.server import ServerProcess


def has_answer(client: Connection, seconds: float = 0.0) -> bool:
    """Return whether something, or the end, has come or comes within this time."""
    return bool(select.select([client.socket], [], [], seconds)[0])


def reset(client: Connection) -> None:
    """Leave in a way that nobody can take for a client that still reads."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


def count_connections(server: ServerProcess) -> int:
    """Return how many connections the only worker has."""
    [worker] = server.workers()
    every = psutil.Process(worker).net_connections("tcp")
    return sum(each.status != psutil.CONN_LISTEN and each.laddr.port == server.port for each in every)


def wait_connections(server: ServerProcess, count: int) -> None:
    """Wait until the only worker has so many connections."""
    deadline = time.monotonic() + PATIENCE
    while (found := count_connections(server)) != count:
        if time.monotonic() > deadline:
            raise NeverHappened(f"the worker has {found} connections")
        time.sleep(0.01)
