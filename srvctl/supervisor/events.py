"""What can happen to the fleet. Values only; made by the poller and by `effects`, eaten by `fleet.Fleet`.

A worker is named by its `worker` number: unique for the life of the master, unlike a pid or a slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.ipc.scoreboard import Reading
    from srvctl.supervisor.policy import FleetPolicy


@dataclass(frozen=True, slots=True)
class Started:
    """The master's loop runs; sockets are open."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A deadline of the fleet may be due."""


@dataclass(frozen=True, slots=True)
class Forked:
    """A worker process exists."""

    worker: int
    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The kernel refused a new process."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker finished its startup and accepts connections."""

    worker: int


@dataclass(frozen=True, slots=True)
class BootFailed:
    """A worker says why its application cannot be served; it is about to exit."""

    worker: int
    message: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class WorkerDraining:
    """A worker began to drain without being asked by the master, e.g. because someone sent it SIGTERM."""

    worker: int


@dataclass(frozen=True, slots=True)
class ChannelBroken:
    """A worker wrote something to its channel that is not a message."""

    worker: int
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerExited:
    """The kernel reported the end of a worker.

    Attributes:
        worker: The worker.
        cause: The end in words, e.g. ``exit code 1`` or ``killed by SIGKILL``.
        served: Requests it had answered.
        cut: Requests it had begun and did not answer.
    """

    worker: int
    cause: str
    served: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class MoldForked:
    """The process that is to be the mold of a generation exists."""

    generation: int
    pid: int


@dataclass(frozen=True, slots=True)
class MoldRefused:
    """The kernel refused a process for the mold of a generation."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class MoldReady:
    """The mold of a generation has imported the application.

    Attributes:
        generation: The generation.
        objection: Why no worker should be forked from it; empty where there is no reason.
    """

    generation: int
    objection: str = ""


@dataclass(frozen=True, slots=True)
class MoldFailed:
    """The mold of a generation says why its application cannot be imported; it is about to exit."""

    generation: int
    message: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class MoldExited:
    """The kernel reported the end of a mold; the cause is in words."""

    generation: int
    cause: str


@dataclass(frozen=True, slots=True)
class ProgramForked:
    """A process beside the workers exists.

    Attributes:
        process: Its number.
        pid: Its process id.
    """

    process: int
    pid: int


@dataclass(frozen=True, slots=True)
class ProgramRefused:
    """A process beside the workers could not be started; the reason is one line."""

    process: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProgramReady:
    """A process beside the workers is ready by the way of its settings: it runs, or says so."""

    process: int


@dataclass(frozen=True, slots=True)
class ProgramExited:
    """The kernel reported the end of a process beside the workers.

    Attributes:
        process: Its number.
        cause: The end in words, e.g. ``exit code 1`` or ``killed by SIGKILL``.
        is_success: It ended with exit code 0.
    """

    process: int
    cause: str
    is_success: bool


@dataclass(frozen=True, slots=True)
class SettingsRead:
    """The settings of a reload could be read, and what they name could be opened.

    Attributes:
        generation: The generation they are for.
        policy: What the fleet aims at from then on.
        notes: Sentences about what changed and is not obeyed before a restart.
    """

    generation: int
    policy: FleetPolicy
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingsRefused:
    """The settings of a reload are wrong; the message may have several lines."""

    generation: int
    message: str


@dataclass(frozen=True, slots=True)
class Memory:
    """How much of the memory is used that there is for the service, in bytes.

    Attributes:
        used: What cannot simply be taken back: files that were read or written long ago are not in it.
        limit: All there is.
    """

    used: int
    limit: int

    @property
    def share(self) -> float:
        """How much of it is used, from 0 to 1 or a little more."""
        return self.used / self.limit


@dataclass(frozen=True, slots=True)
class Looked:
    """What the boards of the workers say; None for one that says nothing sensible.

    Attributes:
        readings: By worker.
        memory: How much is used; None where nobody asked, or nothing tells.
    """

    readings: Mapping[int, Reading | None]
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What the kernel says about a worker.

    Attributes:
        worker: The worker.
        waited: Seconds its main thread has ever waited for a CPU; None where the kernel does not say. A wait
            is added when it is over.
        on_cpu: Seconds it ever had one; None where the kernel does not say.
        is_runnable: It has one, or waits for one.
        is_traced: A debugger has stopped it, or may.
        pss: Bytes of memory it uses, shared pages counted in part; None where the kernel does not say.
    """

    worker: int
    waited: float | None = None
    on_cpu: float | None = None
    is_runnable: bool = False
    is_traced: bool = False
    pss: int | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """A worker's application answered a health probe.

    Attributes:
        worker: The worker.
        probe: Number of the probe.
        status: Of the response; 0 where there was none.
        details: Why there was none.
    """

    worker: int
    probe: int
    status: int
    details: str = ""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Someone wants the service to end.

    Attributes:
        by: Who asked, e.g. ``SIGTERM``.
        immediately: Do not wait for running requests.
        client: Of the control socket, who is told about it.
    """

    by: str
    immediately: bool = False
    client: int | None = None


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """Someone wants every worker replaced by one that runs the code and the settings now on disk."""

    by: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """Files that are watched in development were saved.

    Attributes:
        paths: Of some of them at least, for people.
        of_settings: The file with the settings is among them.
    """

    paths: tuple[str, ...]
    of_settings: bool = False


@dataclass(frozen=True, slots=True)
class ScaleAsked:
    """Someone wants more or fewer workers.

    Attributes:
        by: Who asked.
        change: How many more.
        client: Of the control socket, who is told when they are there.
        count: How many there are to be, in place of ``change``.
    """

    by: str
    change: int = 0
    client: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class RecycleAsked:
    """Someone wants workers replaced by new ones of the same generation.

    Attributes:
        by: Who asked.
        target: ``all``, ``slot:N`` or ``pid:N``.
        client: Of the control socket, who is told about it.
    """

    by: str
    target: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerStopAsked:
    """Someone wants a worker to drain, and a new one in its place; the target is as for `RecycleAsked`."""

    by: str
    target: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerKillAsked:
    """Someone wants a worker to end at once, and a new one in its place; the target is as before."""

    by: str
    target: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class DumpAsked:
    """Someone wants to see the stacks of a worker's threads; the target is as before."""

    by: str
    target: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class ProgramAsked:
    """Someone wants something of a program; the client of the control socket is told what came of it.

    Attributes:
        by: Who asked.
        verb: What is wanted.
        name: The program.
        client: Of the control socket.
    """

    by: str
    verb: Literal["start", "stop", "restart"]
    name: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class UpgradeAsked:
    """Someone wants the master to be replaced, in place, by the srvctl that is installed now."""

    by: str
    client: int | None = None


@dataclass(frozen=True, slots=True)
class UpgradeRefused:
    """The srvctl that is installed now cannot take over.

    Attributes:
        reason: Why, in one line.
        details: What it printed.
    """

    reason: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """This master took over from one that ran in this process before.

    Attributes:
        before: Version of that.
        after: Version of this.
        notes: Sentences about what is not as the installed srvctl would have it.
    """

    before: str
    after: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusAsked:
    """A client of the control socket wants to know how everything is."""

    client: int


@dataclass(frozen=True, slots=True)
class MetricsAsked:
    """A client of the control socket wants to know every figure there is."""

    client: int


AboutWorker = (
    Forked
    | SpawnFailed
    | WorkerReady
    | BootFailed
    | WorkerDraining
    | ChannelBroken
    | WorkerExited
    | Examined
    | Probed
)
AboutMold = MoldForked | MoldRefused | MoldReady | MoldFailed | MoldExited
AboutProgram = ProgramForked | ProgramRefused | ProgramReady | ProgramExited
AboutOne = WorkerStopAsked | WorkerKillAsked | DumpAsked
Asked = (
    StopAsked
    | ReloadAsked
    | ScaleAsked
    | RecycleAsked
    | AboutOne
    | ProgramAsked
    | UpgradeAsked
    | StatusAsked
    | MetricsAsked
)
Event = (
    Started
    | TimePassed
    | AboutWorker
    | AboutMold
    | AboutProgram
    | SettingsRead
    | SettingsRefused
    | FilesChanged
    | Looked
    | Asked
    | Upgraded
    | UpgradeRefused
)
