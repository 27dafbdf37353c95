"""Prints to stdout, whatever the terminal's encoding is; stderr escapes by itself what it cannot show."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Final

_USUAL_WIDTH: Final = 80


def show(text: str) -> None:
    """Print a text, and what the terminal's encoding cannot show as an escape."""
    encoding = sys.stdout.encoding or "utf-8"
    with contextlib.suppress(BrokenPipeError):  # a reader that has seen enough, such as head(1)
        print(text.encode(encoding, "backslashreplace").decode(encoding))


def terminal_width() -> int:
    """Return how many columns there are to print into, as `shutil.get_terminal_size` does.

    That module loads compression for its archives, which takes longer than a command has.
    """
    with contextlib.suppress(ValueError):
        given = int(os.environ.get("COLUMNS", ""))
        if given > 0:
            return given
    if sys.__stdout__ is not None:
        with contextlib.suppress(OSError, ValueError):  # no terminal, or closed
            return os.get_terminal_size(sys.__stdout__.fileno()).columns or _USUAL_WIDTH
    return _USUAL_WIDTH
