"""The signals of a process in which servers run: all of them hear, and afterwards everything is as it was.

Several servers in one loop begin and end in any order, so they cannot each restore what they found. The first
one takes the signals and the last one gives them back. Called by `Server`, in the main thread.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

HANDLED: Final = (signal.SIGINT, signal.SIGTERM)


class Audience:
    """Those who hear the signals of this process."""

    def __init__(self) -> None:
        self._handlers: list[Handler] = []
        self._before: dict[signal.Signals, Any] = {}
        self._owed: dict[signal.Signals, None] = {}  #: to the program, once nobody is left

    def join(self, handler: Handler) -> None:
        """Call a handler for each signal, from now on."""
        if not self._handlers:
            self._before = {number: signal.signal(number, self._hear) for number in HANDLED}
        self._handlers.append(handler)

    def leave(self, handler: Handler) -> None:
        """Call it no more; the last to leave gives the signals back.

        A handler that the program has set meanwhile stays.
        """
        with contextlib.suppress(ValueError):
            self._handlers.remove(handler)
        if self._handlers:
            return
        for number, before in self._before.items():
            if signal.getsignal(number) == self._hear:
                # None: a handler that Python has not made and cannot set again
                signal.signal(number, signal.SIG_DFL if before is None else before)

    def owe(self, numbers: Iterable[signal.Signals]) -> None:
        """Raise signals again for the program as soon as nobody is left; the last one first."""
        self._owed |= dict.fromkeys(numbers)
        if self._handlers:
            return
        owed, self._owed = list(self._owed), {}
        for number in reversed(owed):
            signal.raise_signal(number)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        for handler in list(self._handlers):
            handler(number, frame)


audience: Final = Audience()
