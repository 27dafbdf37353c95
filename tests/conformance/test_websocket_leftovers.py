"""Nothing is left of WebSockets that end badly: no task, no descriptor, and the server goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conformance.websocket_served import RULED, serving
from tests.conformance.websocket_wire import WebSocket, opening, will_reset
from tests.conformance.wire import Wire
from tests.support.server_waits import PATIENCE
from tests.support.websocket_frames import BINARY, RSV1, TEXT, close, frame, head

if TYPE_CHECKING:
    from tests.support.server import ServerProcess

server = serving(RULED, "--ws-close-timeout", "0.3")

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
ENDS = [
    frame(3),
    frame(TEXT, b"\xff"),
    frame(TEXT, b"unmasked", key=None),
    frame(BINARY, b"\xff\xff\xff\xff", rsv=RSV1),
    head(BINARY, 1 << 62) + b"some of it",
    frame(TEXT, b"fragment", is_final=False),
    frame(TEXT, b"echo") * 50,
    close(1000),
    close(1005),
    b"",
]


def left(server: ServerProcess) -> tuple[int, int]:
    """Return how many tasks and descriptors the worker has."""
    with Wire(server) as wire:
        wire.send(b"GET /tasks HTTP/1.1\r\nHost: h\r\n\r\n")
        tasks = int(wire.answer().body)
        [worker] = server.workers()
        return tasks, len(list(Path(f"/proc/{worker}/fd").iterdir()))


def check_nothing_is_left(server: ServerProcess, before: tuple[int, int]) -> None:
    """As many tasks and descriptors as there were, at some time soon."""
    deadline = time.monotonic() + PATIENCE
    while (now := left(server)) > before or now[1] > before[1]:
        assert time.monotonic() < deadline, f"tasks and descriptors are {now}, were {before}"
        time.sleep(0.02)


def test_clients_that_break_rules_and_leave(server: ServerProcess) -> None:
    """In every way, with and without waiting for the answer, two hundred of them."""
    left(server)
    before = left(server)
    for number in range(200):
        with WebSocket(server, "/echo", DEFLATE) as ws:
            ws.send(ENDS[number % len(ENDS)])
            if number % 4 == 1:
                will_reset(ws)
            elif number % 4 == 2 and number % len(ENDS) not in {4, 5, 9}:
                ws.take(1)
    check_nothing_is_left(server, before)
    with WebSocket(server, "/echo") as ws:
        ws.check_open()


def test_clients_that_break_rules_and_stay(server: ServerProcess) -> None:
    """Forty at once, none of which answers that it is closed."""
    left(server)
    before = left(server)
    open_ones = [WebSocket(server, "/echo", DEFLATE) for _ in range(40)]
    try:
        for number, ws in enumerate(open_ones):
            ws.send(ENDS[number % 4])
        check_nothing_is_left(server, before)
        for ws in open_ones:
            assert ws.frame().code in {1002, 1007}
    finally:
        for ws in open_ones:
            ws.socket.close()


def test_clients_that_leave_before_they_are_answered(server: ServerProcess) -> None:
    """With an application that decides nothing, and with others that do."""
    left(server)
    before = left(server)
    for number in range(60):
        with Wire(server) as wire:
            wire.send(opening(["/wait", "/echo", "/deny", "/close-first", "/raises-first"][number % 5]))
            if number % 2:
                will_reset(wire)
    check_nothing_is_left(server, before)
    with WebSocket(server, "/echo") as ws:
        ws.check_open()


def test_handshakes_that_fail(server: ServerProcess) -> None:
    """Sixty of them, each wrong in its own way."""
    left(server)
    before = left(server)
    wrong = ["Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 8", "Content-Length: 5"]
    for number in range(60):
        with Wire(server) as wire:
            wire.send(
                opening(
                    "/echo", wrong[number % 4], without=[wrong[number % 4].partition(":")[0]][: number % 3]
                )
            )
            assert wire.answer().status in {101, 400, 426}
    check_nothing_is_left(server, before)
