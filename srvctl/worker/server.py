"""What all connections of one worker share: the application, the settings, the clock, cached bytes, logs."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.handshakes import hear_all
from srvctl.ipc.scoreboard import Cell, private_cells
from srvctl.worker.access import Access
from srvctl.worker.admission import Admission, Waiter
from srvctl.worker.balance import Balance
from srvctl.worker.durations import Durations
from srvctl.worker.general_fields import GeneralFields
from srvctl.worker.heartbeat import Heartbeat
from srvctl.worker.http import extensions
from srvctl.worker.http.connection import HttpConnection
from srvctl.worker.http.h11_codec import H11Codec
from srvctl.worker.http.native_codec import NativeCodec
from srvctl.worker.http.request_id import RequestIds, with_id
from srvctl.worker.http.runner import Runner
from srvctl.worker.http.scope import ScopeMaker
from srvctl.worker.http.surroundings import Peer, Surroundings
from srvctl.worker.listening import Listening
from srvctl.worker.proxy.forwarding import ProxyPolicy
from srvctl.worker.refusals import Refusals
from srvctl.worker.timers import TimerWheel
from srvctl.worker.tls.extension import tls_extension
from srvctl.worker.websocket.leaving import spread_leaves
from srvctl.worker.websocket.opener import Opener

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from srvctl.ipc.scoreboard import Cells
    from srvctl.settings.groups import Settings
    from srvctl.worker.http.cycle import Application, RequestCycle
    from srvctl.worker.http.link import Link
    from srvctl.worker.http.protocol import Codec, RequestSink
    from srvctl.worker.http.runner import RunnerHost
    from srvctl.worker.tls.reloading import Tls

_TICK: Final = 0.5  #: seconds between looks at deadlines and the date
_DRAIN_TICK: Final = 0.05
_UNLIMITED: Final = sys.maxsize


class Server:
    """Serves one application on inherited listeners until it is drained.

    Args:
        application: The ASGI application.
        settings: How to serve it.
        state: What its lifespan put into ``scope["state"]``; None when lifespan is off.
        context: The context each request starts from, unless the settings say that it is an empty one.
        tls: TLS, which every listener then speaks; None for plain HTTP.
        cells: Of the board on which the master sees how this worker fares; None without a master.
        shares: Descriptor of the table of all workers' connections; None where nobody shares the listeners.

    Attributes:
        now: Returns the time of the loop's clock, in seconds.
        next_look: When something that begins now is to be looked at first: a tick from now or more.
        idle_from: When a connection that idles from now on begins to; up to a tick later than it does.
        idle_deadline: When a connection that idles from now on is closed; moved on with each tick.
        max_body_size: Largest request body, in bytes.
        max_requests: Requests a connection may carry; 0 for any number.
        admission: Counts requests; None when there may be any number.
        exempt_paths: Paths of requests that are not counted.
        access: Takes finished requests; None when nobody wants to know.
        times_requests: Somebody wants to know how long they took.
        request_ids: Names requests; None when they have no names.
        has_extras: One of the last three settings asks for something at the beginning of each request.
        opener: Opens WebSockets; None when they are not spoken.
        refusals: Says that clients were refused, as often as the log can bear.
        timers: Wakes connections at their deadlines.
        cells: Where requests are counted.
    """

    def __init__(
        self,
        application: Application,
        settings: Settings,
        *,
        state: dict[str, Any] | None,
        context: contextvars.Context,
        tls: Tls | None = None,
        cells: Cells | None = None,
        shares: int | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.now = self.loop.time
        self.limits, self.timeouts = limits, timeouts = settings.limits, settings.timeouts
        self.is_draining = False
        self.logger = logging.getLogger("srvctl.error")
        #: Oldest first, with when they were made, as far as that is known.
        self.connections: dict[Link, float | None] = {}
        self.timers: TimerWheel[Link] = TimerWheel(_TICK)
        self.next_look = self.idle_from = self.idle_deadline = 0.0
        self.max_body_size = limits.request_body_size or _UNLIMITED
        self.max_requests = limits.requests_per_connection
        self.admission: Admission[RequestCycle, Waiter] | None = None
        if limits.concurrency:
            self.admission = Admission(limits.concurrency, limits.concurrency_queue)
        root_path = settings.app.root_path
        self.exempt_paths = frozenset(root_path + path for path in limits.exempt_paths)
        self.access = Access.wanted(self.loop)
        self.times_requests = self.access is not None and self.access.needs_times
        self.request_ids = RequestIds() if settings.http.request_id else None
        self.has_extras = bool(self.max_requests or self.times_requests or self.request_ids is not None)
        self.refusals = Refusals(self.loop)
        self.opener = Opener(self, settings.ws) if settings.ws.protocol != "none" else None
        self.cells: Cells = private_cells() if cells is None else cells
        self._durations = Durations()
        self._heartbeat = Heartbeat(cells) if cells is not None else None
        self._settings = settings
        self._application = application
        self._context = contextvars.Context() if settings.app.reset_contextvars else context
        self._state = state
        self._extensions = extensions.offered(
            early_hints=settings.http.early_hints, debug=self.logger.isEnabledFor(logging.DEBUG)
        )
        self._proxies = ProxyPolicy(settings.proxy)
        self._opens: Callable[[Server, Peer | None], Link] = HttpConnection
        if settings.http.http2:
            from srvctl.worker.http2.opening import Opening  # noqa: PLC0415 - only where it is spoken

            self._opens = Opening
        self._codec = H11Codec if settings.http.codec == "h11" else NativeCodec
        self._fields = GeneralFields(settings.http)
        self.general_fields = self._fields.beside
        self.all_general_fields = self._fields.all
        self._turned_away = 0  #: since the last tick
        self._tls = tls
        self._listening = Listening(
            self._connect,
            tls,
            self._proxies,
            timeouts,
            self._accepting_changed,
            is_alone=settings.workers.count == 1 and settings.workers.max <= 1,
        )
        self._shares = shares
        self._balance: Balance | None = None  #: while connections are accepted
        self._orphans: set[Runner] = set()
        self._quiet = asyncio.Event()  #: set while draining, once nothing is left to wait for
        self._tick()

    def listen(self, sockets: Iterable[socket.socket]) -> None:
        """Accept connections on the sockets, which are then the server's to close."""
        sockets = list(sockets)
        if self._shares is not None:
            is_courteous = self._settings.server.balance != "off"
            self._balance = Balance.join(self._shares, sockets, self._count, is_courteous=is_courteous)
        self._listening.start(sockets, self._balance)

    def _count(self) -> int:
        return len(self.connections) + self._listening.pending

    def _connect(self, peer: Peer | None = None) -> Link:
        return self._opens(self, peer)

    # -- called by the connections ---------------------------------------------------------------------

    def make_codec(self, sink: RequestSink) -> Codec:
        """Return what reads the requests of a connection."""
        return self._codec(sink, self.limits)

    def make_scopes(self, transport: asyncio.BaseTransport, peer: Peer | None) -> ScopeMaker:
        """Return what makes the scopes of a connection.

        Args:
            transport: Of the connection.
            peer: Whom it is for; None for whoever is connected.
        """
        peer = peer or Peer.of(transport)
        tls = tls_extension(transport) if self._tls is not None else None
        around = Surroundings(  # not `replace`, which takes longer than all the rest
            root_path=self._settings.app.root_path,
            state=self._state,
            scheme="https" if tls is not None or peer.is_tls else "http",
            client=peer.client,
            server=peer.server,
            extensions=self._extensions if tls is None else {**self._extensions, extensions.TLS: tls},
            forwarding=peer.forwarding(self._proxies),
        )
        return ScopeMaker(around)

    def add_extras(self, cycle: RequestCycle) -> None:
        """Do what some settings ask for at the beginning of each request."""
        if self.request_ids is not None:
            headers = cycle.scope["headers"]
            cycle.request_id = self.request_ids.of(headers)
            cycle.scope["headers"] = with_id(headers, cycle.request_id)
        if self.times_requests:
            cycle.began = time.monotonic()  # uvloop's clock counts whole milliseconds

    def make_runner(self, connection: RunnerHost, cycle: RequestCycle) -> Runner:
        """Return what answers the requests of a connection, beginning with this one."""
        on_return = self.request_done if self.admission is not None else None
        return Runner(
            connection,
            self._application,
            self.loop,
            self._context,
            cycle,
            on_return,
            self.cells,
            self._durations,
        )

    def adopt(self, runner: Runner) -> None:
        """Keep a runner whose connection has gone on, or is gone, until its application returns."""
        self._orphans.add(runner)

    def runner_ended(self, runner: Runner) -> None:
        """Forget such a runner."""
        self._orphans.discard(runner)
        self._note_quiet()

    def connection_made(self, connection: Link) -> None:
        """Know of a new connection, unless it has taken the place of one."""
        if connection not in self.connections:
            self.connections[connection] = self.now()
            self._listening.note_made()

    def replace(self, connection: Link, successor: Link) -> None:
        """Know a connection by what speaks with its client from now on."""
        self.timers.remove(connection)
        self.connections[successor] = self.connections.pop(connection)

    def connection_closed(self, connection: Link) -> None:
        """Forget a connection."""
        self.timers.remove(connection)
        made = self.connections.pop(connection, None)
        if self._balance is not None:
            self._balance.note_end(None if made is None else self.now() - made)
        self._note_quiet()

    def request_done(self, cycle: RequestCycle) -> None:
        """Let the next request have the place of one that the application is done with."""
        if self.admission is not None:
            waiter = self.admission.leaves(cycle)
            if waiter is not None:  # not at once: we are inside the other request's task
                self.loop.call_soon(waiter.answer_now)

    def turn_away(self, cycle: RequestCycle) -> None:
        """Answer a request for which there is no room."""
        self._turned_away += 1
        for cell in (Cell.BEGUN, Cell.FINISHED, Cell.ERRORS):
            self.cells[cell] += 1
        self._durations.note_refusal(503)
        cycle.answer(503, b"Service Unavailable", (b"retry-after", b"%d" % self.limits.retry_after))

    def report(self, error: BaseException | None, text: str) -> None:
        """Log a fault of the application, with its traceback."""
        self.logger.error(text, exc_info=error)

    def debug(self, info: object) -> None:
        """Log what the application sent with the debug extension."""
        self.logger.debug("The application says: %r", info)

    # -- time ------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.now()
        tick = _DRAIN_TICK if self.is_draining else _TICK
        idle = self.timeouts.drain_idle if self.is_draining else self.timeouts.keep_alive
        self.next_look = now + 2 * tick
        self.idle_from = now + tick
        self.idle_deadline = self.idle_from + idle
        self._ticker = self.loop.call_later(tick, self._tick)
        if self._heartbeat is not None:
            self._beat(self._heartbeat, tick)
        self._fields.renew(time.time())
        self.all_general_fields = self._fields.all
        # What clients sent while the loop was held up is still in the kernel, and libuv runs timers before it
        # looks there. So who is late is judged behind the next look: the second of two turns is, in any loop.
        self.loop.call_soon(self.loop.call_soon, self._judge, now)
        if self._turned_away:
            self.logger.warning("Exceeded concurrency limit: %d answered 503.", self._turned_away)
            self._turned_away = 0
        if self._tls is not None:
            self._tls.tick(now)

    def _judge(self, moment: float) -> None:
        """Wake the connections whose deadline this moment was beyond, and to which nothing has come since."""
        for connection in self.timers.expired(moment):
            self._expire(connection, moment)
        if self.is_draining:
            self._drain_connections()

    def _beat(self, heartbeat: Heartbeat, due_in: float) -> None:
        waiting = self.admission.waiting if self.admission is not None else 0
        connections = len(self.connections)
        heartbeat.beat(time.monotonic(), due_in=due_in, connections=connections, waiting=waiting)
        self._durations.write(self.cells)
        if self._balance is not None:
            self._balance.beat()

    def _expire(self, connection: Link, now: float) -> None:
        """Wake a connection; whatever goes wrong with one must not stop the clock of all others."""
        try:
            connection.expire(now)
        except Exception:
            self.logger.exception("A connection failed at its deadline.")
            connection.abort()

    # -- the end ---------------------------------------------------------------------------------------

    async def stop_accepting(self, *, last: bool) -> None:
        """Take no more connections; responses are the last on theirs from now on.

        Args:
            last: Nobody takes over the listeners: what the kernel has queued on them is served first.
        """
        balance, self._balance = self._balance, None
        if balance is not None:
            balance.leave()
        await self._listening.stop(last=last)
        if last:  # the master keeps clients from connecting, with means that connections inherit
            hear_all(self._listening.sockets)
            hear_all(sock for connection in self.connections if (sock := connection.sock) is not None)
        self.is_draining = True
        spread = min(self._settings.ws.drain_spread, self.timeouts.graceful_shutdown / 2)
        spread_leaves(self.connections, self.now(), spread)
        self._ticker.cancel()
        self._tick()

    async def wait_until_quiet(self, seconds: float) -> None:
        """Wait until no connection is left and every application has returned, but no longer than this."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), max(seconds, 0))

    def busy_runners(self) -> list[Runner]:
        """Return those whose application is at work."""
        runners = [runner for connection in self.connections for runner in connection.runners]
        return [*self._orphans, *(runner for runner in runners if not runner.is_idle)]

    async def close(self) -> None:
        """Close what is left."""
        self._listening.close()
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # lets the transports tell their protocols
        self._ticker.cancel()
        self._durations.write(self.cells)
        if self._heartbeat is not None:
            self._heartbeat.close()
        self.refusals.close()
        if self.access is not None:
            self.access.close()

    def _drain_connections(self) -> None:
        """Close what idles; handshakes that have ended since the last look may be connections now."""
        for connection in list(self.connections):
            connection.drain(self.timeouts.drain_idle)
        self._note_quiet()

    def _accepting_changed(self) -> None:
        if self._balance is not None:
            self._balance.note()
        self._note_quiet()

    def _note_quiet(self) -> None:
        if self.is_draining and not (self.connections or self._orphans or self._listening.is_shaking_hands):
            self._quiet.set()
