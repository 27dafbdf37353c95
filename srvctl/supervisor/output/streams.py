"""The master's own ``sys.stdout`` and ``sys.stderr``: what is written there goes the way of every line.

So no handler of logging, whatever has set it up, ever waits for who reads the log.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from srvctl.supervisor.output.lines import Cutter

if TYPE_CHECKING:
    from collections.abc import Callable


class MasterStream(io.TextIOBase):
    """A text stream without a descriptor.

    Args:
        take: Is given whole lines.
        is_terminal: What is written there is seen by people.
    """

    def __init__(self, take: Callable[[list[bytes]], None], *, is_terminal: bool) -> None:
        super().__init__()
        self._take = take
        self._is_terminal = is_terminal
        self._cutter = Cutter()

    def write(self, text: str) -> int:
        """Write whole lines; the rest waits for its newline."""
        lines = self._cutter.feed(text.encode("utf-8", "backslashreplace"))
        if lines:
            self._take(lines)
        return len(text)

    def end_line(self) -> None:
        """Write what has no newline."""
        lines = self._cutter.end()
        if lines:
            self._take(lines)

    def isatty(self) -> bool:
        """Return whether people see it."""
        return self._is_terminal

    def writable(self) -> bool:
        """Return that it is."""
        return True
