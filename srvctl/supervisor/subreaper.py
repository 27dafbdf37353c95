"""Has the kernel give orphans of the master's children to the master: a mold's workers become its own."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36  # prctl(2)


def become_subreaper() -> bool:
    """Return whether it worked; it does on Linux, for this process and as long as it lives."""
    if not sys.platform.startswith("linux"):
        return False
    result: int = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return result == 0
