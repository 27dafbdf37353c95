"""The life of a worker process, from its fork to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srvctl.broadcast.serving import joined
from srvctl.errors import AppError, ExitCode
from srvctl.hooks import HookContext
from srvctl.ipc import forking
from srvctl.ipc.channel import (
    ChannelError,
    Decoder,
    DrainAsked,
    Draining,
    Failed,
    ProbeAsked,
    Probed,
    Ready,
    encode,
)
from srvctl.ipc.lifeline import hold
from srvctl.ipc.naming import WORKER, name_process
from srvctl.worker import last_words, privileges
from srvctl.worker.drain import drain
from srvctl.worker.lifespan import Lifespan
from srvctl.worker.loading import load_all, loop_factory_of
from srvctl.worker.probe import probe
from srvctl.worker.server import Server
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.reloading import Tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence

    from srvctl.ipc.channel import Message
    from srvctl.settings.groups import Settings, TlsSettings
    from srvctl.worker.loading import Loaded

logger = logging.getLogger("srvctl.error")


@dataclass(frozen=True, slots=True)
class Outfit:
    """What the workers of one generation share.

    Attributes:
        settings: What to serve and how.
        sockets: The inherited listeners.
        meeting_place: The directory in which the workers of this master find each other.
        generation: Its number.
        master: Process id of the master.
        lifeline: Descriptor whose other end only the master holds.
    """

    settings: Settings
    sockets: Sequence[socket.socket]
    meeting_place: str
    generation: int
    master: int
    lifeline: int

    def context(self, slot: int | None) -> HookContext:
        """Return what hooks are told."""
        return HookContext(slot=slot, generation=self.generation)


def serve(outfit: Outfit, slot: int, channel: socket.socket, board: int) -> int:
    """Import the application and serve it until the master or a signal asks to stop; return the exit code.

    Args:
        outfit: What all workers are given.
        slot: The worker's place.
        channel: The connection to the master.
        board: Descriptor of the worker's board.
    """

    def load() -> Loaded:
        privileges.settle(outfit.settings.workers, slot, outfit.generation)  # before there is any thread
        become_user(outfit)
        loaded = load_all(outfit.settings)
        loaded.hooks.call("on_boot", outfit.context(slot))
        return loaded

    return _serve(outfit, slot, channel, board, load)


def serve_loaded(outfit: Outfit, loaded: Loaded, slot: int, channel: socket.socket, board: int) -> int:
    """Serve what a mold has imported, in a process that it has forked; return the exit code.

    Args:
        outfit: What all workers are given.
        loaded: What was imported.
        slot: The worker's place.
        channel: The connection to the master.
        board: Descriptor of the worker's board.
    """

    def settle() -> Loaded:
        privileges.settle(outfit.settings.workers, slot, outfit.generation)
        return loaded

    return _serve(outfit, slot, channel, board, settle)


def become_user(outfit: Outfit) -> None:
    """Take on the user and the limits of the workers.

    Raises:
        AppError: The kernel refuses.
    """
    privileges.become(outfit.settings.workers, lambda: forking.die_with(outfit.master))


def _serve(outfit: Outfit, slot: int, channel: socket.socket, board: int, load: Callable[[], Loaded]) -> int:
    pid = os.getpid()
    name_process(WORKER)
    hold(outfit.lifeline)
    cells = last_words.begin(board)
    logger.info("Started worker process [%d]", pid)
    try:
        loop_factory = loop_factory_of(
            outfit.settings.workers.loop
        )  # before a user who may not read its files
        loaded = load()
        context = outfit.context(slot)
        loaded.hooks.call("post_fork", context)
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            worker = Worker(outfit.settings, loaded, context, channel, cells)
            runner.run(worker.run(outfit.sockets, outfit.meeting_place))
    except AppError as error:
        channel.setblocking(True)  # a long traceback may not fit at once, and the master always reads
        _say(channel, Failed(str(error), error.details))
        return ExitCode.NEVER_UP
    logger.info("Finished worker process [%d]", pid)
    return ExitCode.OK


def _make_tls(settings: TlsSettings) -> Tls | None:
    """Read the certificates, before the application starts for nothing.

    Raises:
        AppError: They cannot be used; when the settings were read, they could.
    """
    if settings.certfile is None:
        return None
    try:
        return Tls(settings)
    except TlsError as error:
        raise AppError(str(error)) from None


def _say(channel: socket.socket, message: Message) -> None:
    """Send a message; a master that is gone needs none."""
    with contextlib.suppress(OSError):
        channel.sendall(encode(message))


class Worker:
    """Joins lifespan, server and channel inside the loop."""

    def __init__(
        self,
        settings: Settings,
        loaded: Loaded,
        context: HookContext,
        channel: socket.socket,
        cells: memoryview[int],
    ) -> None:
        self._settings = settings
        self._application = loaded.application
        self._hooks = loaded.hooks
        self._context = context
        self._channel = channel
        self._cells = cells
        self._state: dict[str, Any] | None = None  #: what the lifespan left for requests
        self._probes: set[asyncio.Task[None]] = set()
        self._decoder = Decoder()
        self._stop = asyncio.Event()
        self._is_last = False
        self._tls = _make_tls(settings.tls)

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
        lifespan = await self._start_application()
        if self._stop.is_set():
            return
        self._state = lifespan.state if lifespan is not None else None
        await self._hooks.call_async("on_ready", self._context)
        server = self._make_server()
        try:
            server.listen(sockets)
            _say(self._channel, Ready())
            await self._stop.wait()
            _say(self._channel, Draining())
            logger.info("Shutting down")
            await self._hooks.call_async("on_drain", self._context)
            await drain(server, last=self._is_last)
        finally:
            await server.close()
        if lifespan is not None:
            await self._shut_down(lifespan)
        await self._hooks.call_async("on_exit", self._context)

    async def _start_application(self) -> Lifespan | None:
        mode = self._settings.app.lifespan
        if mode == "off":
            return None
        lifespan = Lifespan(self._application, mode)
        startup = asyncio.ensure_future(lifespan.startup())
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([startup, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if startup.done():
            startup.result()
        else:
            await lifespan.cancel()
            startup.cancel()
        return lifespan

    async def _shut_down(self, lifespan: Lifespan) -> None:
        limit = self._settings.timeouts.lifespan_shutdown
        try:
            await asyncio.wait_for(lifespan.shutdown(), limit)
        except TimeoutError:
            text = "Application shutdown took longer than %g s (timeouts.lifespan_shutdown). Exiting."
            logger.error(text, limit)  # noqa: TRY400 - the traceback would be our own
            await lifespan.cancel()

    def _make_server(self) -> Server:
        return Server(
            self._application,
            self._settings,
            state=self._state,
            context=contextvars.copy_context(),
            tls=self._tls,
            cells=self._cells,
        )

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
            if isinstance(message, DrainAsked):
                self._is_last = message.last
                self._stop.set()
            elif isinstance(message, ProbeAsked):
                task = asyncio.create_task(self._probe(message))
                self._probes.add(task)
                task.add_done_callback(self._probes.discard)

    async def _probe(self, asked: ProbeAsked) -> None:
        """Ask the application how it is, for the master."""
        root_path = self._settings.app.root_path
        answer = await probe(self._application, self._state, asked.path, asked.timeout, root_path)
        _say(self._channel, Probed(asked.probe, answer.status, answer.details))
