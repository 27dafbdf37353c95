"""What a task waits for when it is to go on inside the very callback that has news for it.

A future would resume the task a turn of the loop later, through the loop's queue; that costs more than most
of what there is to do with one small request or message (ADR 4).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextvars import Context


class Parked:
    """A future in the sense of `asyncio.isfuture`, which can be waited for again and again, by one task.

    Args:
        loop: The running loop.

    Attributes:
        is_idle: A task waits.
        is_cancelled: The task that waited was cancelled; no other can wait any more.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_loop", "_step", "is_cancelled", "is_idle")

    _step: Callable[[Parked], object]
    _context: Context

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self.is_cancelled = False
        self.is_idle = False

    def resume(self) -> None:
        """Let the task go on. Only from a callback of the loop, never within a task."""
        if self.is_idle:
            self.is_idle = False
            self._context.run(self._step, self)

    # -- what asyncio.Task asks of a future ------------------------------------------------------------

    def __await__(self) -> Generator[Parked, None, None]:
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the task that waits."""
        return self._loop

    def add_done_callback(self, callback: Callable[[Parked], object], *, context: Context) -> None:
        """Remember how to go on."""
        self._step, self._context = callback, context
        self.is_idle = True

    def result(self) -> None:
        """Say why the task goes on.

        Raises:
            CancelledError: Because it is cancelled.
        """
        if self.is_cancelled:
            raise asyncio.CancelledError

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - as in asyncio.Future
        """Resume the task to be cancelled; return whether this will happen because of this call."""
        if not self.is_idle:  # it is being cancelled; the task itself remembers that it was told twice
            return False
        self.is_cancelled = True
        self.is_idle = False  # news that come before this does must not go to a task that ends
        self._loop.call_soon(self._context.run, self._step, self)
        return True
