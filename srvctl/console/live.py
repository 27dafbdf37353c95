"""What happens, for everybody who watches: figures once a second, events as they come.

One connection to the master for all of them, and each line is written once. A client that does not read loses
what it did not take, and hears of the newest; it costs a bounded queue and delays nobody. Called by `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from srvctl.console.sse import STILL_THERE, server_sent
from srvctl.console.upstream import UnreachableError, Upstream
from srvctl.ipc.control import Command, Progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from srvctl.console.watching import Watching

MOST_EVENTS: Final = 200  #: that are remembered
_MOST_WATCHERS: Final = 64
_PAUSE: Final = 1.0  #: seconds between figures, and until a connection that ended is made again
_QUIET: Final = 15.0  #: seconds after which a client is told that nothing has happened
_PATIENCE: Final = 5.0


class FullError(Exception):
    """As many watch as can; the text is a full sentence."""


class Watcher:
    """One client's queue.

    Args:
        wants_figures: It wants those, too.
    """

    def __init__(self, *, wants_figures: bool) -> None:
        self.wants_figures = wants_figures
        self._events: deque[bytes] = deque(maxlen=MOST_EVENTS)
        self._figures = b""
        self._has_something = asyncio.Event()

    def push(self, event: bytes) -> None:
        """Keep an event; the oldest makes room."""
        self._events.append(event)
        self._has_something.set()

    def show(self, figures: bytes) -> None:
        """Keep figures in the place of older ones."""
        self._figures = figures
        self._has_something.set()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield what to send, for ever."""
        while True:
            try:
                async with asyncio.timeout(_QUIET):
                    await self._has_something.wait()
            except TimeoutError:
                yield STILL_THERE
                continue
            self._has_something.clear()
            part = b"".join((*self._events, self._figures))
            self._events.clear()
            self._figures = b""
            yield part


class Live:
    """Everybody who watches.

    Args:
        upstream: Tells events.
        watching: Tells figures.
    """

    def __init__(self, upstream: Upstream, watching: Watching) -> None:
        self._upstream = upstream
        self._watching = watching
        self._watchers: set[Watcher] = set()
        self._history: deque[str] = deque(maxlen=MOST_EVENTS)
        self._following: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None

    async def last(self, number: int) -> list[Mapping[str, Any]]:
        """Return the last events, oldest first.

        Raises:
            UnreachableError: The master does not say.
        """
        return await self._upstream.collect(Command.EVENTS, patience=_PATIENCE, last=number, follow=False)

    def refuse_too_many(self) -> None:
        """Let no more watch than can.

        Raises:
            FullError: There are too many already.
        """
        if len(self._watchers) >= _MOST_WATCHERS:
            raise FullError(f"{_MOST_WATCHERS} others watch already; try again later.")

    @contextlib.asynccontextmanager
    async def watched(self, *, wants_figures: bool, last: int) -> AsyncIterator[Watcher]:
        """Give a queue that is filled as long as the context lasts, first with the last events.

        Args:
            wants_figures: Figures come, too, once a second.
            last: How many events of before.

        Raises:
            FullError: There are too many already.
        """
        self.refuse_too_many()
        if self._following is None:
            with contextlib.suppress(UnreachableError):
                self._remember(await self.last(MOST_EVENTS))
        if self._following is None:  # nor has another watcher begun meanwhile
            self._following = asyncio.create_task(self._follow())
        watcher = Watcher(wants_figures=wants_figures)
        for text in list(self._history)[-last:] if last else ():
            watcher.push(_event(text))
        self._watchers.add(watcher)
        try:
            if wants_figures and self._ticking is None:
                self._ticking = asyncio.create_task(self._tick())
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _remember(self, items: list[Mapping[str, Any]]) -> list[str]:
        """Add events that are not known yet; return those."""
        fresh = []
        for item in items:
            text = json.dumps(item, separators=(",", ":"))
            if text not in self._history:  # told again after a connection that ended
                self._history.append(text)
                fresh.append(text)
        return fresh

    async def _follow(self) -> None:
        """Listen to the master as long as the console lives."""
        while True:
            with contextlib.suppress(UnreachableError):
                replies = self._upstream.replies(Command.EVENTS, last=MOST_EVENTS, follow=True)
                async with contextlib.aclosing(replies):
                    async for reply in replies:
                        if isinstance(reply, Progress) and reply.data:
                            for text in self._remember([reply.data]):
                                self._push(_event(text))
            await asyncio.sleep(_PAUSE)

    def _push(self, event: bytes) -> None:
        for watcher in self._watchers:
            watcher.push(event)

    async def _tick(self) -> None:
        """Tell figures as long as somebody wants them."""
        loop = asyncio.get_running_loop()
        while audience := list(self._wanting_figures()):
            due = loop.time() + _PAUSE
            answer = await self._watching.answer()
            said = {"message": "The master does not answer."}
            figures = server_sent("trouble", said) if answer is None else server_sent("metrics", answer)
            for watcher in audience:
                watcher.show(figures)
            await asyncio.sleep(max(due - loop.time(), 0))
        self._ticking = None

    def _wanting_figures(self) -> Iterator[Watcher]:
        return (watcher for watcher in self._watchers if watcher.wants_figures)


def _event(text: str) -> bytes:
    return b"event: event\ndata: %b\n\n" % text.encode()
