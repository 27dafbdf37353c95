"""A server with clients that are not there: time stands still until it is moved on, and nobody waits."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Self, cast

from srvctl.ipc.scoreboard import Cell
from srvctl.settings.groups import HttpSettings, LimitSettings, Settings, TimeoutSettings, WsSettings
from srvctl.worker.server import Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srvctl.worker.http.connection import HttpConnection

    Message = dict[str, Any]

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
STEP = 0.25  #: seconds by which time moves on at once
_TURNS = 10_000


def get(path: str, *fields: str, version: str = "1.1") -> bytes:
    """Return a request without a body."""
    return "\r\n".join((f"GET {path} HTTP/{version}", "Host: h", *fields, "", "")).encode()


def post(path: str, length: int, *fields: str) -> bytes:
    """Return the head of a request with a body."""
    return get(path, f"Content-Length: {length}", *fields).replace(b"GET", b"POST", 1)


class StillLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still."""

    now = 1000.0
    complaints: list[dict[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.complaints = []
        self.set_exception_handler(lambda _, context: self.complaints.append(context))

    def time(self) -> float:
        return self.now

    def turn(self) -> None:
        """Run whatever can run now."""
        for _ in range(_TURNS):
            self.call_soon(self.stop)
            self.run_forever()
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise AssertionError("it never rests")

    def advance(self, seconds: float) -> None:
        """Let time go by, in small steps."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + STEP)
            self.turn()


class FakeSocket:
    """Notes its options."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.options: list[tuple[object, ...]] = []

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *option: object) -> None:
        self.options.append(option)


class FakeTransport(asyncio.Transport):
    """Carries bytes to a client that takes them or does not.

    Attributes:
        taken: What the client has got.
        end: How its connection has ended: "" not at all, "eof" in one direction, "closed" behind the last
            byte, "aborted" with bytes missing for all the client knows, "reset" in a way that it notices.
    """

    def __init__(self, loop: StillLoop, family: int, *, is_tls: bool) -> None:
        super().__init__()
        self._loop = loop
        self._is_tls = is_tls
        self.socket: Any = FakeSocket(family)
        self.unsent = b""
        self.taken = b""
        self.end = ""
        self.client_reads = True
        self.has_eof = False
        self.reads = True
        self._closing = self._lost = self._paused = False
        self._high = self._low = 0
        self.wire: Wire

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        values = {
            "socket": self.socket,
            "sockname": ("127.0.0.1", 8000),
            "peername": ("127.0.0.1", 5000),
            "sslcontext": object() if self._is_tls else None,
        }
        return values.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.wire.connection = cast("HttpConnection", protocol)

    # -- writing -----------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._closing:
            return
        assert not self.has_eof, "bytes behind the end"
        self.unsent += data
        self.flush()
        if len(self.unsent) > self._high and not self._paused:
            self._paused = True
            self.wire.connection.pause_writing()

    def flush(self) -> None:
        """Let the client take what it wants."""
        if self.client_reads:
            self.taken, self.unsent = self.taken + self.unsent, b""
        if self._paused and len(self.unsent) <= self._low and not self._lost:
            self._paused = False
            self.wire.connection.resume_writing()
        if not self.unsent and not self._lost:
            if self._closing:
                self._lose("closed")
            elif self.has_eof:
                self.end = "eof"

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high if high is not None else 65536
        self._low = low if low is not None else self._high // 4
        if len(self.unsent) > self._high and not self._paused:
            self._paused = True
            self.wire.connection.pause_writing()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def can_write_eof(self) -> bool:
        return not self._is_tls

    def write_eof(self) -> None:
        assert not self._is_tls
        self.has_eof = True
        self.flush()

    # -- reading -----------------------------------------------------------------------------------

    def is_reading(self) -> bool:
        return self.reads and not self._closing

    def pause_reading(self) -> None:
        assert self.reads, "paused twice"
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads, "resumed without a pause"
        self.reads = True
        self._loop.call_soon(self.wire.deliver)

    # -- the end -----------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self.flush()

    def abort(self) -> None:
        self._closing = True
        is_reset = any(option[1] == socket.SO_LINGER for option in getattr(self.socket, "options", ()))
        self.unsent = b""
        if not self._lost:
            self._lose("reset" if is_reset else "aborted")

    def _lose(self, end: str, error: Exception | None = None) -> None:
        self.end, self._lost, self._closing = end, True, True
        self._loop.call_soon(self.wire.connection.connection_lost, error)

    def break_off(self) -> None:
        """Let the client leave without a word."""
        self.unsent = b""
        if not self._lost:
            self._lose("left", ConnectionResetError())


class Wire:
    """One client."""

    def __init__(self, world: World, family: int, *, is_tls: bool) -> None:
        self.world = world
        self.transport = FakeTransport(world.loop, family, is_tls=is_tls)
        self.transport.wire = self
        self.connection = cast("HttpConnection", world.server._connect())
        self._coming: deque[bytes | None] = deque()
        world.loop.call_soon(self.connection.connection_made, self.transport)
        world.turn()

    def sends(self, *pieces: bytes) -> Self:
        """Send pieces, each of which arrives by itself."""
        self._coming += pieces
        self.world.loop.call_soon(self.deliver)
        self.world.turn()
        return self

    def shuts_down(self) -> None:
        """Send nothing more."""
        self._coming.append(None)
        self.world.loop.call_soon(self.deliver)
        self.world.turn()

    def deliver(self) -> None:
        """Let the server read what has arrived, one piece in each turn."""
        if not self._coming or not self.transport.is_reading():
            return
        piece = self._coming.popleft()
        if piece is None:
            if not self.connection.eof_received():
                self.transport.close()
        else:
            self.connection.data_received(piece)
            self.world.loop.call_soon(self.deliver)

    def stops_reading(self) -> None:
        """Take nothing more of what is sent."""
        self.transport.client_reads = False

    def reads(self, size: int | None = None) -> None:
        """Take all that is sent from now on, or so many bytes of it, once."""
        if size is None:
            self.transport.client_reads = True
        else:
            unsent = self.transport.unsent
            self.transport.taken += unsent[:size]
            self.transport.unsent = unsent[size:]
        self.world.loop.call_soon(self.transport.flush)
        self.world.turn()

    def leaves(self) -> None:
        """Be gone."""
        self.transport.break_off()
        self.world.turn()

    @property
    def got(self) -> bytes:
        """What came since the last time."""
        taken, self.transport.taken = self.transport.taken, b""
        return taken

    @property
    def statuses(self) -> list[int]:
        """The statuses among what came since the last time; bodies must not contain ``HTTP/1.1``."""
        return [int(part[1:4]) for part in self.got.split(b"HTTP/1.1")[1:]]

    @property
    def end(self) -> str:
        """How the connection has ended."""
        return self.transport.end

    @property
    def unread(self) -> int:
        """Bytes that the server has not read."""
        return sum(len(piece) for piece in self._coming if piece is not None)


class Call:
    """One request in the hands of an application that does what it is told."""

    def __init__(
        self,
        world: World,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        self.world = world
        self.scope = scope
        self.path: str = scope["path"]
        self.events: list[Message] = []
        self.errors: list[Exception] = []
        self.is_over = False
        self.is_asking = False  #: it waits for an event
        self._receive, self._send = receive, send
        self._orders: asyncio.Queue[Callable[[], Awaitable[object]] | Exception | None] = asyncio.Queue()

    async def run(self) -> None:
        """Be the application."""
        try:
            while (order := await self._orders.get()) is not None:
                if isinstance(order, Exception):
                    raise order
                try:
                    await order()
                except Exception as error:
                    self.errors.append(error)
        finally:
            self.is_over = True

    def _order(self, order: Callable[[], Awaitable[object]] | Exception | None) -> None:
        self._orders.put_nowait(order)
        self.world.turn()

    def sends(self, kind: str, **message: Any) -> None:
        """Send a message of the response."""
        self._order(lambda: self._send({"type": f"http.response.{kind}", **message}))

    def starts(self, status: int = 200, *headers: tuple[bytes, bytes], **message: Any) -> None:
        """Send the start of the response."""
        self.sends("start", status=status, headers=headers, **message)

    def streams(self, body: bytes) -> None:
        """Send a piece of the body."""
        self.sends("body", body=body, more_body=True)

    def ends(self, body: bytes = b"") -> None:
        """Send the last piece of the body."""
        self.sends("body", body=body)

    def answers(self, body: bytes = b"ok", *headers: tuple[bytes, bytes]) -> None:
        """Send a whole response, and return."""
        self.starts(200, *headers)
        self.ends(body)
        self.returns()

    def asks(self) -> None:
        """Call receive."""

        async def ask() -> None:
            self.is_asking = True
            self.events.append(await self._receive())
            self.is_asking = False

        self._order(ask)

    def returns(self) -> None:
        """Return."""
        self._order(None)

    def raises(self) -> None:
        """Fail."""
        self._order(RuntimeError("the application fails"))


class World:
    """A worker's server, and clients and an application that do what they are told."""

    def __init__(
        self,
        application: Callable[..., Awaitable[object]] | None = None,
        *,
        limits: dict[str, Any] | None = None,
        timeouts: dict[str, Any] | None = None,
        http: dict[str, Any] | None = None,
        ws: dict[str, Any] | None = None,
    ) -> None:
        self.loop = StillLoop()
        self.calls: list[Call] = []
        self.wires: list[Wire] = []
        settings = Settings(
            limits=LimitSettings(**limits or {}),
            timeouts=TimeoutSettings(**timeouts or {}),
            http=HttpSettings(**http or {}),
            ws=WsSettings(**ws or {}),
        )

        async def make() -> Server:
            return Server(application or self._serve, settings, state=None, context=contextvars.Context())

        self.server = self.loop.run_until_complete(make())

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        call = Call(self, scope, receive, send)
        self.calls.append(call)
        await call.run()

    def connect(self, family: int = socket.AF_INET, *, is_tls: bool = False) -> Wire:
        """Let a client come."""
        wire = Wire(self, family, is_tls=is_tls)
        self.wires.append(wire)
        return wire

    @property
    def call(self) -> Call:
        """The last request."""
        return self.calls[-1]

    def all_return(self) -> None:
        """Let one request after the other return, without a response, until none is left."""
        while not self.call.is_over:
            self.call.returns()

    def turn(self) -> None:
        """Run whatever can run now."""
        self.loop.turn()

    def advance(self, seconds: float) -> None:
        """Let time go by."""
        self.loop.advance(seconds)

    def advance_until(self, condition: Callable[[], bool], limit: float) -> float:
        """Let time go by until something is so; return how long it took."""
        begin = self.loop.now
        while not condition():
            assert self.loop.now < begin + limit, f"not even after {limit} seconds"
            self.loop.advance(STEP)
        return self.loop.now - begin

    def ends(self) -> None:
        """Let everybody leave and every application return; check that nothing is left of them."""
        self._let_go()
        server = self.server
        assert not server.connections
        assert not server._orphans
        assert not server.timers._buckets, "something is left on the wheel"
        if server.admission is not None:
            assert not server.admission._active, "a place was not given back"
            assert not server.admission._waiting
        assert server.cells[Cell.BEGUN] == server.cells[Cell.FINISHED], "a request was never finished"
        assert self.loop.complaints == []
        assert not asyncio.all_tasks(self.loop)
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.ends()
            return
        self._let_go()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.turn()
        self.loop.close()

    def _let_go(self) -> None:
        for wire in self.wires:
            wire.leaves()
        for call in self.calls:
            call.returns()
        self.server._ticker.cancel()
