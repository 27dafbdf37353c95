"""Sets up the loggers as uvicorn does: everything to stderr, requests to stdout or a file.

None of them propagates, so an application that configures the root logger gets no line twice. `loggers` says
how ours and uvicorn's belong together; `configuring` sets them up as a file says.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from srvctl.errors import ConfigError
from srvctl.logs import loggers
from srvctl.logs.access.formats import compile_format
from srvctl.logs.access.handler import AccessHandler
from srvctl.logs.access.sinks import FileSink, stream_sink
from srvctl.logs.formatters import DEFAULT_FORMAT, DefaultFormatter, is_terminal
from srvctl.logs.levels import LEVELS, TRACE, number_of

if TYPE_CHECKING:
    from srvctl.logs.access.sinks import Sink

__all__ = ["LEVELS", "TRACE", "access_handler", "begin", "configure"]


def configure(
    level: str | int,
    *,
    use_colors: bool | None,
    access: bool,
    access_format: str = "uvicorn",
    access_file: str = "-",
) -> None:
    """Set up the loggers of this process and, through fork, of its workers.

    Args:
        level: A key of `LEVELS`, or a number.
        use_colors: None colours only what goes to a terminal; a file never is.
        access: Whether requests are logged.
        access_format: How, as `compile_format` takes it.
        access_file: Where, as a path; ``-`` is stdout.

    Raises:
        ConfigError: The file cannot be opened.
        FormatError: The format is none.
    """
    handler = access_handler(access_format, access_file, use_colors=use_colors)
    begin()
    colors = is_terminal(sys.stderr) if use_colors is None else use_colors
    stderr_handler = logging.StreamHandler(sys.stderr)
    stderr_handler.setFormatter(DefaultFormatter(DEFAULT_FORMAT, use_colors=colors))
    for name, own in ((loggers.TWIN, stderr_handler), (f"{loggers.TWIN}.access", handler)):
        logging.getLogger(name).handlers[:] = [own]
        logging.getLogger(name).propagate = False
    for name in loggers.TWINS:
        logging.getLogger(name).setLevel(number_of(level))
    loggers.connect()
    if not access:
        handler.dispose()
        loggers.switch_off_requests()


def begin() -> None:
    """Make the loggers what new ones are, and close what was opened: each reload sets them up anew."""
    logging.addLevelName(TRACE, "TRACE")
    logging.raiseExceptions = False  # when nobody reads the log any more, serving goes on without it
    twin = logging.getLogger(f"{loggers.TWIN}.access")
    before = [handler for handler in twin.handlers if isinstance(handler, AccessHandler)]
    loggers.reset()
    for handler in before:
        handler.dispose()


def access_handler(form: str, file: str, *, use_colors: bool | None) -> AccessHandler:
    """Return what writes requests.

    Args:
        form: The format, as `compile_format` takes it.
        file: Where, as a path; ``-`` is stdout.
        use_colors: None colours what goes to a terminal; a file never is.

    Raises:
        ConfigError: The file cannot be opened.
        FormatError: The format is none.
    """
    is_stdout = file == "-"
    colors = is_stdout and (is_terminal(sys.stdout) if use_colors is None else use_colors)
    compiled = compile_format(form, use_colors=colors)
    sink = stream_sink(sys.stdout) if is_stdout else _open(file)
    return AccessHandler(compiled, sink, DefaultFormatter(DEFAULT_FORMAT, use_colors=colors))


def _open(path: str) -> Sink:
    try:
        return FileSink(path)
    except OSError as error:
        raise ConfigError(f"log.access_file: {path} cannot be opened: {error.strerror}.") from None
