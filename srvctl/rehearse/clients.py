"""The clients of a load: each has one connection at most, and one request at a time on it.

Adapters between sockets and `Answers`: what an event on a connection means for a request is decided here by
few rules, and nothing is tried a second time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from srvctl.rehearse.answer import Answer, AnswerReader, WrongAnswerError
from srvctl.rehearse.tally import Loss

if TYPE_CHECKING:
    from srvctl.rehearse.tally import Tally


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        number: Counted from 0.
        due: When it was due (monotonic seconds).
        path: What it asks for.
        tally: Where it counts.
        alarm: Gives it up when it takes too long.
    """

    number: int
    due: float
    path: str
    tally: Tally
    alarm: asyncio.TimerHandle | None = None


class Listener(Protocol):
    """Who is told what became of requests."""

    def answered(self, request: Request, answer: Answer) -> None:
        """Take in an answer."""

    def lost(self, request: Request, why: Loss, port: int) -> None:
        """Take in that there will be none."""

    def idle(self, client: Client) -> None:
        """Take in that a client can be given a request."""


class Client:
    """One client.

    Args:
        listener: Is told everything.
        port: Of 127.0.0.1.
        head: What each request has behind its path, up to the empty line.
        is_kept: It keeps its connection; else it opens one for each request.
    """

    def __init__(self, listener: Listener, port: int, head: str, *, is_kept: bool) -> None:
        self._listener = listener
        self._port = port
        self._is_kept = is_kept
        end = "" if is_kept else "Connection: close\r\n"
        self._head = f" HTTP/1.1\r\n{head}{end}\r\n"
        self._connection: _Connection | None = None
        self._opening: asyncio.Task[None] | None = None
        self.request: Request | None = None

    def __repr__(self) -> str:
        return f"<Client kept={self._is_kept} request={self.request}>"

    def take(self, request: Request) -> None:
        """Send a request, on the connection there is or on a new one."""
        self.request = request
        if self._connection is not None and self._connection.transport.is_closing():
            self._drop()  # between two requests, and known before this one was sent
        if self._connection is None:
            self._opening = asyncio.create_task(self._open(request))
        else:
            self._send(self._connection, request)

    def give_up(self) -> None:
        """Lose the request that is under way."""
        if self._opening is not None:
            self._opening.cancel()
        self._lose(Loss.TIMEOUT)

    def close(self) -> None:
        """Close the connection; what is under way is not reported."""
        if self._opening is not None:
            self._opening.cancel()
        self._drop()

    async def _open(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
        except ConnectionRefusedError:
            self._lose(Loss.REFUSED)
        except OSError:
            self._lose(Loss.RESET)
        else:
            if self.request is not request:  # given up meanwhile
                connection.transport.abort()
                return
            self._connection = connection
            self._send(connection, request)

    def _send(self, connection: _Connection, request: Request) -> None:
        connection.reader = AnswerReader()
        connection.transport.write(f"GET {request.path}{self._head}".encode("latin-1"))

    # -- what connections call -------------------------------------------------------------------------

    def received(self, connection: _Connection, data: bytes) -> None:
        """Take in bytes."""
        if connection is not self._connection:
            return
        if self.request is None:  # nobody has asked for anything
            self._drop()
            return
        try:
            answer = connection.reader.feed(data)
        except WrongAnswerError:
            self._lose(Loss.WRONG)
            return
        if answer is not None:
            self._answered(connection, answer)

    def ended(self, connection: _Connection, error: Exception | None) -> None:
        """Take in that a connection is gone."""
        if connection is not self._connection:
            return
        answer = connection.reader.end() if error is None else None
        if self.request is None:
            self._drop()  # between two requests: the next one opens another
        elif answer is not None:
            self._answered(connection, answer)
        elif connection.answers and not connection.reader.has_begun:
            self._lose(Loss.IDLE)
        else:
            self._lose(Loss.CLOSED if error is None else Loss.RESET)

    # -- how requests end ------------------------------------------------------------------------------

    def _answered(self, connection: _Connection, answer: Answer) -> None:
        connection.answers += 1
        if answer.is_last or not self._is_kept:
            self._drop()
        request, self.request = self.request, None
        if request is not None:
            self._listener.answered(request, answer)
        self._listener.idle(self)

    def _lose(self, why: Loss) -> None:
        port = self._connection.port if self._connection is not None else 0
        self._drop()
        request, self.request = self.request, None
        if request is not None:
            self._listener.lost(request, why, port)
            self._listener.idle(self)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.transport.abort()


class _Connection(asyncio.Protocol):
    """One connection; says everything to its client."""

    transport: asyncio.Transport

    def __init__(self, client: Client) -> None:
        self._client = client
        self.reader = AnswerReader()
        self.answers = 0
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("TCP has transports for reading and writing")
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def data_received(self, data: bytes) -> None:
        """Hand bytes on."""
        self._client.received(self, data)

    def connection_lost(self, error: Exception | None) -> None:
        """Hand the end on."""
        self._client.ended(self, error)
