"""Sets up the loggers as uvicorn does: everything to stderr, requests to stdout or a file.

None of them propagates, so an application that configures the root logger gets no line twice. `loggers` says
how ours and uvicorn's belong together; `configuring` sets them up as a file says.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srvctl.errors import ConfigError
from srvctl.logs import loggers
from srvctl.logs.access.formats import compile_format
from srvctl.logs.access.handler import AccessHandler
from srvctl.logs.access.sinks import FileSink, stream_sink
from srvctl.logs.formatters import DEFAULT_FORMAT, DefaultFormatter, is_terminal
from srvctl.logs.json_lines import JsonFormatter
from srvctl.logs.levels import LEVELS, TRACE, number_of

if TYPE_CHECKING:
    from srvctl.logs.access.sinks import Sink

__all__ = ["LEVELS", "TRACE", "Wanted", "access_handler", "begin", "configure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is said of logging, beside a configuration for `logging.config`.

    Attributes:
        level: A key of `LEVELS`, or a number; None is what a configuration says, or ``info``.
        use_colors: None colours only what goes to a terminal; a file never is.
        access: Whether requests are logged.
        access_format: How, as `compile_format` takes it.
        access_file: Where, as a path; ``-`` is stdout.
        is_json: Lines are objects of JSON.
        is_for_terminal: The log goes to stderr, and not elsewhere by way of the master.
    """

    level: str | int | None = None
    use_colors: bool | None = None
    access: bool = True
    access_format: str = "uvicorn"
    access_file: str = "-"
    is_json: bool = False
    is_for_terminal: bool = True

    @property
    def says_where_requests_go(self) -> bool:
        """Whether format or file are others than by default."""
        return (self.access_format, self.access_file) != ("uvicorn", "-")


def configure(wanted: Wanted) -> None:
    """Set up the loggers of this process and, through fork, of its workers.

    Raises:
        ConfigError: The file cannot be opened.
        FormatError: The format is none.
    """
    handler = access_handler(wanted)
    begin()
    stderr_handler = logging.StreamHandler(sys.stderr)
    stderr_handler.setFormatter(_formatter(wanted))
    for name, own in ((loggers.TWIN, stderr_handler), (f"{loggers.TWIN}.access", handler)):
        logging.getLogger(name).handlers[:] = [own]
        logging.getLogger(name).propagate = False
    for name in loggers.TWINS:
        logging.getLogger(name).setLevel(number_of("info" if wanted.level is None else wanted.level))
    loggers.connect()
    if not wanted.access:
        handler.dispose()
        loggers.switch_off_requests()


def _formatter(wanted: Wanted) -> logging.Formatter:
    """Return what shows everything that is no request."""
    if wanted.is_json:
        return JsonFormatter()
    colors = is_terminal(sys.stderr) if wanted.use_colors is None else wanted.use_colors
    return DefaultFormatter(DEFAULT_FORMAT, use_colors=colors and wanted.is_for_terminal)


def begin() -> None:
    """Make the loggers what new ones are, and close what was opened: each reload sets them up anew."""
    logging.addLevelName(TRACE, "TRACE")
    logging.raiseExceptions = False  # when nobody reads the log any more, serving goes on without it
    twin = logging.getLogger(f"{loggers.TWIN}.access")
    before = [handler for handler in twin.handlers if isinstance(handler, AccessHandler)]
    loggers.reset()
    for handler in before:
        handler.dispose()


def access_handler(wanted: Wanted) -> AccessHandler:
    """Return what writes requests.

    Raises:
        ConfigError: The file cannot be opened.
        FormatError: The format is none.
    """
    is_stdout = wanted.access_file == "-"
    colors = is_stdout and (is_terminal(sys.stdout) if wanted.use_colors is None else wanted.use_colors)
    compiled = compile_format(wanted.access_format, use_colors=colors)
    sink = stream_sink(sys.stdout) if is_stdout else _open(wanted.access_file)
    return AccessHandler(compiled, sink, DefaultFormatter(DEFAULT_FORMAT, use_colors=colors))


def reopen_requests() -> None:
    """Go on with the files that have the names of the access log now; do nothing where they are the same.

    For a worker that is forked from a process which has them open since long ago, and for one that is told.
    """
    for name in (loggers.OWN, loggers.TWIN):
        for handler in logging.getLogger(f"{name}.access").handlers:
            try:
                if isinstance(handler, AccessHandler):
                    handler.reopen()
            except OSError as error:
                text = "log.access_file: %s cannot be opened again: %s; it goes on in the one that was moved."
                logging.getLogger(f"{loggers.OWN}.error").warning(text, error.filename, error.strerror)


def _open(path: str) -> Sink:
    try:
        return FileSink(path)
    except OSError as error:
        raise ConfigError(f"log.access_file: {path} cannot be opened: {error.strerror}.") from None
