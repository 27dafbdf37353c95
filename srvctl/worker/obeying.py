"""What a worker does in its event loop: it serves, calls the hooks, and obeys the master.

The process around it, with its user, its limits and its exit code, is `srvctl.worker.main`, which calls
this.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from srvctl.broadcast.serving import joined
from srvctl.ipc.channel import (
    Apology,
    ChannelError,
    Decoder,
    DrainAsked,
    Draining,
    ProbeAsked,
    Probed,
    Ready,
    ReopenAsked,
)
from srvctl.logs.setup import reopen_requests
from srvctl.worker.probe import probe
from srvctl.worker.saying import say
from srvctl.worker.serving import Serving, make_tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from srvctl.hooks import HookContext
    from srvctl.ipc.channel import Message
    from srvctl.settings.groups import Settings
    from srvctl.worker.loading import Loaded

logger = logging.getLogger("srvctl.error")


class Worker:
    """Joins what is served with the hooks and the channel, inside the loop."""

    def __init__(
        self,
        settings: Settings,
        loaded: Loaded,
        context: HookContext,
        channel: socket.socket,
        cells: memoryview[int],
        show: Callable[[str, str], None],
        shares: int | None = None,
    ) -> None:
        self._settings = settings
        self._application = loaded.application
        self._hooks = loaded.hooks
        self._context = context
        self._channel = channel
        self._show = show
        self._probes: set[asyncio.Task[None]] = set()
        self._decoder = Decoder()
        self._stop = asyncio.Event()
        self._is_last = False
        tls = make_tls(settings.tls, http2=settings.http.http2)  # before the application starts for nothing
        self._serving = Serving(loaded.application, settings, tls, cells, shares)

    async def run(self, sockets: Iterable[socket.socket], meeting_place: str) -> None:
        """Start, serve, drain, shut down.

        Raises:
            AppError: The application's startup failed.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        self._channel.setblocking(False)
        loop.add_reader(self._channel, self._read_channel)
        async with joined(self._settings.broadcast, meeting_place):
            await self._serve(sockets)

    async def _serve(self, sockets: Iterable[socket.socket]) -> None:
        serving = self._serving
        await serving.start(self._stop)
        if self._stop.is_set():
            return
        await self._hooks.call_async("on_ready", self._context)
        try:
            serving.listen(sockets)
            say(self._channel, Ready())
            await self._stop.wait()
            say(self._channel, Draining())
            logger.info("Shutting down")
            await self._hooks.call_async("on_drain", self._context)
            await serving.drain(last=self._is_last)
        finally:
            await serving.close()
        await serving.shut_down()
        await self._hooks.call_async("on_exit", self._context)

    def _read_channel(self) -> None:
        """Obey the master; without one there is nothing to serve for."""
        try:
            data = self._channel.recv(65536)
            messages = self._decoder.feed(data)
        except BlockingIOError:
            return
        except (ChannelError, OSError):
            data, messages = b"", []
        if not data:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._stop.set()
        for message in messages:
            self._obey(message)

    def _obey(self, message: Message) -> None:
        match message:
            case DrainAsked(last=last):
                self._is_last = last
                self._stop.set()
            case ProbeAsked():
                task = asyncio.create_task(self._probe(message))
                self._probes.add(task)
                task.add_done_callback(self._probes.discard)
            case Apology(message=text, details=details):
                self._show(text, details)
            case ReopenAsked():
                reopen_requests()
            case _:
                pass

    async def _probe(self, asked: ProbeAsked) -> None:
        """Ask the application how it is, for the master."""
        root_path = self._settings.app.root_path
        answer = await probe(self._application, self._serving.state, asked.path, asked.timeout, root_path)
        say(self._channel, Probed(asked.probe, answer.status, answer.details))
