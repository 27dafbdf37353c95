"""Many broken, stalled or greedy clients of a control socket: ``python -m benchmarks.control.crowd``.

A process of its own, so that it does not share the interpreter with who measures. It comes back with every
connection that it loses, says ``ready`` once all have connected, and ends with its stdin. Linux only.
"""

from __future__ import annotations

import heapq
import select
import socket
import sys
import time
from contextlib import suppress
from typing import Final

from benchmarks.processes import raise_file_limit

_GREEDY: Final = b'{"v":1,"command":"status"}\n'
#: What each kind sends when it has connected; only the greedy ones read, and ask again.
_SENT: Final = (
    b"",  # silent
    b'{"v":1,"comm',  # in the middle of a request
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",  # of another protocol
    b"\xff\xfe\x00\n",  # no text
    b"[" * 60_000 + b"\n",  # deep
    b'{"v":1,"command":"scale","args":{"count":' + b"9" * 60_000 + b"}}\n",  # huge
    b"x" * 70_000,  # a line without an end
    b'{"v":1,"command":"logs","args":{"lines":1000000,"follow":true}}\n',
    b'{"v":1,"command":"identify"}\n' * 2000,
    _GREEDY,
)
_HALF_OPEN: Final = 7  #: each seventh client says that it sends no more
_PAUSE: Final = 0.5  #: seconds until one that was sent away comes back
_RETRY: Final = 0.05  #: and until one that found the queue full tries again


class Crowd:
    """The clients.

    Args:
        path: The control socket.
        number: How many.
    """

    def __init__(self, path: str, number: int) -> None:
        self._path = path
        self._poll = select.epoll()
        self._due = [(0.0, client) for client in range(number)]
        self._open: dict[int, tuple[socket.socket, int]] = {}
        self._left = set(range(number))  #: who has not been there yet

    def run(self) -> None:
        """Go on until stdin ends."""
        stdin = sys.stdin.fileno()
        self._poll.register(stdin, select.EPOLLIN)
        has_said = False
        while True:
            for fd, mask in self._poll.poll(_RETRY):
                if fd == stdin:
                    return
                self._hear(fd, mask)
            self._connect_due(time.monotonic())
            if not has_said and not self._left:
                print("ready", flush=True)
                has_said = True

    def _connect_due(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            client = heapq.heappop(self._due)[1]
            if not self._connect(client):
                heapq.heappush(self._due, (now + _RETRY, client))
                return

    def _connect(self, client: int) -> bool:
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            sock.connect(self._path)
        except OSError:  # its queue is full
            sock.close()
            return False
        self._left.discard(client)
        self._send(sock, client)
        if client % _HALF_OPEN == 0:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
        self._open[sock.fileno()] = sock, client
        reading = select.EPOLLIN if _sent_by(client) == _GREEDY else 0
        self._poll.register(sock, reading | select.EPOLLRDHUP)
        return True

    def _hear(self, fd: int, mask: int) -> None:
        sock, client = self._open[fd]
        with suppress(OSError):
            if not mask & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR) and sock.recv(65536):
                self._send(sock, client)
                return
        del self._open[fd]
        sock.close()
        heapq.heappush(self._due, (time.monotonic() + _PAUSE, client))

    def _send(self, sock: socket.socket, client: int) -> None:
        with suppress(OSError):  # as much as there is room for
            sock.send(_sent_by(client))


def _sent_by(client: int) -> bytes:
    return _SENT[client % len(_SENT)]


if __name__ == "__main__":
    raise_file_limit()
    Crowd(sys.argv[1], int(sys.argv[2])).run()
