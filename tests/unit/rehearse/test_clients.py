"""Clients of a load, on a real loop and real connections."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

from srvctl.rehearse.clients import Client, Request
from srvctl.rehearse.tally import Tally

if TYPE_CHECKING:
    from srvctl.rehearse.answer import Answer
    from srvctl.rehearse.tally import Loss

_PATIENCE = 10
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Outcomes:
    """Who is told what became of requests; hands it on."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int | Loss] = asyncio.Queue()

    def answered(self, request: Request, answer: Answer) -> None:
        del request
        self.queue.put_nowait(answer.status)

    def lost(self, request: Request, why: Loss, port: int) -> None:
        del request, port
        self.queue.put_nowait(why)

    def idle(self, client: Client) -> None:
        pass


def test_a_connection_that_is_known_to_be_over_loses_no_request() -> None:
    """As where the whole load was held up for longer than connections may idle."""

    async def test(listener: socket.socket) -> None:
        loop, outcomes = asyncio.get_running_loop(), _Outcomes()
        client = Client(outcomes, listener.getsockname()[1], "Host: test\r\n", is_kept=True)

        async def serve(number: int) -> socket.socket:
            connection, _ = await loop.sock_accept(listener)
            await loop.sock_recv(connection, 1000)
            await loop.sock_sendall(connection, _ANSWER)
            assert await outcomes.queue.get() == 200, f"request {number}"
            return connection

        client.take(Request(0, time.monotonic(), "/", Tally()))
        first = await serve(0)
        first.close()
        # In one turn of the loop it learns of the end, and then comes the next request.
        loop.call_later(0, client.take, Request(1, time.monotonic(), "/", Tally()))
        time.sleep(0.01)  # noqa: ASYNC251 - so that the end is there when the loop looks
        second = await serve(1)
        client.close()
        second.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        asyncio.run(asyncio.wait_for(test(listener), _PATIENCE))
