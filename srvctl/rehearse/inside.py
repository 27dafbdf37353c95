"""What a rehearsal has inside the workers: hooks, which `private` puts among the user's settings.

Two signals to a worker make it ill: one blocks its event loop, the other has it hold memory. Nothing stands
between the application and its requests, and no path of it is taken. The signals are real-time ones, of the
end of the range, which nobody uses by accident.

Runs in the workers of an instance that is rehearsed, and nowhere else; imports nothing but the standard
library, so that it cannot hide that the application forgot an import.
"""

from __future__ import annotations

import os
import signal
import time
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import FrameType

#: Names the user's own function for ``hooks.on_ready``, as module:attribute.
VARIABLE: Final = "SRVCTL_REHEARSED_HOOK"
#: Bytes that one signal has a worker hold.
PIECE: Final = 16 * 1024 * 1024
_LAST: Final = getattr(signal, "SIGRTMAX", None)
#: Whether workers can be made ill here.
HAS_SIGNALS: Final = _LAST is not None
BLOCK: Final = int(_LAST or 0) - 1
HOLD: Final = int(_LAST or 0) - 2
_held: list[bytes] = []


class RehearsedError(Exception):
    """What the new code of a bad reload raises."""


def on_ready(context: object) -> Any:
    """Listen to the signals, and do what the user's own hook does."""
    if HAS_SIGNALS:
        signal.signal(BLOCK, _block)
        signal.signal(HOLD, _hold)
    name, _, attribute = os.environ.get(VARIABLE, "").partition(":")
    return attrgetter(attribute)(import_module(name))(context) if name else None


def refuse(_context: object) -> None:
    """Fail, as code does that cannot be imported.

    Raises:
        RehearsedError: Always.
    """
    raise RehearsedError("This is the bad reload of srvctl rehearse: code that does not come up.")


def _block(_number: int, _frame: FrameType | None) -> None:
    """Block the event loop, in which Python runs signal handlers, until somebody ends the process."""
    while True:
        time.sleep(1.0)


def _hold(_number: int, _frame: FrameType | None) -> None:
    """Hold some more memory; each byte is written, or the kernel would not count it."""
    _held.append(b"\x01" * PIECE)
