"""The terminal of ``srvctl top``: a screen to draw lines on, and keys. Puts everything back at the end.

The only module that loads rich. Knows nothing of what is drawn.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType

    from srvctl.cli.screen.lines import Line

#: Signals that end a program which does nothing about them; the terminal is to be put back before that.
_ENDINGS: Final = (signal.SIGTERM, signal.SIGHUP)
#: What disables a key of the terminal, `_POSIX_VDISABLE` of termios(3).
_NO_KEY: Final = b"\0"
_MOST_KEYS: Final = 64


class EndedBySignal(BaseException):
    """The process is to end as a signal has it, once the terminal is as it was.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    def die(self) -> None:
        """End as a process that did nothing about the signal."""
        signal.signal(self.number, signal.SIG_DFL)
        os.kill(os.getpid(), self.number)


class Terminal:
    """The whole screen, while it is entered."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._stack = contextlib.ExitStack()
        self._keys = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else -1
        self._resized, self._resizing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return self._console.size.width, self._console.size.height

    @property
    def has_bars(self) -> bool:
        """Whether it can show more than ASCII."""
        return self._console.encoding.lower().startswith("utf")

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, self._resizing)
            stack.callback(os.close, self._resized)
            for number in _ENDINGS:
                stack.callback(signal.signal, number, signal.signal(number, _end))
            stack.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, self._resize))
            if self._keys >= 0:
                before = termios.tcgetattr(self._keys)
                stack.callback(termios.tcsetattr, self._keys, termios.TCSADRAIN, before)
                self._take_keys()
            stack.enter_context(self._live)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def draw(self, lines: Sequence[Line]) -> None:
        """Show these lines, one of which fits each line of the screen."""
        texts = [Text.assemble(*line, no_wrap=True, overflow="crop", end="") for line in lines]
        self._live.update(Group(*(_ended(text) for text in texts)), refresh=True)

    def wait(self, seconds: float) -> str:
        """Return the keys that were pressed; empty if none was in that time, or the size has changed."""
        watched = [self._resized, *([self._keys] if self._keys >= 0 else [])]
        ready, _, _ = select.select(watched, [], [], max(seconds, 0.0))
        if self._resized in ready:
            os.read(self._resized, _MOST_KEYS)
        if self._keys not in ready:
            return ""
        pressed = os.read(self._keys, _MOST_KEYS)
        if not pressed:  # the terminal is gone
            self._keys = -1
        return pressed.decode("ascii", "replace")

    def _take_keys(self) -> None:
        """Get each key at once and unseen; Ctrl-C still interrupts, and Ctrl-Z does nothing."""
        tty.setcbreak(self._keys, termios.TCSADRAIN)
        attributes = termios.tcgetattr(self._keys)
        attributes[6][termios.VSUSP] = _NO_KEY
        termios.tcsetattr(self._keys, termios.TCSADRAIN, attributes)

    def _resize(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):  # it is known already
            os.write(self._resizing, b"x")


def _end(number: int, _frame: FrameType | None) -> None:
    raise EndedBySignal(number)


def _ended(text: Text) -> Text:
    text.end = "\n"
    return text


def width() -> int:
    """Return how many columns there are to print into."""
    return Console().size.width


def print_lines(lines: Sequence[Line]) -> None:
    """Print lines where there is no screen to take; with styles on a terminal, plain elsewhere."""
    console = Console(highlight=False, markup=False, emoji=False)
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)
