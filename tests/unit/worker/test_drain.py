"""How a worker ends: each request gets the end it deserves, in its phase, and none holds the worker up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.drain import LAST_STEP, drain
from tests.support.wire import GET, STEP, World, get

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = {"graceful_shutdown": 10.0, "stream_shutdown": 3.0, "drain_idle": 1.0, "keep_alive": 60.0}
DISCONNECT = {"type": "http.disconnect"}


class Drain:
    """A drain that runs while time is moved on."""

    def __init__(self, world: World, *, last: bool = False) -> None:
        self.world = world
        self.begin = world.loop.now
        self.task = world.loop.create_task(drain(world.server, last=last))
        world.turn()

    @property
    def is_over(self) -> bool:
        return self.task.done()

    def takes(self, limit: float = 60) -> float:
        """Let time go by until it is over; return how long that took altogether."""
        self.world.advance_until(self.task.done, limit)
        self.task.result()
        return self.world.loop.now - self.begin


@pytest.fixture
def world() -> Iterator[World]:
    with World(timeouts=TIMES) as world:
        yield world


def test_a_worker_without_connections_ends_at_once(world: World) -> None:
    """There is nothing to wait for."""
    assert Drain(world).is_over


def test_idle_connections_are_closed_and_that_is_all(world: World) -> None:
    """After timeouts.drain_idle."""
    idle = world.connect().sends(GET)
    world.call.answers()
    new = world.connect()
    assert Drain(world).takes() <= 2
    assert (idle.end, new.end) == ("closed", "closed")


def test_a_running_request_is_waited_for(world: World) -> None:
    """Its response is the last on its connection."""
    wire = world.connect().sends(GET)
    draining = Drain(world)
    world.advance(5)
    assert not draining.is_over
    assert world.call.events == []
    world.call.answers()
    assert b"\r\nconnection: close\r\n" in wire.got
    assert draining.takes() <= 5 + STEP


def test_work_after_a_response_is_waited_for(world: World) -> None:
    """Also when its client has left."""
    wire = world.connect().sends(GET)
    world.call.starts()
    world.call.ends()
    wire.leaves()
    draining = Drain(world)
    world.advance(5)
    assert not draining.is_over
    world.call.returns()
    assert draining.takes() <= 5 + STEP


def test_a_request_that_comes_while_a_worker_drains_is_answered(world: World) -> None:
    """On a connection that was there."""
    wire = world.connect()
    draining = Drain(world)
    wire.sends(GET)
    world.advance(3)
    world.call.answers()
    assert wire.statuses == [200]
    assert draining.takes() <= 4


def test_an_event_stream_is_told_sooner_than_others(world: World) -> None:
    """After timeouts.stream_shutdown, its application learns that its client left, and may say goodbye."""
    streaming = world.connect().sends(GET)
    stream = world.call
    stream.starts(200, (b"content-type", b"text/event-stream"))
    stream.streams(b"data: 1\n\n")
    other = world.connect().sends(GET)
    stream.asks()
    stream.asks()
    draining = Drain(world)
    world.advance(2)
    assert DISCONNECT not in stream.events
    world.advance(1.5)
    assert stream.events[-1] == DISCONNECT
    world.call.asks()
    assert DISCONNECT not in world.call.events
    stream.ends(b"data: bye\n\n")
    stream.returns()
    assert streaming.got.endswith(b"0\r\n\r\n")
    world.call.returns()
    assert other.statuses == [500]
    assert draining.takes() <= 5


def test_all_others_are_told_at_the_end_of_the_grace(world: World) -> None:
    """Then they have one more second."""
    wire = world.connect().sends(GET)
    world.call.asks()
    world.call.asks()
    draining = Drain(world)
    world.advance(9.5)
    assert DISCONNECT not in world.call.events
    world.advance(1)
    assert world.call.events[-1] == DISCONNECT
    assert not draining.is_over
    world.call.answers()
    assert wire.statuses == [200]
    assert draining.takes() <= 11


def test_who_does_not_end_by_itself_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """Its client is answered 500, or its response is broken off."""
    caplog.set_level(logging.INFO, "srvctl.error")
    with World(timeouts=TIMES) as world:
        silent, half = world.connect().sends(GET), world.connect().sends(GET)
        world.call.starts()
        world.call.streams(b"half")
        assert 10 + LAST_STEP <= Drain(world).takes() <= 10 + LAST_STEP + 1
        assert silent.statuses == [500]
        assert not half.got.endswith(b"0\r\n\r\n")
        assert all(call.is_over for call in world.calls)
        assert "Waiting for 2 requests to finish." in caplog.text
        assert "Cancel 2 running task(s), timeout graceful shutdown exceeded" in caplog.text


def test_who_does_not_let_itself_be_cancelled_is_left() -> None:
    """The worker ends all the same."""
    release = asyncio.Event()

    async def stubborn(_scope: Any, _receive: Any, _send: Any) -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    with World(stubborn, timeouts=TIMES) as world:
        world.connect().sends(GET)
        assert Drain(world).takes() <= 10 + 2 * LAST_STEP + 1
        world.loop.call_soon(release.set)
        world.turn()


@pytest.mark.parametrize("last", [True, False])
def test_the_log_says_whom_it_waits_for(last: bool, caplog: pytest.LogCaptureFixture) -> None:
    """And how to be quicker, to whoever sits in front of it."""
    caplog.set_level(logging.INFO, "srvctl.error")
    with World(timeouts=TIMES) as world:
        world.connect().sends(GET)
        draining = Drain(world, last=last)
        assert caplog.messages == [
            "Waiting for 1 request to finish." + (" (CTRL+C to force quit)" if last else "")
        ]
        world.call.answers()
        draining.takes()


def test_a_request_in_the_queue_is_answered() -> None:
    """In its turn."""
    with World(timeouts=TIMES | {"queue": 60}, limits={"concurrency": 1, "concurrency_queue": 1}) as world:
        first, second = world.connect().sends(GET), world.connect().sends(GET)
        draining = Drain(world)
        world.advance(2)
        world.call.answers()
        world.call.answers()
        assert (first.statuses, second.statuses) == ([200], [200])
        assert draining.takes() <= 3


def test_a_client_that_does_not_read_its_response_does_not_hold_up_a_worker(world: World) -> None:
    """For longer than the grace: closing what is left is what comes next."""
    wire = world.connect().sends(get("/", "Connection: close"))
    wire.stops_reading()
    world.call.answers(b"x" * 200_000)
    assert Drain(world).takes() <= 12
    world.loop.run_until_complete(world.server.close())
    world.turn()
    assert wire.end == "reset", "it must not take what it has for the whole"


def test_no_grace_at_all() -> None:
    """Zero is a time like any other."""
    with World(timeouts=TIMES | {"graceful_shutdown": 0.0}) as world:
        wire = world.connect().sends(GET)
        assert Drain(world).takes() <= LAST_STEP + 0.5
        assert wire.statuses == [500]
