"""Beats: what the loop says about itself, and the requests that a server counts."""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.scoreboard import (
    BUCKETS,
    TREND_LENGTH,
    Cell,
    private_cells,
)
from srvctl.settings.groups import Settings
from srvctl.worker.drain import drain
from srvctl.worker.heartbeat import RSS_EVERY, Heartbeat, Trend
from srvctl.worker.server import Server
from tests.support.wire import GET, World, get
from tests.support.wire_websocket import SocketWorld, opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1024 * 1024


@pytest.fixture
def cells() -> list[int]:
    return private_cells()


@pytest.fixture
def heart(cells: list[int], tmp_path: Path) -> Iterator[Heartbeat]:
    (tmp_path / "schedstat").write_text("5000 1000 3\n")
    (tmp_path / "statm").write_text("9000 256 70 1 0 80 0\n")
    heart = Heartbeat(cells, str(tmp_path))
    yield heart
    heart.close()
    heart.close()


def test_a_beat(heart: Heartbeat, cells: list[int]) -> None:
    heart.beat(12.5, due_in=0.5, connections=7)
    assert cells[Cell.BEAT_NS] == 12_500_000_000
    assert cells[Cell.WAITED_NS] == 1000
    assert cells[Cell.CONNECTIONS] == 7
    assert cells[Cell.LAG_US] == cells[Cell.LAG_MAX_US] == 0, "nothing can be late at first"


def test_lag_is_how_late_a_beat_is(heart: Heartbeat, cells: list[int]) -> None:
    heart.beat(10.0, due_in=0.5, connections=0)
    heart.beat(10.75, due_in=0.5, connections=0)
    assert (cells[Cell.LAG_US], cells[Cell.LAG_MAX_US]) == (250_000, 250_000)
    heart.beat(11.25, due_in=0.05, connections=0)
    assert (cells[Cell.LAG_US], cells[Cell.LAG_MAX_US]) == (0, 250_000)
    heart.beat(11.26, due_in=0.5, connections=0)
    assert cells[Cell.LAG_US] == 0, "one that comes early is not late"


def test_the_wait_for_a_cpu_is_read_anew(heart: Heartbeat, cells: list[int], tmp_path: Path) -> None:
    heart.beat(1.0, due_in=0.5, connections=0)
    (tmp_path / "schedstat").write_text("6000 2000 3\n")
    heart.beat(1.5, due_in=0.5, connections=0)
    assert cells[Cell.WAITED_NS] == 2000


def test_memory_is_looked_at_now_and_then(heart: Heartbeat, cells: list[int], tmp_path: Path) -> None:
    heart.beat(1.0, due_in=0.5, connections=0)
    first = cells[Cell.RSS]
    assert first >= 256 * 4096
    (tmp_path / "statm").write_text("9000 512 70 1 0 80 0\n")
    heart.beat(1.5, due_in=0.5, connections=0)
    assert cells[Cell.RSS] == first
    heart.beat(1.0 + RSS_EVERY, due_in=0.5, connections=0)
    assert cells[Cell.RSS] == 2 * first
    assert cells[Cell.TREND_0 : Cell.TREND_0 + 3] == [first, 2 * first, 0]
    assert cells[Cell.TREND_EVERY] == RSS_EVERY


@pytest.mark.parametrize("text", [None, "", "x", "1", "-5 -6", "1 99999999999999999999999999x"])
def test_a_kernel_that_tells_nothing(cells: list[int], tmp_path: Path, text: str | None) -> None:
    """The beat goes on."""
    if text is not None:
        (tmp_path / "schedstat").write_text(text)
        (tmp_path / "statm").write_text(text)
    heart = Heartbeat(cells, str(tmp_path))
    heart.beat(3.0, due_in=0.5, connections=1)
    heart.close()
    assert cells[Cell.BEAT_NS] == 3_000_000_000
    assert cells[Cell.WAITED_NS] == cells[Cell.RSS] == cells[Cell.TREND_0] == 0


def test_this_kernel_tells(cells: list[int]) -> None:
    heart = Heartbeat(cells)
    heart.beat(1.0, due_in=0.5, connections=0)
    heart.close()
    assert MIB < cells[Cell.RSS] < 2**40
    assert cells[Cell.WAITED_NS] < time.monotonic_ns()


def test_processor_time_is_told(heart: Heartbeat, cells: list[int]) -> None:
    """All of it, and lately."""
    heart.beat(1.0, due_in=0.5, connections=0)
    first = cells[Cell.CPU_US]
    assert (first > 0, cells[Cell.CPU_SHARE]) == (True, 0)
    sum(range(300_000))
    heart.beat(1.5, due_in=0.5, connections=0)
    assert cells[Cell.CPU_US] > first
    assert 0 < cells[Cell.CPU_SHARE] < 2 * (cells[Cell.CPU_US] - first)


def test_a_trend_spans_a_whole_life() -> None:
    """Its samples are always evenly far apart, the first is that of the beginning, none is very old news."""
    trend = Trend()
    for second in range(1, 100_000):
        if trend.take(float(second), second):
            gaps = {later - sooner for sooner, later in zip(trend.samples, trend.samples[1:], strict=False)}
            assert gaps <= {int(trend.every)}
            assert trend.samples[0] == 1
            assert len(trend.samples) <= TREND_LENGTH
        assert second - trend.samples[-1] <= trend.every
    assert trend.samples[-1] > 50_000


# -- the server ----------------------------------------------------------------------------------------


def test_a_server_beats_while_its_loop_turns(cells: list[int]) -> None:
    """And sees when it did not."""

    async def application(_scope: object, _receive: object, _send: object) -> None: ...

    async def main() -> None:
        server = Server(application, Settings(), state=None, context=contextvars.Context(), cells=cells)
        before = cells[Cell.BEAT_NS]
        assert 0 < before <= time.monotonic_ns()
        time.sleep(1.0)  # noqa: ASYNC251 - a loop that is blocked is what this is about
        assert cells[Cell.BEAT_NS] == before
        async with asyncio.timeout(20):
            while cells[Cell.BEAT_NS] == before:  # noqa: ASYNC110 - nothing says that it has changed
                await asyncio.sleep(0.01)
        assert cells[Cell.LAG_MAX_US] >= 400_000
        await server.close()

    asyncio.run(main())


def counts(world: World) -> tuple[int, ...]:
    """Begun, finished, errors, cut."""
    cells = world.server.cells
    return tuple(cells[cell] for cell in (Cell.BEGUN, Cell.FINISHED, Cell.ERRORS, Cell.CUT))


TIMES = {"graceful_shutdown": 2.0, "stream_shutdown": 1.0, "drain_idle": 0.5}


@pytest.fixture
def world() -> Iterator[World]:
    with World(timeouts=TIMES) as world:
        yield world


def drained(world: World, *, meanwhile: Callable[[], None] | None = None) -> None:
    """Drain, and close what is left, as a worker does."""

    async def end() -> None:
        await drain(world.server, last=True)
        await world.server.close()

    task = world.loop.create_task(end())
    world.advance(1.0)
    if meanwhile is not None:
        meanwhile()
    world.advance_until(task.done, 20)
    task.result()


def test_requests_are_counted(world: World) -> None:
    wire = world.connect().sends(GET)
    assert counts(world) == (1, 0, 0, 0)
    world.call.starts()
    world.call.ends(b"ok")
    assert counts(world) == (1, 0, 0, 0), "the application is still at work"
    world.call.returns()
    assert counts(world) == (1, 1, 0, 0)
    wire.sends(GET)
    world.call.answers()
    assert counts(world) == (2, 2, 0, 0)


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (404, 0), (499, 0), (500, 1), (503, 1)])
def test_errors_are_counted_by_status(world: World, status: int, errors: int) -> None:
    world.connect().sends(GET)
    world.call.starts(status)
    world.call.ends()
    world.call.returns()
    assert counts(world) == (1, 1, errors, 0)


def test_an_exception_is_one_error_wherever_it_comes(world: World) -> None:
    world.connect().sends(GET)
    world.call.raises()
    assert counts(world) == (1, 1, 1, 0), "before the response"
    world.connect().sends(GET)
    world.call.starts()
    world.call.streams(b"half")
    world.call.raises()
    assert counts(world) == (2, 2, 2, 0), "inside it"
    world.connect().sends(GET)
    world.call.starts(500)
    world.call.ends()
    world.call.raises()
    assert counts(world) == (3, 3, 3, 0), "behind one that says so itself"
    world.connect().sends(GET)
    world.call.starts()
    world.call.ends()
    world.call.raises()
    assert counts(world) == (4, 4, 3, 0), "behind one that its client has whole"


def test_a_client_that_leaves_is_no_error(world: World) -> None:
    wire = world.connect().sends(GET)
    world.call.starts()
    world.call.streams(b"half")
    wire.leaves()
    world.call.raises()
    assert counts(world) == (1, 1, 0, 0)


def test_a_request_without_room_is_an_error() -> None:
    """The application never sees it; whoever watches the service does."""
    with World(limits={"concurrency": 1, "concurrency_queue": 0}) as world:
        world.connect().sends(GET)
        second = world.connect().sends(GET)
        assert second.statuses == [503]
        assert counts(world) == (2, 1, 1, 0)
        assert by_class(world) == {5: 1}


def by_class(world: World) -> dict[int, int]:
    """How many requests were answered by class of status, at the next beat."""
    cells = world.server.cells
    world.server._durations.write(cells)
    rows = (cells[Cell.ANSWERED + n * BUCKETS : Cell.ANSWERED + (n + 1) * BUCKETS] for n in range(10))
    return {n: sum(row) for n, row in enumerate(rows) if sum(row)}


def test_requests_are_counted_by_class_and_duration(world: World) -> None:
    wire = world.connect()
    for status in (200, 204, 302, 404, 999):
        wire.sends(GET)
        world.call.starts(status)
        world.call.ends()
        world.call.returns()
    assert by_class(world) == {2: 2, 3: 1, 4: 1, 9: 1}
    wire.sends(GET)
    wire.leaves()
    world.call.returns()
    assert by_class(world)[0] == 1, "without any response"
    assert world.server.cells[Cell.SECONDS_0 + 2] > 0


def test_what_waits_and_what_is_open_is_told() -> None:
    with World(limits={"concurrency": 1, "concurrency_queue": 2}) as world:
        world.connect().sends(GET)
        world.connect().sends(GET)
        assert world.server.admission is not None
        assert world.server.admission.waiting == 1
    with SocketWorld() as world:
        wire, player = world.open()
        assert world.server.cells[Cell.WEBSOCKETS] == 1
        wire.leaves()
        player.returns()
        assert world.server.cells[Cell.WEBSOCKETS] == 0


def test_a_websocket_is_one_request() -> None:
    with SocketWorld() as world:
        wire, player = world.open()
        assert counts(world) == (1, 0, 0, 0)
        wire.leaves()
        player.returns()
        assert counts(world) == (1, 1, 0, 0)


@pytest.mark.parametrize("is_open", [False, True])
def test_a_websocket_whose_application_fails_is_an_error(is_open: bool) -> None:
    with SocketWorld() as world:
        if is_open:
            world.open()
        else:
            world.connect().sends(opening())
        world.player.raises()
        assert counts(world) == (1, 1, 1, 0)


def test_a_drain_that_has_time_cuts_nothing(world: World) -> None:
    world.connect().sends(GET)
    drained(world, meanwhile=world.call.answers)
    assert counts(world) == (1, 1, 0, 0)


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_request_that_is_cancelled_at_the_end_is_cut(world: World, has_begun: bool) -> None:
    world.connect().sends(GET)
    if has_begun:
        world.call.starts()
        world.call.streams(b"half")
    drained(world)
    assert counts(world) == (1, 1, 0, 1)


def test_a_request_that_ends_unfinished_when_told_to_is_cut(world: World) -> None:
    world.connect().sends(GET)
    call = world.call
    call.starts()
    call.streams(b"half")
    call.asks()
    call.asks()
    call.returns()
    drained(world)
    assert counts(world) == (1, 1, 0, 1)


def test_a_request_whose_client_is_gone_is_not_cut(world: World) -> None:
    wire = world.connect().sends(GET)
    world.call.starts()
    wire.leaves()
    drained(world)
    assert counts(world) == (1, 1, 0, 0)


def test_work_behind_a_response_is_not_cut(world: World) -> None:
    """Its client has everything."""
    world.connect().sends(GET)
    world.call.starts()
    world.call.ends(b"ok")
    drained(world)
    assert counts(world) == (1, 1, 0, 0)


def test_an_event_stream_is_not_cut(world: World) -> None:
    """It has no end; its client connects again."""
    world.connect().sends(get("/events"))
    world.call.starts(200, (b"content-type", b"text/event-stream"))
    world.call.streams(b"data: 1\n\n")
    drained(world)
    assert counts(world) == (1, 1, 0, 0)


def test_a_websocket_is_not_cut() -> None:
    """It is closed with 1012, for which clients connect again."""
    with SocketWorld(timeouts=TIMES) as world:
        world.open()
        drained(world)
        assert counts(world) == (1, 1, 0, 0)


def test_a_websocket_that_is_asked_for_is_cut() -> None:
    """If nobody has answered by the end."""
    with SocketWorld(timeouts=TIMES) as world:
        world.connect().sends(opening())
        drained(world)
        assert counts(world) == (1, 1, 0, 1)


def test_a_request_that_never_had_its_turn_is_cut() -> None:
    """Nobody has answered it."""
    with World(timeouts=TIMES | {"queue": 60.0}, limits={"concurrency": 1, "concurrency_queue": 5}) as world:
        world.connect().sends(GET)
        world.connect().sends(GET)
        assert counts(world) == (1, 0, 0, 0)
        drained(world)
        assert counts(world)[3] == 2
