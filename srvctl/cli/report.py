"""How a command's end is told: one line on stderr for each thing that is wrong. Imports nothing heavy."""

from __future__ import annotations

import sys


def report(message: str) -> None:
    """Print each line of an error message as ``srvctl: error: ...``."""
    for line in message.splitlines():
        print(f"srvctl: error: {line}", file=sys.stderr)


def warn(message: str) -> None:
    """Print something that is likely to be a mistake, and that nothing is refused for."""
    print(f"srvctl: warning: {message}", file=sys.stderr)
