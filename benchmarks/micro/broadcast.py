"""How many messages a second reach another worker: ``python -m benchmarks.micro.broadcast``.

Two processes, as two workers of one master without a server between them. One publishes, from one task and
as fast as the other takes it; a subscriber there iterates over the messages. What is counted is delivered to
it. The publisher goes on only when the subscriber has acknowledged, so that nothing is dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from srvctl.broadcast import publish, stats, subscribe
from srvctl.broadcast.serving import joined
from srvctl.settings.groups import BroadcastSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

_WINDOW: Final = 1000  #: messages between two acknowledgements
_AHEAD: Final = 4  #: windows that may be unacknowledged
_QUEUE: Final = _WINDOW * (_AHEAD + 2)  #: as many messages may wait for a subscriber
_READY: Final = "ready"
_GLANCE: Final = 0.01
_CHANNEL: Final = "room"
_ACKNOWLEDGED: Final = "acknowledged"


async def _take(count: int) -> None:
    """Subscribe, and acknowledge each window of messages."""
    async with subscribe(_CHANNEL) as messages:
        while not stats().received:  # until the publisher is there and has begun
            await publish(_ACKNOWLEDGED, _READY)
            await asyncio.sleep(_GLANCE)
        for taken in range(1, count + 1):
            await anext(messages)
            if taken % _WINDOW == 0:
                await publish(_ACKNOWLEDGED, str(taken))


async def _give(count: int, size: int) -> float:
    """Publish; return the messages a second, from the first one until the last one is acknowledged."""
    message, taken = "x" * size, 0
    async with subscribe(_ACKNOWLEDGED) as acknowledged:
        await anext(acknowledged)
        start = time.perf_counter()
        for window in range(count // _WINDOW):
            while taken < (window - _AHEAD) * _WINDOW:
                taken = _number(await anext(acknowledged))
            for _ in range(_WINDOW):
                await publish(_CHANNEL, message)
        while taken < count:
            taken = _number(await anext(acknowledged))
        seconds = time.perf_counter() - start
    unsent = stats().unsent
    if unsent:
        raise SystemExit(f"{unsent} messages were dropped")
    return count / seconds


def _number(word: str | bytes) -> int:
    return 0 if word == _READY else int(word)


async def _join(place: str, work: Callable[[], Coroutine[None, None, float | None]]) -> float | None:
    async with joined(BroadcastSettings(queue=_QUEUE), place):
        return await work()


def _run(place: str, work: Callable[[], Coroutine[None, None, float | None]]) -> float | None:
    import uvloop  # noqa: PLC0415 - workers use it where it is installed

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_join(place, work))


def measure(count: int, size: int) -> float:
    """Return the messages a second that reach a subscriber in another process.

    Args:
        count: How many messages, in thousands.
        size: Bytes of each.
    """
    count *= _WINDOW
    with tempfile.TemporaryDirectory() as directory:
        place = str(Path(directory) / "place")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _run(place, lambda: _take(count))
                code = 0
            finally:
                os._exit(code)
        rate = _run(place, lambda: _give(count, size))
        os.waitpid(pid, 0)
    return rate or 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.micro.broadcast", description="Measure messages between two workers."
    )
    parser.add_argument("--thousands", type=int, default=200, help="messages of each size (default 200)")
    parser.add_argument("--rounds", type=int, default=3, help="take the best of this many (default 3)")
    options = parser.parse_args(arguments)
    print(f"{'bytes':>10}{'messages/s':>14}")
    for size in (16, 128, 1024):
        best = max(measure(options.thousands, size) for _ in range(options.rounds))
        print(f"{size:>10}{best:>14,.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
