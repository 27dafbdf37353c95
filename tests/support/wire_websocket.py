"""Clients that open WebSockets, and an application that speaks with them, where time stands still."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from tests.support.wire import FakeTransport, Wire, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from srvctl.worker.http.connection import HttpConnection
    from srvctl.worker.http.link import Link

    Message = dict[str, Any]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FINAL, COMPRESSED = 0x80, 0x40
MASK = b"\x01\x82\x43\xf4"
KEY = "AAECAwQFBgcICQoLDA0ODw=="
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
_HEAD_END = b"\r\n\r\n"


def opening(path: str = "/", *fields: str) -> bytes:
    """Return a request for a WebSocket."""
    lines = (f"GET {path} HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade")
    own = (f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")
    return "\r\n".join((*lines, *own, *fields, "", "")).encode()


def frame(opcode: int, payload: bytes = b"", *, first: int = FINAL, mask: bytes = MASK) -> bytes:
    """Return a frame as a client sends it.

    Args:
        opcode: What it is.
        payload: What it holds.
        first: The flags of its first byte.
        mask: Four bytes; b"" for a frame that is not masked, as only servers send them.
    """
    size = len(payload)
    flag = 0x80 if mask else 0
    if size < 126:
        head = bytes((first | opcode, flag | size))
    elif size < 65536:
        head = bytes((first | opcode, flag | 126)) + size.to_bytes(2)
    else:
        head = bytes((first | opcode, flag | 127)) + size.to_bytes(8)
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """Return what a payload looks like behind a mask."""
    if not mask:
        return payload
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))


def text(payload: str) -> bytes:
    """Return a whole text message of a client."""
    return frame(TEXT, payload.encode())


def close(code: int | None = None, reason: str = "") -> bytes:
    """Return the close frame of a client."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2) + reason.encode())


class Got(NamedTuple):
    """A frame that a client has got."""

    first: int
    payload: bytes

    @property
    def opcode(self) -> int:
        """What it is."""
        return self.first & 0x0F

    @property
    def code(self) -> int | None:
        """The code of a close frame; None if it has none."""
        return int.from_bytes(self.payload[:2]) if self.payload else None


def read_frames(data: bytes) -> tuple[list[Got], bytes]:
    """Return the whole frames in what a server has sent, and the rest."""
    frames: list[Got] = []
    while len(data) >= 2:
        assert not data[1] & 0x80, "a server masks nothing"
        size, begin = data[1], 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(data[2:begin])
        if len(data) < begin + size:
            break
        frames.append(Got(data[0], data[begin : begin + size]))
        data = data[begin + size :]
    return frames, data


class SocketTransport(FakeTransport):
    """Changes its protocol."""

    wire: SocketWire

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.wire.connection = protocol  # type: ignore[assignment]  # both are a Link

    def _lose(self, end: str, error: Exception | None = None) -> None:
        self.end, self._lost, self._closing = end, True, True
        self._loop.call_soon(lambda: self.wire.connection.connection_lost(error))


class SocketWire(Wire):
    """One client.

    Attributes:
        head: Of the last answer to a request.
    """

    def __init__(self, world: SocketWorld, family: int, *, is_tls: bool) -> None:
        self.head = b""
        self._frames_from = b""
        self.world = world
        self.transport = SocketTransport(world.loop, family, is_tls=is_tls)
        self.transport.wire = self
        self.connection = cast("HttpConnection", world.server._connect())
        self._coming = deque()
        world.loop.call_soon(self.connection.connection_made, self.transport)
        world.turn()

    @property
    def link(self) -> Link:
        """The server's side, whichever protocol it speaks."""
        return self.connection

    @property
    def socket(self) -> Any:
        """The server's side of the WebSocket."""
        return self.connection

    @property
    def status(self) -> int:
        """The status of the answer to the handshake, which is taken; 0 without one."""
        if not self.head:
            self._frames_from += self.got
            head, end, rest = self._frames_from.partition(_HEAD_END)
            if not end:
                return 0
            self.head, self._frames_from = head, rest
        return int(self.head[9:12])

    @property
    def frames(self) -> list[Got]:
        """The frames that came since the last time."""
        if self.status != 101:
            return []
        frames, self._frames_from = read_frames(self._frames_from + self.got)
        return frames


class Player:
    """An application that does what it is told, in its own task or in others.

    Attributes:
        events: What it has received, in this order.
        errors: What was raised when it sent.
        is_over: It has returned, or failed.
        tasks: Those beside its own.
    """

    def __init__(
        self,
        world: SocketWorld,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        self.world, self.scope = world, scope
        self.path: str = scope["path"]
        self.receive, self.send = receive, send
        self.events: list[Message] = []
        self.errors: list[Exception] = []
        self.is_over = False
        self.tasks: list[asyncio.Task[None]] = []
        self._orders: asyncio.Queue[Callable[[], Awaitable[object]] | BaseException | None] = asyncio.Queue()

    async def run(self) -> None:
        """Be the application."""
        try:
            while (order := await self._orders.get()) is not None:
                if isinstance(order, BaseException):
                    raise order
                await order()
        finally:
            self.is_over = True

    def does(self, what: Callable[[], Coroutine[Any, Any, None]], *, apart: bool = False) -> None:
        """Do something: in a task apart, or in the application's own, which does nothing else meanwhile."""
        if apart:
            self.tasks.append(self.world.loop.create_task(what()))
        else:
            self._orders.put_nowait(what)
        self.world.turn()

    def asks(self, count: int = 1, *, apart: bool = False) -> None:
        """Receive so many events."""

        async def ask() -> None:
            for _ in range(count):
                self.events.append(await self.receive())

        self.does(ask, apart=apart)

    def sends(self, kind: str, *, apart: bool = False, **message: Any) -> None:
        """Send a message."""

        async def say() -> None:
            try:
                await self.send({"type": f"websocket.{kind}", **message})
            except Exception as error:
                self.errors.append(error)

        self.does(say, apart=apart)

    def accepts(self, **message: Any) -> None:
        """Receive the first event, and accept."""
        self.asks()
        self.sends("accept", **message)

    def returns(self) -> None:
        """Return."""
        self._orders.put_nowait(None)
        self.world.turn()

    def raises(self, error: BaseException | None = None) -> None:
        """Fail."""
        self._orders.put_nowait(error or RuntimeError("the application fails"))
        self.world.turn()

    @property
    def texts(self) -> list[Any]:
        """The messages among the events, texts or bytes."""
        received = (event for event in self.events if event["type"] == "websocket.receive")
        return [event["text"] if "text" in event else event["bytes"] for event in received]

    @property
    def codes(self) -> list[int]:
        """Those of the disconnect events."""
        return [event["code"] for event in self.events if event["type"] == "websocket.disconnect"]


class SocketWorld(World):
    """A worker's server that speaks WebSocket."""

    calls: list[Any]  # each is a `Player`

    def __init__(
        self,
        application: Callable[..., Awaitable[object]] | None = None,
        *,
        limits: dict[str, Any] | None = None,
        timeouts: dict[str, Any] | None = None,
        http: dict[str, Any] | None = None,
        **ws: Any,
    ) -> None:
        super().__init__(application, limits=limits, timeouts=timeouts, http=http, ws=ws)

    async def _serve(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        player = Player(self, scope, receive, send)
        self.calls.append(player)
        await player.run()

    def connect(self, family: int = socket.AF_INET, *, is_tls: bool = False) -> SocketWire:
        """Let a client come."""
        wire = SocketWire(self, family, is_tls=is_tls)
        self.wires.append(wire)
        return wire

    def open(self, *fields: str, is_tls: bool = False, **message: Any) -> tuple[SocketWire, Player]:
        """Let a client come, and the application accept its WebSocket."""
        wire = self.connect(is_tls=is_tls).sends(opening("/", *fields))
        player = self.player
        player.accepts(**message)
        assert wire.status == 101
        return wire, player

    @property
    def player(self) -> Player:
        """The application of the last request."""
        player: Player = self.calls[-1]
        return player

    def drains(self) -> None:
        """Let the worker begin to end."""
        self.loop.run_until_complete(self.server.stop_accepting(last=True))
        self.turn()

    def __enter__(self) -> Self:
        return self
