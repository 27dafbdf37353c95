"""stdout and stderr, whoever reads them: their end is never ours."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator
    from typing import TextIO


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


def put_in_place(stdout: int, stderr: int) -> None:
    """Have everything that this process prints go there, also what C code and other programs print.

    What is open elsewhere for the old ones, such as by the access log, stays what it is. Lines are written
    as they end, not when a buffer is full: who reads them wants to see them.

    Args:
        stdout: A descriptor to write to, which is closed.
        stderr: Another one.
    """
    flush()
    for name, number, fd in (("stdout", 1, stdout), ("stderr", 2, stderr)):
        stream = getattr(sys, name)
        if stream is None:  # closed before we started: that number may be anything by now
            setattr(sys, name, os.fdopen(fd, "w", buffering=1, errors="backslashreplace"))
            continue
        os.dup2(fd, number)
        os.close(fd)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)


def redirect(old: TextIO | None, new: TextIO | None) -> None:
    """Have the handlers of logging that write to one stream write to another.

    Args:
        old: The stream, as their ``stream`` is; None changes nothing.
        new: The other; a handler of None writes nothing that anybody sees.
    """
    import logging  # noqa: PLC0415 - every command flushes with this module, and none of them logs

    for handler in _handlers():
        if isinstance(handler, logging.StreamHandler) and old is not None and handler.stream is old:
            handler.setStream(new)


def _handlers() -> Iterator[logging.Handler]:
    """Yield those of all loggers."""
    import logging  # noqa: PLC0415 - as above

    yield from list(logging.root.handlers)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from list(logger.handlers)
