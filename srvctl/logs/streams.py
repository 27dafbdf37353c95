"""stdout and stderr, whoever reads them: their end is never ours."""

from __future__ import annotations

import os
import sys


def flush() -> None:
    """Write out what was printed; a reader that has left (``srvctl check | head``) is no error."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # closed before we started
            continue
        try:
            stream.flush()
        except OSError:
            # What is still buffered would raise again at the next flush, and when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
