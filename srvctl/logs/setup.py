"""The loggers of srvctl and the shape of their lines, which is uvicorn's.

``srvctl`` (and its child ``srvctl.error``) writes to stderr, ``srvctl.access`` to stdout or a file. None of
them propagates, so an application that configures the root logger gets no line twice.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

from srvctl.errors import ConfigError
from srvctl.logs.access.formats import compile_format
from srvctl.logs.access.handler import AccessHandler
from srvctl.logs.access.sinks import FileSink, stream_sink

if TYPE_CHECKING:
    from typing import TextIO

    from srvctl.logs.access.sinks import Sink

TRACE: Final = 5
LEVELS: Final = {
    "critical": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": TRACE,
}

_COLORS: Final = {TRACE: 34, logging.DEBUG: 36, logging.INFO: 32, logging.WARNING: 33, logging.ERROR: 31}
_CRITICAL_COLOR: Final = 91
_PREFIX_WIDTH: Final = len("CRITICAL:") + 1


def _colored(text: str, color: int) -> str:
    return f"\x1b[{color}m{text}\x1b[0m"


class LineFormatter(logging.Formatter):
    """Formats ``%(levelprefix)s``: the level, a colon, and blanks up to a common column."""

    def __init__(self, fmt: str, *, use_colors: bool) -> None:
        super().__init__(fmt)
        self.use_colors = use_colors

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        """Return the line without its traceback."""
        name = record.levelname
        padding = " " * (_PREFIX_WIDTH - 1 - len(name) - 1)
        if self.use_colors:
            name = _colored(name, _COLORS.get(record.levelno, _CRITICAL_COLOR))
        record.__dict__["levelprefix"] = f"{name}:{padding}"
        return super().formatMessage(record)


def configure(
    level: str,
    *,
    use_colors: bool | None,
    access: bool,
    access_format: str = "uvicorn",
    access_file: str = "-",
) -> None:
    """Set up the loggers of this process and, through fork, of its workers.

    Args:
        level: A key of `LEVELS`.
        use_colors: None colours only what goes to a terminal; a file never is.
        access: Whether requests are logged.
        access_format: How, as `compile_format` takes it.
        access_file: Where, as a path; ``-`` is stdout.

    Raises:
        ConfigError: The file cannot be opened.
        FormatError: The format is none.
    """
    logging.addLevelName(TRACE, "TRACE")
    logging.raiseExceptions = False  # when nobody reads the log any more, serving goes on without it

    def lines(stream: TextIO | None) -> LineFormatter:
        # None: the descriptor was closed before we started
        colors = bool(stream and stream.isatty()) if use_colors is None else use_colors
        return LineFormatter("%(levelprefix)s %(message)s", use_colors=colors)

    stderr_handler = logging.StreamHandler(sys.stderr)
    stderr_handler.setFormatter(lines(sys.stderr))
    _set_up("srvctl", level, stderr_handler)
    if access_file == "-":
        sink, others = stream_sink(sys.stdout), lines(sys.stdout)
    else:
        sink, others = _open(access_file), LineFormatter("%(levelprefix)s %(message)s", use_colors=False)
    form = compile_format(access_format, use_colors=others.use_colors)
    _set_up("srvctl.access", level, AccessHandler(form, sink, others))
    logging.getLogger("srvctl.access").disabled = not access


def _open(path: str) -> Sink:
    try:
        return FileSink(path)
    except OSError as error:
        raise ConfigError(f"log.access_file: {path} cannot be opened: {error.strerror}.") from None


def _set_up(name: str, level: str, handler: logging.Handler) -> None:
    logger = logging.getLogger(name)
    logger.setLevel(LEVELS[level])
    before, logger.handlers[:] = list(logger.handlers), [handler]
    logger.propagate = False
    for old in before:
        if isinstance(old, AccessHandler):  # each reload sets up anew, and this one has a descriptor
            old.dispose()
