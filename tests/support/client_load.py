"""Load from the background, with an account of every single request. No request is ever sent twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, Self

from tests.support.client import Connection, ConnectionEnded
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.client import Address


#: Flags with which nothing but an event ends a connection, however slow the machine is.
PATIENT: Final = (
    *("--no-access-log", "--timeout-drain-idle", "600", "--timeout-keep-alive", "600"),
    *("--timeout-request-head", "600", "--timeout-graceful-shutdown", "600"),
)


@dataclass(frozen=True, slots=True)
class Lost:
    """A request that got no whole and right response.

    Attributes:
        how: refused, reset, ended (end of file before the response was whole), late or wrong.
        pid: The process that answered earlier on the same connection; None on a new one.
        details: The error.
    """

    how: str
    pid: int | None
    details: str


class Load:
    """Sends requests from threads, each waiting for one response before it sends the next.

    A connection is kept until the server says ``Connection: close`` or breaks it; the request that finds
    it broken is counted as lost.

    Args:
        address: The server.
        keeping: Threads that keep their connection.
        renewing: Threads that take a new connection for each request.
        connect: What connects.
        pause: Seconds between the response and the next request of each thread.
    """

    def __init__(
        self,
        address: Address,
        *,
        keeping: int = 2,
        renewing: int = 2,
        connect: Callable[[Address], Connection] = Connection,
        pause: float = 0.0,
    ) -> None:
        self._address = address
        self._pause = pause
        self._connect = connect
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._numbers = count(1)
        self.answered: Counter[tuple[int, str]] = Counter()  #: by pid and version of the application
        self.lost: list[Lost] = []
        self._crash: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._send_all, args=(keeps,), daemon=True)
            for keeps, threads in ((True, keeping), (False, renewing))
            for _ in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Stop; every request that was sent has its outcome by then."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._crash is not None:
            raise self._crash

    @property
    def total(self) -> int:
        """How many requests were answered."""
        with self._changed:
            return self.answered.total()

    @property
    def pids(self) -> set[int]:
        """Who answered."""
        with self._changed:
            return {pid for pid, _ in self.answered}

    def wait_answered(self, more: int, version: str | None = None) -> None:
        """Wait until so many more requests are answered (by this version of the application)."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            goal = self._count(version) + more
            while self._count(version) < goal:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NeverHappened(
                        f"only {self._count(version)} of {goal} requests were answered: {self}"
                    )
                self._changed.wait(left)

    def _count(self, version: str | None) -> int:
        return sum(n for (_, found), n in self.answered.items() if version in {None, found})

    def __str__(self) -> str:
        return f"answered {dict(self.answered)}, lost {self.lost[:10]} ({len(self.lost)} in all)"

    # -- in the threads --------------------------------------------------------------------------------

    def _send_all(self, keeps: bool) -> None:
        try:
            while not self._stop.is_set():
                self._use_connection(keeps)
        except BaseException as error:  # shown by finish(), in the thread of the test
            self._crash = error

    def _use_connection(self, keeps: bool) -> None:
        pid: int | None = None
        try:
            with self._connect(self._address) as connection:
                while not self._stop.is_set():
                    number = next(self._numbers)
                    fields = () if keeps else ("Connection: close",)
                    response = connection.get(f"/?number={number}", *fields)
                    if response.status != 200 or response.headers.get("x-query") != f"number={number}":
                        self._lose("wrong", pid, f"number {number}: {response}")
                        return
                    pid = response.pid
                    with self._changed:
                        self.answered[pid, response.text] += 1
                        self._changed.notify_all()
                    if self._pause:
                        self._stop.wait(self._pause)
                    if response.is_last or not keeps:
                        return
        except ConnectionRefusedError as error:
            self._lose("refused", pid, repr(error))
        except ConnectionError as error:
            self._lose("reset", pid, repr(error))
        except ConnectionEnded as error:
            self._lose("ended", pid, repr(error))
        except TimeoutError as error:
            self._lose("late", pid, repr(error))

    def _lose(self, how: str, pid: int | None, details: str) -> None:
        with self._changed:
            self.lost.append(Lost(how, pid, details))
            self._changed.notify_all()
