"""Asking a server once, to see who answers. For moments that the constant load would see too late."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

from benchmarks.lifecycle.answers import Answer, AnswerReader, WrongAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT_SECONDS: Final = 10.0


def request(path: str) -> bytes:
    """Return a request after which the connection ends."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


def ask(port: int, count: int = 1, path: str = "/work?id=0", seconds: float = _TIMEOUT_SECONDS) -> set[int]:
    """Ask so many times at once, and return the process ids of those who answered in time."""
    with ExitStack() as stack:
        clients = list(_connected(port, count, stack, seconds))
        for client in clients:
            with suppress(OSError):
                client.sendall(request(path))
        answers = [_answer(client) for client in clients]
    return {answer.worker for answer in answers if answer is not None}


def _connected(port: int, count: int, stack: ExitStack, seconds: float) -> Iterator[socket.socket]:
    for _ in range(count):
        with suppress(OSError):
            yield stack.enter_context(socket.create_connection(("127.0.0.1", port), seconds))


def _answer(client: socket.socket) -> Answer | None:
    reader = AnswerReader()
    with suppress(OSError, WrongAnswer):
        while data := client.recv(4096):
            answer = reader.feed(data)
            if answer is not None:
                return answer
    return None
