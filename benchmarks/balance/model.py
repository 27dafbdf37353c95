"""What the mixed load would come to with a given spread of its connections: how good any server can be.

A model, no measurement: clients and the network cost nothing, each worker answers its connections' requests
one after the other, and workers that are at work share the processors evenly.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import Final

SLOW: Final = 0.1  #: of all requests
BURNT: Final = 0.05  #: seconds of a processor that each of these takes
QUICK: Final = 0.0003  #: and each of the others
EVERY: Final = 0.25  #: seconds between the requests of one connection, half more or less
_AT_MOST: Final = 0.99
_ROUNDING: Final = 1e-9  #: seconds


@dataclass(slots=True)
class _Request:
    connection: int
    since: float
    left: float  #: seconds of a processor


def p99(
    spread: tuple[int, ...], processors: float, *, at_once: int = 1, seconds: float, seed: int = 0
) -> float:
    """Return the time within which 99 of 100 requests are answered, in seconds.

    Args:
        spread: Connections of each worker.
        processors: How many workers can be at work without hindering each other.
        at_once: Requests that each worker can answer at a time. One worker that can answer four is what four
            would be that could take each other's requests.
        seconds: How long the load lasts.
        seed: For chance.
    """
    chance = random.Random(seed)
    owners = [worker for worker, count in enumerate(spread) for _ in range(count)]
    due = {connection: chance.uniform(0, EVERY) for connection in range(len(owners))}
    waiting: list[deque[_Request]] = [deque() for _ in spread]
    running: list[list[_Request]] = [[] for _ in spread]
    took: list[float] = []
    now = 0.0
    while now < seconds:
        for queue, begun in zip(waiting, running, strict=True):
            while queue and len(begun) < at_once:
                begun.append(queue.popleft())
        at_work = [request for begun in running for request in begun]
        speed = min(1.0, processors / len(at_work)) if at_work else 1.0
        arrival = min(due.values(), default=float("inf"))
        step = min([arrival - now, *(request.left / speed for request in at_work)])
        now += step
        for request in at_work:
            request.left -= step * speed
        for begun in running:
            for request in [request for request in begun if request.left <= _ROUNDING]:
                begun.remove(request)
                took.append(now - request.since)
                due[request.connection] = now + chance.uniform(0.5, 1.5) * EVERY
        for connection in [connection for connection, moment in due.items() if moment <= now]:
            cost = BURNT if chance.random() < SLOW else QUICK
            waiting[owners[connection]].append(_Request(connection, due.pop(connection), cost))
    return sorted(took)[int(len(took) * _AT_MOST)]
