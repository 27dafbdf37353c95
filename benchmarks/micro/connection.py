"""What a whole request costs inside the worker: ``python -m benchmarks.micro.connection``.

From the bytes a transport delivers to those it is given, through codec, scope, runner, application and
cycle. What is missing to a real request is the event loop's and the kernel's.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from contextlib import suppress
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final, cast

import uvloop

from benchmarks.apps import bare
from benchmarks.micro.measure import Stage, main
from benchmarks.micro.requests import HELLO, POST, TWENTY, UNIQUE, FakeTransport
from srvctl.settings.groups import HttpSettings, Settings
from srvctl.worker.http.connection import HttpConnection
from srvctl.worker.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from srvctl.worker.http.cycle import Application


class _Serving:
    """A server without listeners, with one connection, on a loop that runs while requests are delivered."""

    def __init__(self, application: Application, requests: Sequence[bytes], settings: Settings) -> None:
        self._loop = uvloop.new_event_loop()
        self._requests = requests
        self._connection = self._loop.run_until_complete(self._connect(application, settings))
        self._deliver(1)  # the first request makes the runner; it idles a turn of the loop later
        self._loop.run_until_complete(asyncio.sleep(0.01))

    async def _connect(self, application: Application, settings: Settings) -> HttpConnection:
        state: dict[str, object] = {}
        server = Server(application, settings, state=state, context=contextvars.copy_context())
        connection = HttpConnection(server)
        connection.connection_made(cast("asyncio.BaseTransport", FakeTransport()))
        return connection

    def run(self, operations: int) -> None:
        """Deliver this many requests, each answered before the next."""
        self._loop.call_soon(self._deliver, operations)
        self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()

    def _deliver(self, operations: int) -> None:
        receive = self._connection.data_received
        for request, _ in zip(cycle(self._requests), range(operations), strict=False):
            receive(request)


def _stage(
    name: str, application: Application, requests: Sequence[bytes], settings: Settings | None = None
) -> Stage:
    def make() -> Callable[[int], object]:
        return _Serving(application, requests, settings or Settings()).run

    return Stage(name, make)


def _application_alone() -> Callable[[int], object]:
    """Return what runs the hello application with a `send` that does nothing."""

    async def receive() -> dict[str, Any]:
        return {}

    async def send(_message: dict[str, Any]) -> None:
        pass

    def run(operations: int) -> None:
        for _ in range(operations):
            call: Any = bare.hello({"type": "http"}, receive, send)
            with suppress(StopIteration):
                call.send(None)

    return run


_H11: Final = Settings(http=HttpSettings(codec="h11"))
STAGES: Final = (
    _stage("hello", bare.hello, [HELLO]),
    _stage("hello, unique heads", bare.hello, UNIQUE),
    _stage("20 more fields", bare.hello, [TWENTY]),
    _stage("echo 10 KB", bare.echo, [POST]),
    _stage("hello, h11", bare.hello, [HELLO], _H11),
    Stage("application alone", _application_alone),
)

if __name__ == "__main__":
    sys.exit(main("benchmarks.micro.connection", STAGES))
