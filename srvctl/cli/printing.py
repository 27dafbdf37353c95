"""Prints to stdout, whatever the terminal's encoding is; stderr escapes by itself what it cannot show."""

from __future__ import annotations

import contextlib
import sys


def show(text: str) -> None:
    """Print a text, and what the terminal's encoding cannot show as an escape."""
    encoding = sys.stdout.encoding or "utf-8"
    with contextlib.suppress(BrokenPipeError):  # a reader that has seen enough, such as head(1)
        print(text.encode(encoding, "backslashreplace").decode(encoding))
