"""One application from its startup to its shutdown, in one event loop: lifespan, server, drain.

Knows neither a master nor a process of its own: `srvctl.worker.main` puts those around it, and the embedded
server (`srvctl.embedding.server`) puts the program around it that it is a part of. Who calls it says when
each step comes; the steps are `start`, `listen`, `drain`, `close`, `shut_down`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Any

from srvctl.errors import AppError
from srvctl.worker.drain import drain
from srvctl.worker.lifespan import Lifespan
from srvctl.worker.server import Server
from srvctl.worker.tls.context import offered
from srvctl.worker.tls.errors import TlsError
from srvctl.worker.tls.reloading import Tls

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from srvctl.ipc.scoreboard import Cells
    from srvctl.settings.groups import Settings, TlsSettings
    from srvctl.worker.http.cycle import Application

logger = logging.getLogger("srvctl.error")


def make_tls(settings: TlsSettings, *, http2: bool) -> Tls | None:
    """Read the certificates; None without any.

    Args:
        settings: Name them.
        http2: Clients may choose HTTP/2.

    Raises:
        AppError: They cannot be used; when the settings were read, they could.
    """
    if settings.certfile is None:
        return None
    try:
        return Tls(settings, offered(http2=http2))
    except TlsError as error:
        raise AppError(str(error)) from None


class Serving:
    """Serves an application in the loop that runs.

    Args:
        application: The ASGI application.
        settings: How to serve it.
        tls: TLS, which every listener then speaks; None for plain HTTP.
        cells: Of the board on which the master sees how this worker fares; None without a master.
        shares: Descriptor of the table of all workers' connections; None where nobody shares the listeners.

    Attributes:
        lifespan: That of the application; None before `start`, or when it is off.
        server: None before `listen`.
    """

    def __init__(
        self,
        application: Application,
        settings: Settings,
        tls: Tls | None = None,
        cells: Cells | None = None,
        shares: int | None = None,
    ) -> None:
        self.lifespan: Lifespan | None = None
        self.server: Server | None = None
        self._application = application
        self._settings = settings
        self._tls = tls
        self._cells = cells
        self._shares = shares

    @property
    def state(self) -> dict[str, Any] | None:
        """What the lifespan left for requests."""
        return self.lifespan.state if self.lifespan is not None else None

    async def start(self, stop: asyncio.Event) -> None:
        """Run the application's startup, until it is done or a stop is asked for.

        Args:
            stop: Set when a stop is asked for; ends a startup that runs.

        Raises:
            AppError: The startup failed.
        """
        mode = self._settings.app.lifespan
        if mode == "off":
            return
        self.lifespan = lifespan = Lifespan(self._application, mode)
        startup, stopped = asyncio.ensure_future(lifespan.startup()), asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait([startup, stopped], return_when=asyncio.FIRST_COMPLETED)
            if startup.done():
                startup.result()
        finally:
            stopped.cancel()
            if not startup.done():
                startup.cancel()
                await lifespan.cancel()

    def listen(self, sockets: Iterable[socket.socket]) -> Server:
        """Serve on the sockets, which are then the server's to close."""
        self.server = Server(
            self._application,
            self._settings,
            state=self.state,
            context=contextvars.copy_context(),
            tls=self._tls,
            cells=self._cells,
            shares=self._shares,
        )
        self.server.listen(sockets)
        return self.server

    async def drain(self, *, last: bool) -> None:
        """Give each request that runs its end.

        Args:
            last: Nobody takes over the listeners: what the kernel has queued on them is served first.
        """
        if self.server is not None:
            await drain(self.server, last=last)

    async def close(self) -> None:
        """Close the listeners and what connections are left."""
        if self.server is not None:
            await self.server.close()

    async def shut_down(self) -> None:
        """Run the application's shutdown, for as long as it may take."""
        if self.lifespan is None:
            return
        limit = self._settings.timeouts.lifespan_shutdown
        try:
            await asyncio.wait_for(self.lifespan.shutdown(), limit)
        except TimeoutError:
            text = "Application shutdown took longer than %g s (timeouts.lifespan_shutdown). Exiting."
            logger.error(text, limit)  # noqa: TRY400 - the traceback would be our own
            await self.lifespan.cancel()
