"""A client with very many connections: opens them, holds them, asks on some, and tells what became of each.

``python -m benchmarks.many.holding PORT COUNT ADDRESS``, a process of its own, so that no process needs more
descriptors than it may have. Each line on stdin is a word, each is answered by one JSON object on stdout:
``open``, ``ask COUNT MILLISECONDS``, ``closed``. It ends with its stdin. Linux only.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from benchmarks.lifecycle.answers import Answer, AnswerReader, WrongAnswer
from benchmarks.processes import raise_file_limit

_AT_ONCE: Final = 128  #: that are being opened: less than the kernel queues
_PATIENCE: Final = 60.0


class Held:
    """One connection, and what came of it."""

    __slots__ = ("asked_at", "fate", "reader", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = AnswerReader()
        self.asked_at: float | None = None
        self.fate = ""  # empty as long as it is open

    def ask(self, milliseconds: int) -> None:
        """Send one request."""
        self.asked_at = time.monotonic()
        self.sock.sendall(f"GET /work?id=1&ms={milliseconds} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def hear(self) -> Answer | None:
        """Read; return the answer once it is whole. An end is noted as the fate of the connection."""
        try:
            data = self.sock.recv(4096)
            answer = self.reader.feed(data) if data else None
        except (OSError, WrongAnswer) as error:
            self.fate = "reset" if isinstance(error, ConnectionResetError) else type(error).__name__
            return None
        if not data:
            self.fate = "cut" if self.asked_at is not None else "closed"
        if answer is not None:
            self.asked_at = None
        return answer


class Holder:
    """All of them.

    Args:
        port: Of 127.0.0.1.
        count: How many.
        address: Ours, so that there are ports enough.
    """

    def __init__(self, port: int, count: int, address: str) -> None:
        self._port = port
        self._count = count
        self._address = address
        self._poll = select.epoll()
        self._held: dict[int, Held] = {}

    def open(self) -> dict[str, Any]:
        """Open all, ask once on each, and return who answered, and how long each took from connect on."""
        begun, until = time.monotonic(), time.monotonic() + _PATIENCE
        workers: Counter[int] = Counter()
        waits: list[float] = []
        opened = 0
        while len(waits) < self._count and time.monotonic() < until:
            while opened < self._count and opened - len(waits) < _AT_ONCE:
                self._connect()
                opened += 1
            for held in self._ready():
                asked_at = held.asked_at
                answer = held.hear()
                if answer is not None and asked_at is not None:
                    workers[answer.worker] += 1
                    waits.append(time.monotonic() - asked_at)
                elif held.fate:
                    waits.append(_PATIENCE)
        return {"seconds": time.monotonic() - begun, "workers": workers, "waits": sorted(waits)}

    def ask(self, count: int, milliseconds: int) -> dict[str, Any]:
        """Have requests under way on so many connections, and return when they are sent."""
        asked = 0
        for held in self._held.values():
            if asked == count:
                break
            if not held.fate:
                with suppress(OSError):
                    held.ask(milliseconds)
                    asked += 1
        return {"asked": asked}

    def closed(self) -> dict[str, Any]:
        """Hear what came by now, and for as long as requests are under way; return what became of all."""
        until = time.monotonic() + _PATIENCE
        answered = 0
        while True:
            ready = self._ready()
            answered += sum(held.hear() is not None for held in ready)
            waiting = sum(held.asked_at is not None and not held.fate for held in self._held.values())
            if (not ready and not waiting) or time.monotonic() > until:
                break
        fates = Counter(held.fate or "open" for held in self._held.values())
        return {"answered": answered, "waiting": waiting, "fates": fates}

    def _connect(self) -> None:
        sock = socket.socket()
        sock.bind((self._address, 0))
        sock.connect(("127.0.0.1", self._port))  # the kernel answers it, however busy the workers are
        held = self._held[sock.fileno()] = Held(sock)
        self._poll.register(sock, select.EPOLLIN | select.EPOLLRDHUP)
        held.ask(0)
        sock.setblocking(False)

    def _ready(self) -> list[Held]:
        """Return those that something came on; one that came to its end is not waited for again."""
        found = []
        for fd, _ in self._poll.poll(0.2):
            if self._held[fd].fate:
                self._poll.unregister(fd)
            else:
                found.append(self._held[fd])
        return found


def main(port: int, count: int, address: str) -> None:
    """Do as stdin says."""
    raise_file_limit()
    holder = Holder(port, count, address)
    for line in sys.stdin:
        match line.split():
            case ["open"]:
                found = holder.open()
            case ["ask", asked, milliseconds]:
                found = holder.ask(int(asked), int(milliseconds))
            case _:
                found = holder.closed()
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
