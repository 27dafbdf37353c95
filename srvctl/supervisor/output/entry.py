"""One line of the log, when it was printed, and how grave it is."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

STDOUT: Final = "stdout"
STDERR: Final = "stderr"
STREAMS: Final = (STDOUT, STDERR)
MASTER: Final = -1  #: the slot of lines that no worker printed

_COLOR: Final = r"(?:\x1b\[[0-9;]*m)*"
#: How srvctl's own lines begin, and those of ``logging.basicConfig``: ``WARNING:root:text``.
_LEVEL: Final = re.compile(rf"{_COLOR}(CRITICAL|ERROR|WARNING|INFO|DEBUG|TRACE){_COLOR}:".encode())
#: syslog(3)'s numbers.
_GRAVE: Final = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7, "TRACE": 7}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line.

    Attributes:
        at: When it was read, in seconds since the epoch.
        slot: Of the worker that printed it; `MASTER` for master and molds.
        pid: The process; of what it has started as well.
        stream: `STDOUT` or `STDERR`.
        line: Its bytes, without the newline.
        program: What printed it, where that is a process beside the workers; with its number if there are
            several, as ``queue:1``.
    """

    at: float
    slot: int
    pid: int
    stream: str
    line: bytes
    program: str = ""

    @property
    def text(self) -> str:
        """The line as text; what is not UTF-8 as escapes."""
        return self.line.decode("utf-8", "backslashreplace")


def clock() -> float:
    """Return the seconds since the epoch: for people, who want to know when something was printed."""
    return time.time()


def entries_of(slot: int, pid: int, stream: str, lines: Iterable[bytes], program: str = "") -> list[Entry]:
    """Return the entries of lines that were read at this moment."""
    now = clock()
    return [Entry(now, slot, pid, stream, line, program) for line in lines]


def level_of(entry: Entry) -> str:
    """Return the level of a line: what it says itself, else INFO for stdout and WARNING for stderr.

    Much that is written to stderr is no error, and what is one often does not say so.
    """
    match = _LEVEL.match(entry.line)
    if match is not None:
        return match[1].decode()
    stated = (parsed_object(entry.line) or {}).get("level")
    if isinstance(stated, str) and stated.upper() in _GRAVE:
        return stated.upper()
    return logging.getLevelName(logging.INFO if entry.stream == STDOUT else logging.WARNING)


def severity_of(entry: Entry) -> int:
    """Return syslog(3)'s number for it, 0 to 7."""
    return _GRAVE[level_of(entry)]


def parsed_object(line: bytes) -> dict[str, Any] | None:
    """Return the object of JSON that a line is; None if it is none."""
    stripped = line.strip()
    if not (stripped.startswith(b"{") and stripped.endswith(b"}")):
        return None
    try:
        value = json.loads(stripped)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
