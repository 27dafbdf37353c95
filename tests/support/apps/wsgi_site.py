"""A WSGI application that reads slowly, writes much, waits and fails, as a test tells it."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Iterator


MADE = [0]  #: how many pieces of the last response


def _wait_at(port: str) -> None:
    """Wait at the test's gate, in this thread."""
    with socket.create_connection(("127.0.0.1", int(port))) as sock:
        sock.sendall(b"%d\n" % os.getpid())
        sock.recv(1)


def _digest(file: Any, query: dict[str, str]) -> Iterator[bytes]:
    """Read the body once the gate is open; say its size and digest."""
    _wait_at(query["gate"])
    digest, size = hashlib.sha256(), 0
    while piece := file.read(65536):
        digest.update(piece)
        size += len(piece)
    yield f"{size} {digest.hexdigest()}".encode()


def _pieces(query: dict[str, str]) -> Iterator[bytes]:
    """Send so many pieces of so many bytes, each of its number; say on stderr how many were taken."""
    number = 0
    try:
        for number in range(int(query["count"])):
            MADE[0] = number + 1
            yield number.to_bytes(8, "big") * (int(query["size"]) // 8)
    finally:
        print("the iterator was closed at piece", number, file=sys.stderr, flush=True)


def _held(query: dict[str, str]) -> Iterator[bytes]:
    _wait_at(query["gate"])
    yield b"held"


def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    query = dict(parse_qsl(environ["QUERY_STRING"]))
    path = environ["PATH_INFO"]
    if path == "/fail":
        raise ValueError("no such thing")
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    if path == "/digest":
        return _digest(environ["wsgi.input"], query)
    if path == "/pieces":
        return _pieces(query)
    if path == "/held":
        return _held(query)
    return iter([b"%d" % MADE[0] if path == "/made" else b"hello"])
