"""The load: so many requests a second, each at its time, whatever becomes of the others. Its own process.

``load.py`` starts it with a `LoadPlan` as JSON, tells it ``look``, ``mark`` and ``stop`` line by line, and
gets a tally as one line of JSON for ``look`` and ``stop``. It ends when its input does. What the events on
its sockets mean for a request is decided by ``accounts.py``.

Requests go to whichever client has been idle longest. Some clients keep their connection, the others open one
for each request. When none is idle the request waits, and its time runs.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Final

from benchmarks.lifecycle.accounts import Accounts, Ending, Request
from benchmarks.lifecycle.answers import Answer, AnswerReader, WrongAnswer
from benchmarks.lifecycle.clients import Client, LoadPlan

#: Ours, so that there are ports enough for all the connections of the last minute (TIME_WAIT).
_ADDRESSES: Final = 16
_IP_BIND_ADDRESS_NO_PORT: Final = 24  #: ip(7); the socket module of Python 3.11 has no name for it
_SWEEP_SECONDS: Final = 0.25
_READ_BYTES: Final = 65536
_NICE: Final = -10


class Generator:
    """Turns a plan into requests and events of sockets into accounts."""

    def __init__(self, plan: LoadPlan) -> None:
        self.accounts = Accounts(plan.late_after)
        self._plan = plan
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}
        places = [((place + 0.5) / plan.kept, True) for place in range(plan.kept)]
        places += [((place + 0.5) / plan.fresh, False) for place in range(plan.fresh)]
        self._idle = deque(Client(is_kept=is_kept) for _, is_kept in sorted(places))  # mixed evenly
        self._waiting: deque[Request] = deque()
        self._opened = 0
        self._since = time.monotonic()
        self._issued = 0
        self._swept = self._since
        self.is_stopping = False

    def __repr__(self) -> str:
        return f"<Generator {self._plan} idle={len(self._idle)} waiting={len(self._waiting)}>"

    def run(self, commands: int) -> None:
        """Work until told to stop by what can be read from a descriptor, or until that ends."""
        self._epoll.register(commands, select.EPOLLIN)
        while not self.is_stopping:
            for descriptor, _ in self._epoll.poll(self._next_due()):
                if descriptor == commands:
                    self._obey(os.read(commands, _READ_BYTES))
                else:
                    self._handle(descriptor)
            self._put_out()
            self._sweep(time.monotonic())
        self._epoll.unregister(commands)

    def finish(self) -> None:
        """Wait for the answers that are still to come; what is left then is lost."""
        deadline = time.monotonic() + self._plan.grace
        while (self._waiting or self._is_busy()) and time.monotonic() < deadline:
            for descriptor, _ in self._epoll.poll(0.05):
                self._handle(descriptor)
            self._hand_out(time.monotonic())
        now = time.monotonic()
        left = [client.request for client in self._clients.values() if client.request is not None]
        for request in [*left, *self._waiting]:
            self.accounts.end(request, Ending.UNANSWERED, is_reused=False, has_begun=False, now=now)
        for client in list(self._clients.values()):
            self._close(client)
        self._epoll.close()

    def _is_busy(self) -> bool:
        return any(client.request is not None for client in self._clients.values())

    def _obey(self, data: bytes) -> None:
        if not data:
            self.is_stopping = True
        for word in data.split():
            if word == b"stop":
                self.is_stopping = True
            elif word == b"mark":
                self.accounts.mark()
            elif word == b"look":
                tell(self.accounts, is_brief=True)

    def _next_due(self) -> float:
        """Return seconds until there is something to do without being told."""
        return max(0.0, min(_SWEEP_SECONDS, self._since + self._issued / self._plan.rate - time.monotonic()))

    def _put_out(self) -> None:
        now = time.monotonic()
        while (due := self._since + self._issued / self._plan.rate) <= now:
            self._issued += 1
            self._waiting.append(self.accounts.begin(due, now))
        self._hand_out(now)

    def _hand_out(self, now: float) -> None:
        while self._waiting and self._idle:
            client = self._idle.popleft()
            client.request = self._waiting.popleft()
            client.request.worker = client.worker if client.uses else 0
            self._start(client, now)

    def _start(self, client: Client, now: float) -> None:
        if client.sock is None:
            self._connect(client, now)
        else:
            self._send(client, now)

    def _connect(self, client: Client, now: float) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.0.0.{1 + self._opened % _ADDRESSES}", 0))
        self._opened += 1
        client.sock = sock
        client.reader = AnswerReader()
        client.uses = 0
        client.worker = 0
        self._clients[sock.fileno()] = client
        code = sock.connect_ex(("127.0.0.1", self._plan.port))
        if code == 0:
            self._epoll.register(sock, select.EPOLLIN)
            self._send(client, now)
        elif code == errno.EINPROGRESS:
            client.is_connecting = True
            self._epoll.register(sock, select.EPOLLOUT)
        else:
            self._epoll.register(sock, 0)
            self._end(client, _ending_of(code), now)

    def _send(self, client: Client, now: float) -> None:
        request, sock = client.request, client.sock
        if request is None or sock is None:  # cannot be: only clients with both come here
            raise AssertionError(client)
        end = "" if client.is_kept else "Connection: close\r\n"
        plan = self._plan
        head = f"GET {plan.path}?id={request.number}&{plan.query} HTTP/1.1\r\nHost: 127.0.0.1:{plan.port}\r\n"
        request.sent = now
        try:
            sock.send(f"{head}{end}\r\n".encode())  # shorter than any socket's buffer
        except OSError:
            self._end(client, Ending.RESET, now)

    def _handle(self, descriptor: int) -> None:
        client = self._clients.get(descriptor)
        if client is None or client.sock is None:
            return  # closed by an event before this one
        now = time.monotonic()
        if client.is_connecting:
            self._connected(client, now)
        else:
            self._read(client, now)

    def _connected(self, client: Client, now: float) -> None:
        sock = client.sock
        if sock is None:
            raise AssertionError(client)
        client.is_connecting = False
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._end(client, _ending_of(code), now)
            return
        self._epoll.modify(sock, select.EPOLLIN)
        self._send(client, now)

    def _read(self, client: Client, now: float) -> None:
        if client.sock is None:
            raise AssertionError(client)
        try:
            data = client.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(client, _ending_of(error.errno), now)
            return
        if not data:
            self._end(client, Ending.CLOSED, now)
        elif client.request is None:
            self.accounts.unasked()
            self._close(client)
        else:
            self._take(client, client.request, data, now)

    def _take(self, client: Client, request: Request, data: bytes, now: float) -> None:
        try:
            answer = client.reader.feed(data)
        except WrongAnswer as error:
            self.accounts.wrong(request, str(error), now)
            self._release(client, is_over=True)
            return
        if answer is not None:
            is_right = self.accounts.answer(request, answer, now)
            self._release(client, is_over=self._is_over(client, answer, now) or not is_right)

    def _is_over(self, client: Client, answer: Answer, now: float) -> bool:
        client.uses += 1
        client.worker = answer.worker
        if client.is_kept and answer.is_last:
            self.accounts.goodbye(now)
        return answer.is_last or not client.is_kept

    def _end(self, client: Client, ending: Ending, now: float) -> None:
        """Take in that the connection is at its end."""
        request, is_reused, has_begun = client.request, client.uses > 0, client.reader.has_begun
        self._close(client)
        if request is None:
            self.accounts.idle_close(now)
        elif self.accounts.end(request, ending, is_reused=is_reused, has_begun=has_begun, now=now):
            self._connect(client, now)
        else:
            self._release(client, is_over=True)

    def _release(self, client: Client, *, is_over: bool) -> None:
        if is_over:
            self._close(client)
        client.request = None
        self._idle.append(client)

    def _close(self, client: Client) -> None:
        if client.sock is not None:
            del self._clients[client.sock.fileno()]
            client.sock.close()  # which takes it out of epoll
            client.sock = None
            client.is_connecting = False

    def _sweep(self, now: float) -> None:
        """Give up what has waited for too long."""
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        oldest = now - self._plan.patience
        for client in list(self._clients.values()):
            if client.request is not None and client.request.due < oldest:
                self._end(client, Ending.TIMEOUT, now)
        while self._waiting and self._waiting[0].due < oldest:
            request = self._waiting.popleft()
            self.accounts.end(request, Ending.TIMEOUT, is_reused=False, has_begun=False, now=now)


def _ending_of(code: int | None) -> Ending:
    return Ending.REFUSED if code == errno.ECONNREFUSED else Ending.RESET


def tell(accounts: Accounts, *, is_brief: bool) -> None:
    """Write the tally as one line."""
    print(json.dumps(accounts.tally.as_json(is_brief=is_brief)), flush=True)


def main(arguments: list[str]) -> None:
    """Make the load that the argument describes, until told to stop."""
    plan = LoadPlan(**json.loads(arguments[0]))
    # The parent decides when it is over: Ctrl-C reaches it, and our input ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(_NICE)  # a load that has to wait for a CPU tells nothing about the server
    gc.disable()  # nothing here goes round in circles
    generator = Generator(plan)
    generator.run(sys.stdin.fileno())
    generator.finish()
    tell(generator.accounts, is_brief=False)


if __name__ == "__main__":
    main(sys.argv[1:])
