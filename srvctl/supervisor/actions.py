"""What the fleet wants done. Values only; made by `fleet.Fleet`, carried out by `effects`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.errors import ExitCode
    from srvctl.ipc.channel import Apology


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
    UPGRADING = "upgrading"
    UPGRADED = "upgraded"  #: or not, and then there is a status
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a worker for a slot.

    Attributes:
        worker: Its number.
        slot: The place.
        generation: The code and the settings it gets.
        from_mold: Have the generation's mold fork it; else the master does, and the worker imports all.
        apology: What it shows, as a stand-in for the application; None to serve that.
    """

    worker: int
    slot: int
    generation: int
    from_mold: bool = False
    apology: Apology | None = None


@dataclass(frozen=True, slots=True)
class Apologize:
    """Have a stand-in show something else."""

    worker: int
    apology: Apology


@dataclass(frozen=True, slots=True)
class MakeMold:
    """Fork a process that imports the application of a generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class EndMold:
    """Kill the mold of a generation: it has nothing to finish."""

    generation: int


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Have settings for this generation, and open what they name and is not open.

    Attributes:
        generation: The generation.
        anew: Read them; else they are those that are accepted.
    """

    generation: int
    anew: bool = True


@dataclass(frozen=True, slots=True)
class Commit:
    """The settings of this generation are the service's: let go of what only older ones needed."""

    generation: int


@dataclass(frozen=True, slots=True)
class Discard:
    """The settings of this generation are not wanted: let go of what only they needed."""

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
class Dump:
    """Have a worker write the stacks of its threads onto its board.

    Attributes:
        worker: The worker.
        anew: In the place of what it wrote before.
    """

    worker: int
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Read the boards of all workers.

    Attributes:
        with_memory: Read how much memory is used as well.
    """

    with_memory: bool = False


@dataclass(frozen=True, slots=True)
class Examine:
    """Ask the kernel about a worker."""

    worker: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Have a worker ask its application for a path.

    Attributes:
        worker: The worker.
        probe: Number of the question, for the answer.
        path: What is asked for.
        timeout: Seconds the application has.
    """

    worker: int
    probe: int
    path: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Record:
    """Write a worker's death into the ledger.

    Attributes:
        worker: The worker.
        pid: Its process.
        slot: The place it served.
        generation: The code it ran.
        state: Where it was in its life when it ended.
        cause: The end in words.
        asked_by: Who wanted it to end, and why; empty when nobody did.
        uptime: Seconds from its fork to its end.
    """

    worker: int
    pid: int
    slot: int
    generation: int
    state: str
    cause: str
    asked_by: str
    uptime: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Tell a client of the control socket how far its command has come.

    Attributes:
        client: The client.
        text: One line.
        data: The same for programs, such as ``done`` and ``of``.
    """

    client: int
    text: str
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Tell a client of the control socket what came of its command.

    Attributes:
        client: The client.
        is_ok: Whether the command did what it was for.
        message: One line.
        details: What is printed as it is below the line, such as a traceback.
        data: For programs.
    """

    client: int
    is_ok: bool
    message: str
    details: str = ""
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Tell a client of the control socket how everything is, with what the boards say now.

    Attributes:
        client: The client.
        status: What the fleet knows; its workers have their numbers.
        has_all_figures: With every figure there is, for programs that count.
    """

    client: int
    status: Mapping[str, Any]
    has_all_figures: bool = False


@dataclass(frozen=True, slots=True)
class ShowDump:
    """Tell a client of the control socket what a worker wrote onto its board after `Dump`."""

    client: int
    worker: int


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Have the srvctl that is installed now take over, in this very process."""


@dataclass(frozen=True, slots=True)
class StartProgram:
    """Start a process beside the workers.

    Attributes:
        process: Its number, unique for the life of the master, among programs.
        name: The program, of the accepted settings.
        index: Which of its processes, 0…count-1.
    """

    process: int
    name: str
    index: int


@dataclass(frozen=True, slots=True)
class SignalProgram:
    """Send a signal to a process beside the workers.

    Attributes:
        process: Its number.
        signal: As in `signal.Signals`, without SIG.
        to_group: To all of its process group, not to the process alone.
    """

    process: int
    signal: str
    to_group: bool = False


@dataclass(frozen=True, slots=True)
class CloseListeners:
    """Close the master's own copies of the listening sockets; workers keep theirs until they are drained."""


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the outside that the service reached a milestone."""

    milestone: Milestone
    status: str = ""


@dataclass(frozen=True, slots=True)
class Feed:
    """Tell the service manager's watchdog that all is well."""


@dataclass(frozen=True, slots=True)
class Extend:
    """Ask the service manager for more time to start, to reload or to stop; seconds from now."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Describe:
    """Tell the service manager how everything is, in one line for people."""

    text: str


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


Action = (
    Spawn
    | Apologize
    | MakeMold
    | EndMold
    | ReadSettings
    | Commit
    | Discard
    | Drain
    | Kill
    | Dump
    | Look
    | Examine
    | Probe
    | Record
    | Progress
    | Reply
    | Report
    | ShowDump
    | Upgrade
    | StartProgram
    | SignalProgram
    | CloseListeners
    | Announce
    | Feed
    | Extend
    | Describe
    | Log
    | Exit
)
