"""The levels of the log, by the names that settings give them."""

from __future__ import annotations

import logging
from typing import Final

TRACE: Final = 5
LEVELS: Final[dict[str, int]] = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}


def number_of(level: str | int) -> int:
    """Return the number of a level that is given by its name, or already by its number.

    Raises:
        KeyError: There is no level of this name.
    """
    return level if isinstance(level, int) else LEVELS[level.lower()]
