"""A record as an object of JSON on a line (``log.format = "json"``), for programs that collect logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

from srvctl.logs.loggers import OWN, TWIN

#: What every record of this process says beside its own: who it is.
_process: Final[dict[str, int]] = {"slot": -1}


def this_is(slot: int, generation: int) -> None:
    """Have the records of this process say which worker it is.

    Args:
        slot: Its place; -1 for none.
        generation: What it serves.
    """
    _process.update(slot=slot, generation=generation)


def iso_time(at: float) -> str:
    """Return a moment (seconds since the epoch) in ISO 8601, UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """Shows time, level, logger, message, pid, slot, generation and, of an error, ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        values: dict[str, Any] = {
            "time": iso_time(record.created),
            "level": record.levelname,
            "logger": OWN + record.name.removeprefix(TWIN) if record.name.startswith(TWIN) else record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **_process,
        }
        if record.exc_info and record.exc_info[0] is not None:
            values["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            values["exception"] = record.exc_text
        if record.stack_info:
            values["stack"] = record.stack_info
        return json.dumps(values, ensure_ascii=False)
