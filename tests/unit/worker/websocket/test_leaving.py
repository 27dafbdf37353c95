"""When the WebSockets of a worker that ends are closed."""

from __future__ import annotations

import pytest

from srvctl.worker.websocket.leaving import leave_times
from tests.support.wire import GET
from tests.support.wire_websocket import SocketWorld, close


@pytest.mark.parametrize(
    ("count", "spread", "times"),
    [(0, 10, []), (1, 10, [5]), (3, 10, [5, 5.05, 5.1]), (4, 0.1, [5, 5.025, 5.05, 5.075]), (2, 0, [5, 5])],
)
def test_leave_times(count: int, spread: float, times: list[float]) -> None:
    """One soon after the other, or as fast as the time that there is wants it."""
    assert leave_times(count, 5, spread) == pytest.approx(times)


def test_many_leave_in_time() -> None:
    """Spread evenly."""
    times = leave_times(10_000, 0, 10)
    assert times == sorted(times)
    assert 9 < times[-1] <= 10


def test_websockets_leave_one_after_the_other() -> None:
    """With 1012; requests are no WebSockets."""
    with SocketWorld() as world:
        wires = [world.open()[0] for _ in range(5)]
        world.connect().sends(GET)
        world.drains()
        counts = []
        for _ in range(8):
            world.loop.now += 0.05
            world.turn()
            closed = [got for wire in wires for got in wire.frames]
            assert {got.code for got in closed} <= {1012}
            counts.append(len(closed))
        assert sum(counts) == 5
        assert max(counts) <= 2
        for wire in wires:
            wire.sends(close(1012))
