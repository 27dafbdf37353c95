"""WSGI applications (PEP 3333), called in threads; a2wsgi does that, and this puts right what it does not.

a2wsgi owns the threads, the plain parts of the environ and the way of each piece through the loop. Ours are:
a client that left, or a request that was cancelled, ends the iterator, instead of letting its thread wait for
ever; the order of the response (`wsgi_answer`); the body, read as from a file (`wsgi_body`); the rest of the
environ (`wsgi_environ`). Called as any application; knows nothing of servers.
"""

from __future__ import annotations

import asyncio
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.http.roles import ClientDisconnected
from srvctl.worker.interfaces.wsgi_answer import answer
from srvctl.worker.interfaces.wsgi_environ import complete, without_ambiguity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from a2wsgi import WSGIMiddleware

    from srvctl.worker.http.response import Message
    from srvctl.worker.http.scope import Scope
    from srvctl.worker.interfaces.wsgi_answer import StartResponse, WsgiApplication

    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

_EXCHANGE: Final = "srvctl.exchange"  #: key of a scope, on its way through a2wsgi
#: Pieces that wait for the client; each may be large. The application makes the next one meanwhile.
_WAITING_PIECES: Final = 1


def is_installed() -> bool:
    """Return whether there is what calls WSGI applications."""
    return find_spec("a2wsgi") is not None


class Wsgi:
    """Calls a WSGI application.

    Args:
        application: Takes the environ and ``start_response``.
        threads: How many requests it answers at once.
    """

    def __init__(self, application: WsgiApplication, threads: int) -> None:
        self._application = application
        self._threads = threads
        self._middleware: WSGIMiddleware | None = None
        self._abandoned: set[asyncio.Task[None]] = set()  #: the loop itself would forget them

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; refuse a WebSocket; know no lifespan, which to return at once says."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(asyncio.get_running_loop(), receive, send)
        passed = {**scope, "headers": without_ambiguity(scope["headers"]), _EXCHANGE: exchange}
        call = self._translator()(passed, exchange.receive, exchange.send)  # type: ignore[arg-type]
        # A task of its own, since a2wsgi must not be cancelled while its thread waits for it.
        task: asyncio.Task[None] = asyncio.ensure_future(call)
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            self._abandon(task, exchange)
            raise
        task.result()
        exchange.check()

    def _abandon(self, task: asyncio.Task[None], exchange: _Exchange) -> None:
        """Let a call end by itself: a thread cannot be cancelled, but there is nobody for its next piece."""
        exchange.failure = ClientDisconnected("the request was cancelled")
        if not exchange.has_begun:
            task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # or asyncio would say that nobody has looked at it

    def _translator(self) -> WSGIMiddleware:
        """Return what owns the threads; made by the first request, since no fork may carry them along."""
        if self._middleware is None:
            from a2wsgi import WSGIMiddleware  # noqa: PLC0415 - it is optional

            # Not of a method of ours: without a cycle, the threads end as soon as nobody has the application.
            call: Any = partial(_call, self._application, self._threads > 1)
            self._middleware = WSGIMiddleware(call, self._threads, _WAITING_PIECES)
        return self._middleware


def _call(
    application: WsgiApplication,
    is_threaded: bool,
    environ: dict[str, Any],
    start_response: StartResponse,
) -> Iterator[bytes]:
    """Call an application, in a thread."""
    scope = environ["asgi.scope"]
    exchange: _Exchange = scope.pop(_EXCHANGE)
    exchange.has_begun = True
    exchange.check()
    complete(environ, scope, exchange.wait_message, is_threaded=is_threaded)
    return answer(application, environ, start_response, exchange.check)


class _Exchange:
    """One request and its response, between the loop and the thread that answers it.

    Attributes:
        failure: Why nothing more can be sent; None while it can.
        has_begun: A thread has taken the request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send) -> None:
        self.failure: Exception | None = None
        self.has_begun = False
        self.receive = receive
        self._loop = loop
        self._send = send

    async def send(self, message: Message) -> None:
        """Send a message; one that cannot be sent is dropped, and the thread is told so at its next step.

        To raise would end a2wsgi's sender: the thread would wait for ever for somebody to take its pieces.
        """
        if self.failure is not None:
            return
        try:
            await self._send(message)
        except Exception as error:  # noqa: BLE001 - it is raised in the thread
            self.failure = error

    def check(self) -> None:
        """Raise what keeps this from being answered, if anything does."""
        if self.failure is not None:
            raise self.failure

    def wait_message(self) -> Message:
        """Return the next message, in a thread.

        Raises:
            ClientDisconnected: There will be none.
        """
        self.check()
        receiving = self._receive()
        try:
            future = asyncio.run_coroutine_threadsafe(receiving, self._loop)
        except RuntimeError:  # the loop is closed
            receiving.close()
            raise ClientDisconnected("the worker has ended") from None
        return future.result()

    async def _receive(self) -> Message:
        return await self.receive()
