"""An open WebSocket: what is read and when, what is sent, deadlines, and every way to end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.wire import GET
from tests.support.wire_websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    SocketWorld,
    close,
    frame,
    opening,
    text,
)

LARGE = "x" * 200_000  #: more than a transport takes before it makes the application wait
CODECS = ["websockets", "wsproto"]


# -- messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", CODECS)
def test_messages_go_to_and_fro(codec: str) -> None:
    """Text and bytes."""
    with SocketWorld(protocol=codec) as world:
        wire, player = world.open()
        wire.sends(text("a") + frame(BINARY, b"b"), text("ü"))
        player.asks(3)
        assert player.texts == ["a", b"b", "ü"]
        player.sends("send", text="c", bytes=None)
        player.sends("send", bytes=b"d")
        assert [(got.opcode, got.payload) for got in wire.frames] == [(TEXT, b"c"), (BINARY, b"d")]


@pytest.mark.parametrize("codec", CODECS)
def test_no_pong_follows_a_close(codec: str) -> None:
    """A ping came while the client did not read, and then the application closed."""
    with SocketWorld(protocol=codec) as world:
        wire, player = world.open()
        wire.stops_reading()
        player.sends("send", text=LARGE)
        wire.sends(frame(PING, b"a"))
        player.sends("close", apart=True)
        wire.reads()
        assert [got.opcode for got in wire.frames] == [TEXT, CLOSE]
        assert world.loop.complaints == []


def test_a_client_is_not_given_up_for_a_ping_that_it_was_never_sent() -> None:
    """It was due while the client did not read."""
    with SocketWorld(ping_interval=4, ping_timeout=4) as world:
        wire, player = world.open()
        wire.stops_reading()
        player.sends("send", text=LARGE)
        world.advance(5)
        wire.reads()
        assert [got.opcode for got in wire.frames] == [TEXT]
        while not (frames := wire.frames):
            world.advance(1)
        assert [got.opcode for got in frames] == [PING]


def test_pings_come_as_often_as_they_should_whatever_the_timeout() -> None:
    """A proxy in between counts on it."""
    with SocketWorld(ping_interval=5, ping_timeout=20) as world:
        wire, _ = world.open()
        count = 0
        for _ in range(60):
            world.advance(1)
            for got in wire.frames:
                assert got.opcode == PING
                count += 1
                wire.sends(frame(PONG))
        assert count >= 9


def test_a_slow_client_gets_what_was_sent_before_the_close() -> None:
    """As long as it takes something all the time."""
    with SocketWorld(close_timeout=5, timeouts={"write_stall": 10}) as world:
        wire, player = world.open()
        assert wire.status == 101
        wire.stops_reading()
        player.sends("send", text=LARGE, apart=True)
        player.sends("close", code=4000)
        for _ in range(40):
            world.advance(1)
            wire.reads(10_000)
        assert [(got.opcode, len(got.payload)) for got in wire.frames] == [(TEXT, len(LARGE)), (CLOSE, 2)]
        wire.reads()
        world.advance(7)
        assert wire.end == "aborted"


@pytest.mark.parametrize("reason", [3, "\ud800"])
@pytest.mark.parametrize("codec", CODECS)
def test_a_reason_that_cannot_be_sent_closes_nothing(codec: str, reason: Any) -> None:
    """The application is told, and may close in another way."""
    with SocketWorld(protocol=codec) as world:
        wire, player = world.open()
        player.sends("close", reason=reason)
        assert len(player.errors) == 1
        assert not wire.frames
        player.sends("close", code=4000, reason="a")
        assert [got.payload for got in wire.frames] == [b"\x0f\xa0a"]


@pytest.mark.parametrize("codec", CODECS)
def test_a_view_of_larger_items_is_sent_byte_by_byte(codec: str) -> None:
    """It counts items, and frames count bytes."""
    with SocketWorld(protocol=codec) as world:
        wire, player = world.open()
        player.sends("send", bytes=memoryview(b"abcdefgh").cast("I"))
        player.sends("send", bytes=bytearray(b"ij"))
        assert [got.payload for got in wire.frames] == [b"abcdefgh", b"ij"]
        player.sends("send", bytes=4)
        player.sends("send", bytes="a")
        assert [type(error) for error in player.errors] == [TypeError, TypeError]


def test_nothing_is_read_behind_a_full_queue_after_a_pipelined_handshake() -> None:
    """Which was held, with what is behind it, until another response ended."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
            await world.server.loop.create_future() if scope["path"] == "/wait" else None
            await send({"type": "http.response.start", "status": 200})
            await waiting.wait()
            await send({"type": "http.response.body"})
        else:
            await send({"type": "websocket.accept"})
            await done.wait()

    waiting, done = asyncio.Event(), asyncio.Event()
    with SocketWorld(application, max_queue=2, limits={"request_buffer": 1024}) as world:
        wire = world.connect()
        wire.sends(GET)
        waiting.set()
        world.turn()
        waiting.clear()
        wire.sends(GET + opening(), *[text("x" * 500)] * 4)
        assert not wire.transport.reads
        waiting.set()
        world.turn()
        wire.sends(*[text("x" * 500)] * 100)
        assert wire.unread > 40_000
        done.set()


def test_eof_of_a_client_that_takes_nothing_ends_it_in_time() -> None:
    """With little enough on the way that nobody waits to send."""
    with SocketWorld(ping_interval=0) as world:
        wire, player = world.open()
        wire.stops_reading()
        player.sends("send", text="a")
        wire.shuts_down()
        player.asks()
        assert player.codes == [1006]
        world.advance(120)
        assert wire.end in {"aborted", "reset"}


def test_a_websocket_that_is_accepted_while_the_worker_ends_is_closed_in_order() -> None:
    """Even when it is the last connection."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        world.drains()
        world.player.accepts()
        assert not world.server._quiet.is_set()
        world.advance(1)
        assert [got.code for got in wire.frames] == [1012]
        wire.sends(close(1012))


def test_a_flood_of_small_messages_lets_others_have_their_turn() -> None:
    """One read can hold tens of thousands."""
    with SocketWorld() as world:
        wire, player = world.open()

        async def echo() -> None:
            while (message := await player.receive())["type"] == "websocket.receive":
                await player.send({**message, "type": "websocket.send"})

        player.does(echo)
        done_before_others: list[int] = []
        world.loop.call_soon(lambda: wire.link.data_received(1000 * text("a")))
        world.loop.call_soon(lambda: done_before_others.append(len(wire.frames)))
        world.turn()
        assert done_before_others[0] < 100
        assert done_before_others[0] + len(wire.frames) == 1000
