"""Names a process for ps(1), top(1) and the kernel's log, which else call every part of srvctl "python"."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

MASTER: Final = "srvctl"
MOLD: Final = "srvctl-mold"
WORKER: Final = "srvctl-worker"
SPARE: Final = "srvctl-spare"  #: becomes a worker
WATCHER: Final = "srvctl-watcher"
CONSOLE: Final = "srvctl-console"

_PR_SET_NAME: Final = 15  # prctl(2): at most 15 bytes


def name_process(name: str) -> None:
    """Give this process a name (Linux only)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
