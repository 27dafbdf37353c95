"""One line on the terminal that says how far a command is, and is written again and again.

There is none where stderr is no terminal: logs and pipes get whole lines. Called by `answer`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_USUAL_WIDTH: Final = 80
_LONGEST: Final = 24
#: Back to the beginning, and clear the line (ECMA-48: EL).
_AGAIN: Final = "\r\x1b[K"


class Bar:
    """The line; nothing, where it cannot be."""

    def __init__(self) -> None:
        self._is_shown = False

    def show(self, text: str, data: Mapping[str, Any]) -> bool:
        """Draw how far it is; return whether that says all there is to say.

        Args:
            text: One printable line.
            data: ``done`` and ``of``; without them it is not drawn.
        """
        done, of = _count(data, "done"), _count(data, "of")
        if not 0 <= done <= of or of == 0 or not _is_terminal():
            return False
        sys.stderr.write(_AGAIN + drawn(done, of, text, _width()))
        sys.stderr.flush()
        self._is_shown = True
        return True

    def clear(self) -> None:
        """Make room for a line of something else."""
        if self._is_shown:
            sys.stderr.write(_AGAIN)
            sys.stderr.flush()
            self._is_shown = False


def drawn(done: int, of: int, text: str, width: int) -> str:
    """Return the line, no wider than the terminal, so that it can be written again.

    Args:
        done: How much is done.
        of: How much there is; not 0.
        text: What is being done.
        width: Columns of the terminal.
    """
    room = min(_LONGEST, max(width // 3, 3))
    full = done * room // of
    return f"[{'#' * full}{'.' * (room - full)}] {done} of {of}  {text}"[: max(width - 1, 1)]


def _count(data: Mapping[str, Any], name: str) -> int:
    """Return a number that a master said; -1 where it said none."""
    value = data.get(name)
    return value if type(value) is int else -1


def _is_terminal() -> bool:
    return os.environ.get("TERM", "") not in {"", "dumb"} and sys.stderr.isatty()


def _width() -> int:
    with suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH
    return _USUAL_WIDTH
