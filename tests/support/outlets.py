"""What tests of the log need where it goes to files and sockets: waits for what comes there."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path


def wait_for(is_so: Callable[[], object], what: str) -> None:
    """Look again and again, until something is so: files tell nobody that they change."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise NeverHappened(what)
        time.sleep(0.01)


def wait_text(file: Path, pattern: str) -> re.Match[str]:
    """Wait until a file has a text, and return the match."""
    found: list[re.Match[str] | None] = [None]

    def is_there() -> bool:
        text = file.read_text() if file.exists() else ""
        found[0] = re.search(pattern, text, re.MULTILINE)
        return found[0] is not None

    wait_for(is_there, f"no {pattern!r} in {file}")
    assert found[0] is not None
    return found[0]


def received(sock: socket.socket, part: bytes) -> bytes:
    """Return the next datagram that has this in it."""
    while part not in (data := sock.recv(65536)):
        pass
    return data


def port_in(text: str | bytes) -> int:
    """Return the port that the line with the address names."""
    match = re.search(r":(\d+) \(Press", text if isinstance(text, str) else text.decode())
    assert match is not None
    return int(match[1])
