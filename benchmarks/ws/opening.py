"""Opening and closing many WebSockets, with nothing left half done."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from benchmarks.errors import WrongAnswerError
from benchmarks.ws.connection import Connection
from benchmarks.ws.handshake import request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.ws.script import Script

#: Asked for at once: fewer than fit into the smallest backlog of the servers, which is hypercorn's 100.
_AT_ONCE: Final = 50
#: Of one address of ours: well below the number of ports there are for outgoing connections.
_PER_ADDRESS: Final = 5000
_TIMEOUT_SECONDS: Final = 20.0
_CLOSE_SECONDS: Final = 5.0


@contextmanager
def opened(count: int, port: int, path: str, script: Script) -> Iterator[list[Connection]]:
    """Yield so many connections, each of which has had one right reply; close them as the protocol has it.

    Raises:
        WrongAnswerError: One of them was not opened, or had no or a wrong reply.
    """
    with ExitStack() as stack:
        connections: list[Connection] = []
        try:
            while len(connections) < count:
                wanted = range(len(connections), min(count, len(connections) + _AT_ONCE))
                some = [Connection(_connected(port, number), script) for number in wanted]
                for connection in some:
                    stack.callback(connection.close)
                connections += some
                _open(some, request(port, path, offers_deflate=script.is_compressed))
        except OSError as error:
            raise WrongAnswerError(f"Connection {len(connections)} was not opened: {error!r}.") from error
        for connection in connections:
            connection.leave_blocking()
        yield connections
        _close(connections)


def _connected(port: int, number: int) -> socket.socket:
    source = f"127.0.0.{1 + number // _PER_ADDRESS}"
    return socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS, source_address=(source, 0))


def _open(connections: list[Connection], handshake: bytes) -> None:
    """Take each step with all of them before the next one: only the server is waited for."""
    for connection in connections:
        connection.ask(handshake)
    for connection in connections:
        connection.wait_until_open()
        connection.say()
    for connection in connections:
        connection.wait_for_reply()


def _close(connections: list[Connection]) -> None:
    """Close in order, so that what closing costs is not paid in somebody else's round."""
    for connection in connections:
        with suppress(OSError):
            connection.say_goodbye()
    seconds = _CLOSE_SECONDS
    for connection in connections:
        try:
            connection.wait_until_closed(seconds)
        except TimeoutError:
            seconds = 0.1  # whoever lets one wait lets all of them wait
        except OSError:
            pass
