"""Headers of the PROXY protocol, and what clients of a server behind one do."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import TYPE_CHECKING, Any

import psutil

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from tests.support.client import Connection
    from tests.support.server import ServerProcess

MIRROR = "tests.support.apps.mirror:app"
ON = ["--proxy-protocol", "on"]
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 4096 443\r\n"
START_V2 = b"\r\n\r\n\0\r\nQUIT\n"
ENDS = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4096, 443)
CLIENT, DESTINATION = ["203.0.113.7", 4096], ["192.0.2.1", 443]
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def v2(block: bytes = ENDS, *, command: int = 0x21, family: int = 0x11) -> bytes:
    return START_V2 + struct.pack("!BBH", command, family, len(block)) + block


TLS_V2 = v2(ENDS + b"\x20\0\5" + b"\x01\0\0\0\0")  # the piece PP2_TYPE_SSL, with PP2_CLIENT_SSL


def read_seen(connection: Connection) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(connection.read_response().body)
    return told


def ask(server: ServerProcess, header: bytes, request: bytes = GET) -> dict[str, Any]:
    with server.connect() as client:
        client.send(header + request)
        return read_seen(client)


def is_dropped(connection: Connection) -> bool:
    """Wait until the server ends the connection; return whether it said nothing."""
    try:
        return connection.read_until_end() == b""
    except ConnectionError:
        return True


def descriptors(pid: int) -> int:
    return int(psutil.Process(pid).num_fds())


def wait_descriptors(pid: int, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while descriptors(pid) != count:
        if time.monotonic() > deadline:
            raise NeverHappened(f"{descriptors(pid)} descriptors are open, not {count}")
        time.sleep(0.01)
