"""`Server`: one server inside a program, in the loop and the process that are there.

Owns the order of its life and what programs may do to it meanwhile; the serving itself is that of a worker
(`srvctl.worker.serving`). Must not know of masters and workers. Used by `run` and `serve`, and by programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

from srvctl.embedding.leaving import leave
from srvctl.embedding.listening import adopt, listening_servers, open_addresses
from srvctl.embedding.messages import linked
from srvctl.embedding.refusing import refuse_for_one_process
from srvctl.embedding.signals import HANDLED, audience
from srvctl.embedding.tls import tls_of
from srvctl.embedding.views import LifespanState, ServerState
from srvctl.embedding.wish import Wish
from srvctl.errors import AppError, SrvctlError
from srvctl.logs.announcing import announce
from srvctl.worker.drain import LAST_STEP
from srvctl.worker.serving import Serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from types import FrameType

    from srvctl.embedding.config import Config
    from srvctl.embedding.listening import ListeningServer
    from srvctl.settings.groups import Settings

logger = logging.getLogger("srvctl.error")

_TICK: Final = 0.1  #: seconds between calls of `Server.on_tick`
_TICKS: Final = 864_000  #: in a day, after which they are counted anew
#: Seconds in which a second SIGINT is an echo of the first: a terminal sends it to a whole group, and who
#: started this program may pass on its own (ADR 6).
_ECHO: Final = 0.1


class Server:
    """Serves what a `Config` says, in the event loop that runs `serve`.

    Attributes:
        config: What is served.
        started: It listens, or did.
        servers: What listens, one for each address; their ``sockets`` tell the port.
        server_state: What it is doing.
        lifespan: The lifespan of the application; from `startup` on.
    """

    lifespan: LifespanState

    def __init__(self, config: Config) -> None:
        self.config = config
        self.server_state = ServerState()
        self.started = False
        self.servers: list[ListeningServer] = []
        self.last_notified = 0.0
        self._stop = Wish()
        self._force = Wish()
        self._serving: Serving | None = None
        self._links = contextlib.AsyncExitStack()
        self._most_requests = 0
        self._captured: list[signal.Signals] = []
        self._last_interrupt = -_ECHO
        #: The captured signals that the program is to get as well, in the end; None for all.
        self._passed_on: frozenset[signal.Signals] | None = None

    def __repr__(self) -> str:
        state = "stopping" if self._stop else "started" if self.started else "new"
        return f"Server({', '.join(url for server in self.servers for url in server.urls)}; {state})"

    @property
    def should_exit(self) -> bool:
        """A stop is asked for; may be set in any thread."""
        return bool(self._stop)

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._stop.set(value)

    @property
    def force_exit(self) -> bool:
        """Nothing is to be waited for any more; may be set in any thread."""
        return bool(self._force)

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        self._force.set(value)

    @property
    def url(self) -> str:
        """Where it can be reached, ``http://127.0.0.1:8000``; empty before it has started."""
        return self.servers[0].urls[0] if self.servers else ""

    # -- its life --------------------------------------------------------------------------------------

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in a new event loop until asked to stop; in the main thread, SIGINT and SIGTERM ask.

        Args:
            sockets: Listened on instead of the addresses of the config, and closed in the end.

        Raises:
            SystemExit: It never served: code 3.
        """
        # A stop by signal is a success; only a handler that the program has made hears of it as well.
        self._passed_on = frozenset(
            number
            for number in HANDLED
            if callable(handler := signal.getsignal(number)) and handler is not signal.default_int_handler
        )
        try:
            with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
                runner.run(self.serve(sockets=sockets))
        finally:
            self._passed_on = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to stop.

        In the main thread, SIGINT and SIGTERM ask; once it is over, they are raised again for the program.
        When its task is cancelled, running requests are as well.

        Args:
            sockets: As for `run`.

        Raises:
            SystemExit: The application or an address was at fault: code 3.
        """
        with self.capture_signals():
            await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and listen.

        Args:
            sockets: As for `run`.

        Raises:
            SystemExit: The application or an address was at fault: code 3.
        """
        try:
            await self.begin(sockets)
        except SrvctlError as error:
            leave(error)

    async def begin(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what `startup` does, and leave the process alone.

        Args:
            sockets: As for `run`.

        Raises:
            SrvctlError: The application, an address or a setting was at fault; nothing is left open.
        """
        self._stop.belong_to_loop()
        self._force.belong_to_loop()
        self.started = False
        config = self.config
        settings = config.to_settings()
        refuse_for_one_process(config.to_layer())
        application, tls = config.load_or_raise(), tls_of(config, settings)
        self._serving = serving = Serving(application, settings, tls)
        self.lifespan = LifespanState(config)
        self.lifespan.watch(serving)
        try:
            await self._links.enter_async_context(linked(settings.broadcast))
            await serving.start(self._stop.event)
            if not self.should_exit:
                self._listen(settings, sockets)
        except BaseException as error:
            self.lifespan.should_exit = isinstance(error, AppError)
            await self._give_up()
            raise
        if not self.started:
            await self._give_up()

    async def main_loop(self) -> None:
        """Wait until a stop is asked for, and call `on_tick` ten times a second."""
        stopped = asyncio.ensure_future(self._stop.event.wait())
        try:
            counter = 0
            while not await self.on_tick(counter):
                counter = (counter + 1) % _TICKS
                await asyncio.wait([stopped], timeout=_TICK)
                if stopped.done() and not self.should_exit:  # somebody changed his mind
                    stopped = asyncio.ensure_future(self._stop.event.wait())
        finally:
            stopped.cancel()

    async def on_tick(self, counter: int) -> bool:  # noqa: ARG002 - for those who override it
        """Return whether to stop.

        Args:
            counter: Calls so far, from 0 on.
        """
        notify = self.config.callback_notify
        if notify is not None and time.time() - self.last_notified > self.config.timeout_notify:
            self.last_notified = time.time()
            await notify()
        if self.should_exit:
            return True
        if self._most_requests and self.server_state.total_requests >= self._most_requests:
            text = "Maximum request limit of %d exceeded. Terminating process."
            logger.info(text, self._most_requests)
            return True
        return False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give running requests their end, and the application its shutdown; `force_exit` cuts it short.

        Args:
            sockets: As for `run`.
        """
        serving = self._serving
        if serving is None:
            return
        logger.info("Shutting down")
        self._close_listeners(sockets)
        if not self.force_exit:
            await self._force.cuts_short(serving.drain(last=True))
        await self._close(serving)
        if not self.force_exit:
            await self._force.cuts_short(serving.shut_down())
        await self._end(serving)

    # -- signals ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have SIGINT and SIGTERM call `handle_exit`; afterwards, raise for the program what came.

        Outside the main thread, where Python knows no signals, it does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handler = self.handle_exit  # as it is now, whoever has put another in its place
        self._captured.clear()
        audience.join(handler)
        try:
            yield
        finally:
            audience.leave(handler)
        captured, self._captured = self._captured, []
        audience.owe(one for one in captured if self._passed_on is None or one in self._passed_on)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """Ask for a stop; a second SIGINT waits for nothing.

        Args:
            sig: The signal.
            frame: Where it interrupted the program.
        """
        self._captured.append(signal.Signals(sig))
        now = time.monotonic()
        if sig == signal.SIGINT:
            is_echo = now - self._last_interrupt < _ECHO
            self._last_interrupt = now
            if is_echo:
                return
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self.should_exit = True

    # -- details ---------------------------------------------------------------------------------------

    async def _serve(self, sockets: list[socket.socket] | None) -> None:
        logger.info("Started server process [%d]", os.getpid())
        try:
            await self.startup(sockets=sockets)
            if self.started and not self.should_exit:
                await self.main_loop()
        except BaseException:
            await self._give_up()
            raise
        if self.started:
            await self.shutdown(sockets=sockets)
            logger.info("Finished server process [%d]", os.getpid())

    def _listen(self, settings: Settings, sockets: list[socket.socket] | None) -> None:
        """Take connections.

        Raises:
            BindError: An address cannot be opened.
        """
        if self._serving is None:
            return
        if sockets is None:
            listeners = open_addresses(settings, is_tls=self.config.is_ssl)
        else:
            listeners = adopt(sockets, settings.server.backlog, is_tls=self.config.is_ssl)
        self.servers = listening_servers(listeners)
        self._serving.listen([sock for server in self.servers for sock in server.accepted_from])
        self.server_state.watch(self._serving)
        workers = settings.workers
        self._most_requests = 0
        if workers.max_requests:  # not for secrets: what began together is not to end together
            self._most_requests = workers.max_requests + random.randint(0, workers.max_requests_jitter)  # noqa: S311
        self.started = True
        if sockets is None:
            for listener in listeners:
                announce(logger, listener.url)

    def _close_listeners(self, sockets: list[socket.socket] | None) -> None:
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()

    async def _give_up(self) -> None:
        """End without waiting for requests; when everything has ended already, do nothing."""
        serving = self._serving
        if serving is None:
            return
        self._close_listeners(None)
        if serving.server is not None:
            await serving.server.stop_accepting(last=False)
        await self._close(serving)
        if not self.force_exit:
            await self._force.cuts_short(serving.shut_down())
        await self._end(serving)

    @staticmethod
    async def _close(serving: Serving) -> None:
        await serving.close()
        tasks = [runner.task for runner in serving.server.busy_runners()] if serving.server else []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_STEP)

    async def _end(self, serving: Serving) -> None:
        self._serving = None
        if serving.lifespan is not None:
            await serving.lifespan.cancel()  # whose shutdown was cut short
        await self._links.aclose()
