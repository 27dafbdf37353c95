"""The life of a worker process, from its fork to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import signal
from typing import TYPE_CHECKING

from srvctl.broadcast.serving import check_installed, joined
from srvctl.errors import AppError, ExitCode
from srvctl.ipc.channel import ChannelError, Decoder, DrainAsked, Draining, Failed, Ready, encode
from srvctl.worker import trace
from srvctl.worker.application import load_application
from srvctl.worker.drain import drain
from srvctl.worker.lifespan import Lifespan
from srvctl.worker.server import Server
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.reloading import Tls
from srvctl.worker.websocket.opener import check_codec

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from srvctl.ipc.channel import Message
    from srvctl.settings.groups import Settings, TlsSettings
    from srvctl.worker.http.cycle import Application

logger = logging.getLogger("srvctl.error")


def serve(
    settings: Settings, sockets: Iterable[socket.socket], channel: socket.socket, meeting_place: str
) -> int:
    """Serve until the master or a signal asks to stop; return the exit code.

    Args:
        settings: What to serve and how.
        sockets: The inherited listeners.
        channel: The connection to the master.
        meeting_place: The directory in which the workers of this master find each other.
    """
    pid = os.getpid()
    logger.info("Started worker process [%d]", pid)
    try:
        check_installed(settings.broadcast)
        check_codec(settings.ws)
        application = load_application(settings.app)
        if trace.is_wanted():
            application = trace.traced(application)
        with asyncio.Runner(loop_factory=_loop_factory(settings.workers.loop)) as runner:
            runner.run(Worker(settings, application, channel).run(sockets, meeting_place))
    except AppError as error:
        channel.setblocking(True)  # a long traceback may not fit at once, and the master always reads
        _say(channel, Failed(str(error), error.details))
        return ExitCode.NEVER_UP
    logger.info("Finished worker process [%d]", pid)
    return ExitCode.OK


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    try:
        import uvloop  # noqa: PLC0415 - not every platform has it
    except ImportError:
        if name == "uvloop":
            raise AppError("workers.loop is uvloop, but uvloop is not installed.") from None
        return None
    return uvloop.new_event_loop


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

    def __init__(self, settings: Settings, application: Application, channel: socket.socket) -> None:
        self._settings = settings
        self._application = application
        self._channel = channel
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
        server = self._make_server(lifespan)
        try:
            await server.listen(sockets, self._settings.server.backlog)
            _say(self._channel, Ready())
            await self._stop.wait()
            _say(self._channel, Draining())
            logger.info("Shutting down")
            await drain(server, last=self._is_last)
        finally:
            await server.close()
        if lifespan is not None:
            await self._shut_down(lifespan)

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

    def _make_server(self, lifespan: Lifespan | None) -> Server:
        return Server(
            self._application,
            self._settings,
            state=lifespan.state if lifespan is not None else None,
            context=contextvars.copy_context(),
            tls=self._tls,
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
