"""What all connections of one worker share: listeners, the application, cached header fields, the clock.

Also the worker's drain: stop accepting, let requests finish, close what is idle, cancel what is late.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.http.connection import HttpConnection
from srvctl.worker.http.headers import DATE, SERVER
from srvctl.worker.http.runner import Runner

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Coroutine, Iterable

    from srvctl.settings.groups import HttpSettings, LimitSettings, TimeoutSettings
    from srvctl.worker.http.cycle import Application, RequestCycle
    from srvctl.worker.tls.reloading import Tls

_TICK: Final = 1.0  #: seconds between looks at deadlines and the date
_DRAIN_TICK: Final = 0.05
_TURNS_TO_HANDSHAKE: Final = 3  #: of the loop, until what it has accepted has begun its handshake
_SOON: Final = 0.001  #: seconds; event loops refuse 0
_CANCEL_GRACE: Final = 1.0  #: seconds cancelled tasks have to clean up
_SERVER_FIELD: Final = b"server: srvctl\r\n"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def http_date(seconds: float) -> bytes:
    """Return an IMF-fixdate (RFC 9110 section 5.6.7), whatever the locale."""
    t = time.gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
        f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    ).encode()


class GeneralFields:
    """The header fields the server adds to every response, as bytes that are joined once a second."""

    def __init__(self, settings: HttpSettings) -> None:
        fields = [_split(header) for header in settings.headers]
        own = {name.lower(): b"%b: %b\r\n" % (name, value) for name, value in fields}
        self._renews_date = settings.date_header and b"date" not in own
        self._date = own.get(b"date", b"")
        self._server = own.get(b"server", _SERVER_FIELD if settings.server_header else b"")
        self._extra = b"".join(
            b"%b: %b\r\n" % (name, value)
            for name, value in fields
            if name.lower() not in {b"date", b"server"}
        )
        self.all = b""  #: what goes into most responses
        self.renew(time.time())

    def renew(self, now: float) -> None:
        """Take a new date (seconds since the epoch)."""
        if self._renews_date:
            self._date = b"date: %b\r\n" % http_date(now)
        self.all = self._date + self._server + self._extra

    def beside(self, says: int) -> bytes:
        """Return the fields for a response; those that its own fields say it has (flags) are left out."""
        date = b"" if says & DATE else self._date
        return date + (b"" if says & SERVER else self._server) + self._extra


def _split(header: str) -> tuple[bytes, bytes]:
    name, _, value = header.partition(":")
    return name.strip().encode("latin-1"), value.strip().encode("latin-1")


class Server:
    """Serves one application on inherited listeners until it is drained.

    Args:
        application: The ASGI application.
        state: What its lifespan put into ``scope["state"]``; None when lifespan is off.
        context: The context each request starts from.
        root_path: ASGI ``root_path``.
        tls: TLS, which every listener then speaks; None for plain HTTP.
    """

    def __init__(
        self,
        application: Application,
        *,
        state: dict[str, Any] | None,
        context: contextvars.Context,
        root_path: str,
        http: HttpSettings,
        limits: LimitSettings,
        timeouts: TimeoutSettings,
        tls: Tls | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.state = state
        self.root_path = root_path
        self.limits = limits
        self.timeouts = timeouts
        self.tls = tls
        self.is_draining = False
        self.idle_timeout = timeouts.keep_alive  #: seconds a connection may wait for its next request
        self.logger = logging.getLogger("srvctl.error")
        self.connections: set[HttpConnection] = set()
        self._application = application
        self._context = context
        self._fields = GeneralFields(http)
        self.general_fields = self._fields.beside
        self.all_general_fields = self._fields.all
        self._orphans: set[Runner] = set()
        self._access = logging.getLogger("srvctl.access")
        self.logs_access = not self._access.disabled and self._access.isEnabledFor(logging.INFO)
        self._listeners: list[socket.socket] = []
        self._servers: list[asyncio.AbstractServer] = []
        self._accepting: set[asyncio.Task[Any]] = set()  #: handshakes of clients that were queued
        self._quiet = asyncio.Event()  #: set while draining, once nothing is left to wait for
        self._ticker = self.loop.call_later(_TICK, self._tick)

    # -- listening -------------------------------------------------------------------------------------

    async def listen(self, sockets: Iterable[socket.socket], backlog: int) -> None:
        """Accept connections on duplicates of the sockets."""
        options = self._tls_options()
        for inherited in sockets:
            self._listeners.append(inherited)
            sock = inherited.dup()  # the loop closes what it is given
            if sock.family == socket.AF_UNIX:
                # From 3.13 on, loops remove the socket file when a server closes: the first worker's would.
                keep: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
                server = await self.loop.create_unix_server(
                    self._connect, sock=sock, backlog=backlog, **keep, **options
                )
            else:
                server = await self.loop.create_server(self._connect, sock=sock, backlog=backlog, **options)
            self._servers.append(server)

    def _connect(self) -> HttpConnection:
        return HttpConnection(self)

    def _tls_options(self) -> dict[str, Any]:
        """What an event loop is told about TLS; nothing when there is none."""
        if self.tls is None:
            return {}
        return {
            "ssl": self.tls.context,
            "ssl_handshake_timeout": max(self.timeouts.tls_handshake, _SOON),
            "ssl_shutdown_timeout": max(self.timeouts.tls_shutdown, _SOON),
        }

    # -- called by the connections ---------------------------------------------------------------------

    def make_runner(self, connection: HttpConnection, cycle: RequestCycle) -> Runner:
        """Return what answers the requests of a connection, beginning with this one."""
        return Runner(connection, self._application, self.loop, self._context, cycle)

    def adopt(self, runner: Runner) -> None:
        """Keep a runner whose connection has gone on, or is gone, until its application returns."""
        self._orphans.add(runner)

    def runner_ended(self, runner: Runner) -> None:
        """Forget such a runner."""
        self._orphans.discard(runner)
        if self.is_draining:
            self._note_quiet()

    def connection_closed(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if self.is_draining:
            self._note_quiet()

    def log_access(self, cycle: RequestCycle) -> None:
        """Log a response."""
        scope, client = cycle.scope, cycle.scope["client"]
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        self._access.info(
            '%s - "%s %s HTTP/%s" %d',
            f"{client[0]}:{client[1]}" if client else "",
            cycle.method,
            target.decode("ascii", "backslashreplace"),
            cycle.version,
            cycle.status,
        )

    def report(self, error: BaseException | None, text: str) -> None:
        """Log a fault of the application, with its traceback."""
        self.logger.error(text, exc_info=error)

    # -- time ------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._fields.renew(time.time())
        self.all_general_fields = self._fields.all
        now = self.now()
        for connection in [late for late in self.connections if late.deadline <= now]:
            connection.expire()
        if self.tls is not None:
            self._tick_tls(self.tls, now)
        self._ticker = self.loop.call_later(_DRAIN_TICK if self.is_draining else _TICK, self._tick)

    def _tick_tls(self, tls: Tls, now: float) -> None:
        tls.tick(now)
        if self.is_draining:  # handshakes that have ended since may be connections now, or nothing
            for connection in self.connections:
                connection.drain(self.timeouts.drain_idle)
            self._note_quiet()

    # -- the end ---------------------------------------------------------------------------------------

    async def drain(self, *, last: bool) -> None:
        """Stop accepting and return when every request is answered or the time for that is over.

        Args:
            last: Nobody takes over the listeners: what the kernel has queued on them is served first.
        """
        if last:
            await self._accept_queued()
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            listener.close()
        if self.tls is not None:
            for _ in range(_TURNS_TO_HANDSHAKE):
                await asyncio.sleep(0)
        self.is_draining = True
        self.idle_timeout = self.timeouts.drain_idle
        for connection in list(self.connections):
            connection.drain(self.timeouts.drain_idle)
        self._ticker.cancel()
        self._tick()
        self._note_quiet()
        if busy := len(self._busy_runners()):
            hint = " (CTRL+C to force quit)" if last else ""
            self.logger.info("Waiting for %d request%s to finish.%s", busy, "s" * (busy > 1), hint)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), self.timeouts.graceful_shutdown)
        await self._cut_off()
        self._ticker.cancel()

    async def _accept_queued(self) -> None:
        """Take over what clients see as connected already, before the last listener closes and resets it."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):  # BlockingIOError: nothing is queued any more
                while True:
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    accepting = self.loop.connect_accepted_socket(self._connect, sock, **self._tls_options())
                    if self.tls is None:
                        await accepting
                    else:
                        self._shake_hands(accepting)

    def _shake_hands(self, accepting: Coroutine[Any, Any, Any]) -> None:
        """Let a handshake run beside all others; its failure is only the client's business."""
        task = asyncio.ensure_future(accepting)
        self._accepting.add(task)
        task.add_done_callback(self._handshake_ended)

    def _handshake_ended(self, task: asyncio.Task[Any]) -> None:
        self._accepting.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not report it

    def _note_quiet(self) -> None:
        is_shaking_hands = self._accepting or (self.tls is not None and self.tls.is_shaking_hands)
        if not self.connections and not self._orphans and not is_shaking_hands:
            self._quiet.set()

    def _busy_runners(self) -> list[Runner]:
        runners = [connection.runner for connection in self.connections]
        return [*self._orphans, *(runner for runner in runners if runner is not None and not runner.is_idle)]

    async def _cut_off(self) -> None:
        """Cancel what is late and close what is left."""
        tasks = [runner.task for runner in self._busy_runners()]
        if tasks:
            text = "Cancel %d running task(s), timeout graceful shutdown exceeded"
            self.logger.error(text, len(tasks))
            for task in tasks:
                task.cancel(msg="Task cancelled, timeout graceful shutdown exceeded")
            await asyncio.wait(tasks, timeout=_CANCEL_GRACE)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the transports tell their protocols
