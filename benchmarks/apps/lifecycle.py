"""The application that faults are tried on. It says which process answered, and with which code.

The benchmark writes a module that imports this one and makes an `Application`: the code that is reloaded.
Each worker keeps a small file in the directory ``LIFECYCLE_STATE``, which can be read even when it was
killed: when it was ready, how many requests it began and finished, and since when its loop is blocked.

Everything here is what ordinary applications do, at times at the wrong moment.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Ready at, blocked since (both monotonic, 0 for never), begun, finished.
STATE: Final = struct.Struct("<ddQQ")
STATE_VARIABLE: Final = "LIFECYCLE_STATE"
_SLICE_SECONDS: Final = 0.02
_FOREVER: Final = 3600.0


def burn(seconds: float) -> None:
    """Take so much CPU, as an import of many modules does."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def objects(count: int) -> list[dict[str, Any]]:
    """Return so many small objects, as an application has that reads its data when it is imported."""
    return [{"id": number, "name": f"item {number}", "tags": [str(number)]} for number in range(count)]


def block_the_loop(seconds: float) -> None:
    """Sleep where nothing else can run meanwhile. Its name must be found in a dump of the stack."""
    time.sleep(seconds)


class _State:
    """The file of one worker."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pid = 0
        self._ready = 0.0
        self._blocked = 0.0
        self._begun = 0
        self._finished = 0
        self._map: mmap.mmap | None = None

    def ready(self) -> None:
        self._ready = time.monotonic()
        self._write()

    def begin(self) -> None:
        self._begun += 1
        self._write()

    def finish(self) -> None:
        self._finished += 1
        self._write()

    def block(self) -> None:
        self._blocked = time.monotonic()
        self._write()

    def _write(self) -> None:
        if (
            self._map is None or self._pid != os.getpid()
        ):  # the application may have been imported before a fork
            self._pid = os.getpid()
            path = self._directory / str(self._pid)
            path.write_bytes(bytes(STATE.size))
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), STATE.size)
        STATE.pack_into(self._map, 0, self._ready, self._blocked, self._begun, self._finished)


class Application:
    """One revision of the code.

    Args:
        revision: What its answers say.
        startup: ``"raise"`` to fail in it, ``"hang"`` not to end it.
        kept: Whatever the module keeps in memory.
    """

    def __init__(self, revision: int, startup: str = "", kept: object = None) -> None:
        self._revision = revision
        self._startup = startup
        self._kept = kept
        self._state = _State(Path(os.environ[STATE_VARIABLE]))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await _echo(receive, send)
        else:
            await self._answer(scope, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        if self._startup == "raise":
            # As frameworks do it: an exception could also mean that an application has no lifespan.
            failure = "Traceback (most recent call last):\nRuntimeError: the startup of this revision fails"
            await send({"type": "lifespan.startup.failed", "message": failure})
            return
        if self._startup == "hang":
            await asyncio.sleep(_FOREVER)
        self._state.ready()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Message, send: Send) -> None:
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        self._state.begin()
        await self._work(scope["path"], int(query.get("ms", "0")) / 1000)
        body = f"{query.get('id', '0')} {os.getpid()} {self._revision}".encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._state.finish()

    async def _work(self, path: str, seconds: float) -> None:
        if path == "/block":
            self._state.block()
            block_the_loop(seconds)
        elif path == "/spin":
            burn(seconds)
        elif path == "/churn":
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                burn(_SLICE_SECONDS)
                await asyncio.sleep(0)
        elif seconds:
            await asyncio.sleep(seconds)


async def _echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
