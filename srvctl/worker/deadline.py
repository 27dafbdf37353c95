"""A deadline for functions that may block: SIGALRM raises inside them.

A signal is the only thing that interrupts a ``time.sleep`` or a ``recv`` in the main thread: CPython runs its
handler between two bytecodes, and between a system call and its repetition (PEP 475). A function that stays
inside C code without either cannot be interrupted; the master's own deadlines are for those.

Belongs to the main thread. Whoever calls takes care that only one deadline is in force at a time.
"""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import CodeType, FrameType

#: Seconds between the attempts to interrupt: where the first comes to nothing (raised inside a ``__del__``,
#: or swallowed by a bare ``except``), the next may not.
_AGAIN: Final = 0.5
_AT_ONCE: Final = 1e-6  #: setitimer(2) takes 0 for "never"


_A = TypeVar("_A")
_R = TypeVar("_R")


class DeadlineError(BaseException):
    """It took too long. No Exception: loops that try again after any of those would go on for ever."""


def call(function: Callable[[_A], _R], argument: _A) -> _R:
    """Call a function whose code `interrupting` may interrupt."""
    return function(argument)


async def wait_for(awaitable: Awaitable[_R]) -> _R:
    """Await something whose code `interrupting` may interrupt, while it runs."""
    return await awaitable


@contextlib.contextmanager
def interrupting(seconds: float) -> Iterator[None]:
    """Raise in what `call` called, or in what `wait_for` awaits and is running, once the time is over.

    Nothing is raised in anybody else's code, be it that of another task, and nothing after it has returned:
    the handler looks at what it interrupted. The handler, the timer and the mask of before are put back.

    Raises:
        DeadlineError: Inside the function.
    """
    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, _interrupt)
    # Whoever started us may have blocked it, and a mask outlives fork and exec.
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    others = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # A signal that came in this moment is handled before the handler changes: `signal.signal` sees to
        # that.
        signal.signal(signal.SIGALRM, handler if handler is not None else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if others[0]:
            left = others[0] - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, _AT_ONCE), others[1])


#: The functions below which code may be interrupted.
_BOUNDED: Final[frozenset[CodeType]] = frozenset({call.__code__, wait_for.__code__})


def _interrupt(_number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code in _BOUNDED:
            raise DeadlineError
        frame = frame.f_back
