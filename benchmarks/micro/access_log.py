"""What the access log costs per request: ``python -m benchmarks.micro.access_log``.

Each way writes real lines into a pipe that another process empties. The time is that of the whole:
the record, the line, its share of the batch and of the write. The first way is logging as uvicorn does it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from srvctl.logs.access.log import AccessLog
from srvctl.logs.access.record import AccessRecord
from srvctl.logs.setup import Wanted, configure

if TYPE_CHECKING:
    from collections.abc import Callable

_REQUESTS: Final = 20_000
_ROUNDS: Final = 5
_HEADERS: Final = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate, br"),
]


class NoLoop:
    """Stands for an event loop whose timers are never due: full batches are written all the same."""

    def call_soon(self, _callback: Callable[[], None], /) -> None:
        """Forget it."""

    def call_later(self, _delay: float, _callback: Callable[[], None], /) -> None:
        """Forget it."""


def uvicorns_way() -> Callable[[], None]:
    """Return what logs a request through `logging`, to a stream."""
    logger = logging.getLogger("benchmark.access")
    logger.handlers = [logging.StreamHandler(sys.stdout)]
    logger.handlers[0].setFormatter(logging.Formatter("%(levelname)s:     %(message)s"))
    logger.setLevel(logging.INFO)
    logger.propagate = False

    def log() -> None:
        logger.info(
            '%s - "%s %s HTTP/%s" %d',
            "127.0.0.1:54321",
            "GET",
            b"/api/items/42?q=1".decode("ascii", "backslashreplace"),
            "1.1",
            200,
        )

    return log


def our_way(text: str) -> Callable[[], None]:
    """Return what logs a request in this format."""
    configure(Wanted(level="info", use_colors=False, access_format=text))
    access = AccessLog(NoLoop())
    clock = time.monotonic if access.needs_times else None
    write = access.log

    def log() -> None:
        write(
            AccessRecord(
                "127.0.0.1:54321",
                "GET",
                b"/api/items/42?q=1",
                "1.1",
                200,
                12,
                clock() % 1 if clock else 0.0,
                time.time() if clock else 0.0,
                "http",
                _HEADERS,
                b"content-type: text/plain\r\n",
                b"",
            )
        )

    return log


def microseconds(log: Callable[[], None]) -> float:
    """Return what a call takes, in the best of some rounds."""
    best = float("inf")
    for _ in range(_ROUNDS):
        begin = time.perf_counter()
        for _ in range(_REQUESTS):
            log()
        best = min(best, (time.perf_counter() - begin) / _REQUESTS)
    return best * 1e6


def main() -> None:
    """Print a line for each way."""
    shown = os.dup(1)
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader:
        assert reader.stdin is not None
        os.dup2(reader.stdin.fileno(), 1)
        reader.stdin.close()
        found = {"through logging": microseconds(uvicorns_way())}
        for text in ("uvicorn", "common", "combined", "json", "%h %m %U %s %D"):
            found[text] = microseconds(our_way(text))
        sys.stdout.flush()
        os.dup2(shown, 1)
        reader.kill()  # the writers are still open
    for name, cost in found.items():
        print(f"{name:<16} {cost:6.2f} µs a request")


if __name__ == "__main__":
    main()
