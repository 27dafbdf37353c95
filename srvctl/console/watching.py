"""What the console knows of the instance: the last answer of the master, asked for when somebody wants it.

However many ask, the master is asked at most twice a second, and never when nobody does. Owns the answer and
its age. Called by whatever publishes figures.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from srvctl.console.upstream import UnreachableError, Upstream
from srvctl.ipc.control import Command
from srvctl.ipc.memory import pss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Seconds for which an answer is good.
_FRESH: Final = 0.5
#: Seconds for which the sizes of workers are good: the kernel walks through all their pages for them.
_SIZED: Final = 5.0
#: Seconds that the master has for an answer.
PATIENCE: Final = 5.0


class Watching:
    """The last answer to ``metrics``, with its time (``at``) and the memory of each worker (``pss``) added.

    Args:
        upstream: Asks the master.
        size_of: Returns the memory of a process in bytes; is called in a thread.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        upstream: Upstream,
        size_of: Callable[[int], int | None] = pss,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._size_of = size_of
        self._clock = clock
        self._answer: Mapping[str, Any] = {}
        self._answered_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._sizes: Mapping[int, int | None] = {}
        self._sized_at = float("-inf")
        self._sizing: asyncio.Task[None] | None = None

    async def answer(self, patience: float = PATIENCE) -> Mapping[str, Any] | None:
        """Return what the master says now, or said half a second ago; None if it does not say in time.

        Args:
            patience: Seconds to wait for it at most.
        """
        wanted_since = self._clock() - _FRESH
        if self._answered_at <= wanted_since:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask())
            # Others wait for the same one, so it goes on when this wait is over.
            await asyncio.wait([self._asking], timeout=patience)
        return self._answer if self._answered_at > wanted_since else None

    async def _ask(self) -> None:
        try:
            done = await self._upstream.ask(Command.METRICS, patience=PATIENCE)
            if done.ok:
                workers = list(done.data.get("workers", ()))
                await self._size([worker["pid"] for worker in workers if worker.get("pid")])
                sized = [self._sized(worker) for worker in workers]
                self._answer = {"at": round(time.time(), 3), **done.data, "workers": sized}
                self._answered_at = self._clock()
        except UnreachableError:
            pass
        finally:
            self._asking = None

    def _sized(self, worker: Mapping[str, Any]) -> Mapping[str, Any]:
        size = self._sizes.get(worker.get("pid") or 0)
        return worker if size is None else {**worker, "pss": size}

    async def _size(self, pids: Sequence[int]) -> None:
        """Have the workers measured in a thread, if it is time; those that were before are not waited for."""
        has_new = any(pid not in self._sizes for pid in pids)
        if self._sizing is None and (has_new or self._clock() - self._sized_at >= _SIZED):
            self._sizing = asyncio.create_task(self._measure(pids))
        if self._sizing is not None and has_new:
            await asyncio.wait([self._sizing], timeout=_FRESH)

    async def _measure(self, pids: Sequence[int]) -> None:
        try:
            self._sizes = await asyncio.to_thread(lambda: {pid: self._size_of(pid) for pid in pids})
            self._sized_at = self._clock()
        finally:
            self._sizing = None
