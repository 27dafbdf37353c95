"""The access log as `logging` sees it: srvctl's own handler, at the twin of ``srvctl.access`` (`loggers`).

Workers write past `logging` while nobody else listens there (see `log`); both ways end in this writer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from srvctl.logs.access.batch import BatchWriter
from srvctl.logs.access.escape import plain
from srvctl.logs.access.record import AccessRecord
from srvctl.logs.access.sinks import DescriptorSink, FileSink

if TYPE_CHECKING:
    from srvctl.logs.access.formats import Format
    from srvctl.logs.access.sinks import Sink

#: The attribute of a LogRecord that holds the AccessRecord and the arguments that were made of it. Formatters
#: that show all attributes leave out those that begin like this.
RECORD: Final = "_access"
_UNKNOWN: Final = (AccessRecord("", "", b"", "", 0), object())
_logger: Final = logging.getLogger("srvctl.error")


class AccessHandler(logging.Handler):
    """Writes the lines of finished requests.

    Args:
        form: Makes the lines.
        sink: Takes them.
        others: Shows what is not a request: an application may log anything here.
    """

    def __init__(self, form: Format, sink: Sink, others: logging.Formatter) -> None:
        super().__init__()
        self.form = form
        self.writer = BatchWriter(sink, self)
        self._sink = sink
        self._others = others
        self.setFormatter(others)

    @property
    def is_as_made(self) -> bool:
        """Whether nobody has given it a formatter, a filter or a level that changes what is written."""
        return self.formatter is self._others and not self.filters and self.level <= logging.INFO

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        try:
            access = _access_record(record) if self.formatter is self._others else None
            self.writer.add(f"{self.format(record)}\n" if access is None else self.form.line(access))
            self.writer.flush()
        except Exception:  # noqa: BLE001 - as every handler: what is logged never stops who logs
            self.handleError(record)

    def reopen(self) -> None:
        """Go on with the file that has the log's name now; does nothing for stdout.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """
        self.writer.flush()
        if isinstance(self._sink, FileSink) and self._sink.is_moved():
            self._sink.reopen()

    def close(self) -> None:
        """Write what is left.

        `logging.config` closes every handler there is, also those whose loggers it leaves alone, and
        `StreamHandler` goes on after that. So does this one: what was opened stays open until `dispose`.
        """
        self.writer.flush()
        super().close()

    def dispose(self) -> None:
        """Write what is left, and close what was opened for it: nobody logs here any more."""
        self.close()
        if isinstance(self._sink, DescriptorSink):
            self._sink.close()

    # -- what the writer says --------------------------------------------------------------------------

    def lost(self, lines: int) -> None:
        """Say how many requests are missing."""
        _logger.warning("%d line(s) of the access log were lost.", lines)

    def gone(self, reason: str) -> None:
        """Say that there is no log any more."""
        _logger.warning("Nobody reads the access log any more (%s); requests are not logged.", reason)


def arguments(access: AccessRecord) -> tuple[str, str, str, str, int | str]:
    """Return the five arguments that uvicorn logs a request with: client, method, target, version, status."""
    return access.client, access.method, plain(access.target.decode("latin-1")), access.version, access.status


def _access_record(record: logging.LogRecord) -> AccessRecord | None:
    """Return what the worker put there, or what uvicorn's five arguments say; None for anything else.

    A filter may have changed the arguments, to hide a part of the target.
    """
    known, args = record.__dict__.get(RECORD) or _UNKNOWN
    if record.args is args:
        return known
    match record.args:
        case (str(client), str(method), str(target), str(version), int() | str() as status):
            return known._replace(
                client=client,
                method=method,
                target=target.encode("utf-8", "backslashreplace"),
                version=version,
                status=status,
                time=known.time or record.created,
            )
    return None
