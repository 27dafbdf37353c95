"""What can happen to the fleet. Values only; made by the poller and by `effects`, eaten by `fleet.Fleet`.

A worker is named by its `worker` number: unique for the life of the master, unlike a pid or a slot.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    worker: int
    cause: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Someone wants the service to end.

    Attributes:
        by: Who asked, e.g. ``SIGTERM``.
        immediately: Do not wait for running requests.
    """

    by: str
    immediately: bool = False


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """Someone wants every worker replaced by one that runs the code now on disk."""

    by: str


@dataclass(frozen=True, slots=True)
class ScaleAsked:
    """Someone wants more or fewer workers."""

    by: str
    change: int


Event = (
    Started
    | TimePassed
    | Forked
    | SpawnFailed
    | WorkerReady
    | BootFailed
    | WorkerDraining
    | ChannelBroken
    | WorkerExited
    | StopAsked
    | ReloadAsked
    | ScaleAsked
)
