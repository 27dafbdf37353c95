"""Something that is asked for from anywhere, and waited for in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Wish:
    """A flag that may be set in any thread and in signal handlers, and wakes the loop that waits for it."""

    def __init__(self) -> None:
        self._is_set = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.event = asyncio.Event()

    def __bool__(self) -> bool:
        return self._is_set

    def __repr__(self) -> str:
        return f"Wish({self._is_set})"

    def belong_to_loop(self) -> None:
        """Be waited for in the loop that runs, from now on."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self.event = loop, asyncio.Event()
            if self._is_set:
                self.event.set()

    def set(self, value: bool) -> None:
        """Ask for it, or not any more."""
        self._is_set = bool(value)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self.event.set if value else self.event.clear)

    async def cuts_short(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait until the work is done, or cancel it as soon as the wish is set."""
        task, wished = asyncio.ensure_future(work), asyncio.ensure_future(self.event.wait())
        try:
            await asyncio.wait([task, wished], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            for one in (task, wished):
                one.cancel()
            await asyncio.wait([task, wished])
