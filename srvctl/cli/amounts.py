"""Numbers that flags of the quick commands take, read by argparse; a mistake is one sentence."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Final

_LONGEST: Final = 9


def positive(text: str) -> int:
    """Return a whole number from 1.

    Raises:
        ArgumentTypeError: The text is none.
    """
    number = natural(text)
    if not number:
        raise ArgumentTypeError("0 is not enough; write 1 or more")
    return number


def natural(text: str) -> int:
    """Return a whole number from 0.

    Raises:
        ArgumentTypeError: The text is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)
