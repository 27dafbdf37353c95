"""How a command's end is told: one line on stderr for each thing that is wrong. Imports nothing heavy."""

from __future__ import annotations

import os
import sys


def report(message: str) -> None:
    """Print each line of an error message as ``srvctl: error: ...``."""
    for line in message.splitlines():
        print(f"srvctl: error: {line}", file=sys.stderr)


def flush() -> None:
    """Write out what was printed; a reader that has left early (``srvctl check | head``) is no error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            # What is still buffered would raise again when the interpreter closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
