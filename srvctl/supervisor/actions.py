"""What the fleet wants done. Values only; made by `fleet.Fleet`, carried out by `effects`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from srvctl.errors import ExitCode


class Severity(Enum):
    """How loud a line of the log is; the values are names of levels in `logging`."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Milestone(Enum):
    """States of the whole service that the outside is told about (log, service manager)."""

    READY = "ready"
    RELOADING = "reloading"
    RELOADED = "reloaded"
    RELOAD_FAILED = "reload failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a worker for a slot."""

    worker: int
    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Drain:
    """Ask a ready worker through its channel to finish its requests and exit.

    Attributes:
        worker: The worker.
        last: No other worker takes over its listeners: accept what the kernel has queued before closing them.
    """

    worker: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to a worker: TERM ends one that boots, KILL ends any."""

    worker: int
    signal: Literal["TERM", "KILL"]


@dataclass(frozen=True, slots=True)
class CloseListeners:
    """Close the master's own copies of the listening sockets; workers keep theirs until they are drained."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the outside that the service reached a milestone."""

    milestone: Milestone
    status: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """Write one line to the log, and under it, as they are, the details (a traceback)."""

    severity: Severity
    text: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """Nothing is left to supervise: end the master."""

    code: ExitCode


Action = Spawn | Drain | Kill | CloseListeners | Announce | Log | Exit
