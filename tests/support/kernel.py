"""Plays the rest of the world for a `Fleet`: the kernel, the worker processes, and the loop of the master.

Actions are carried out as `effects` would, events come in the order in which `poller` and `master` bring
them, and what would be an exception there (a signal to a worker that is reaped) is a failed assertion here.
What the workers do, and when, is up to the test.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from srvctl.supervisor.actions import Drain, Exit, Kill, Spawn
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Forked,
    SpawnFailed,
    Started,
    TimePassed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet

if TYPE_CHECKING:
    from srvctl.errors import ExitCode
    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.fleet import FleetPolicy

#: More turns than any fleet of a test needs to come to rest.
_MANY = 1000


class Doing(Enum):
    """What a process is at."""

    BOOTING = "booting"
    FAILED = "failed"  #: it said why it cannot serve
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(slots=True)
class Process:
    """A worker process; it is forgotten when it is reaped.

    Attributes:
        asked: What the master asked of it: DRAIN, TERM, KILL.
        obeys: Whether it ends when asked; no process can refuse KILL.
        has_channel: Whether the master still listens to it.
    """

    worker: int
    slot: int
    generation: int
    pid: int
    doing: Doing = Doing.BOOTING
    asked: set[str] = field(default_factory=set)
    obeys: bool = True
    has_channel: bool = True

    @property
    def stays(self) -> bool:
        """Whether it serves or boots, and nobody wants it gone."""
        return self.doing in {Doing.BOOTING, Doing.FAILED, Doing.SERVING} and not self.asked

    @property
    def serves(self) -> bool:
        """Whether it serves and goes on serving."""
        return self.doing is Doing.SERVING and not self.asked


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of the fleet: what went in and what came out."""

    event: Event
    now: float
    actions: tuple[Action, ...]


class Kernel:
    """The world around one fleet.

    Args:
        policy: What the fleet aims at.
        seed: Of the fleet's chance.
    """

    def __init__(self, policy: FleetPolicy, seed: int = 0) -> None:
        self.policy = policy
        self.fleet = Fleet(policy, random.Random(seed).random)
        self.now = 1000.0
        self.processes: dict[int, Process] = {}
        self.exits: list[ExitCode] = []
        self.trace: list[Turn] = []
        self.refusals: deque[bool] = deque()  #: of the next forks, whether each is refused; then none is
        self._seed = seed

    # -- the master ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the master's loop up to its first wait."""
        self._dispatch(Started())

    def happen(self, *events: Event) -> None:
        """Wake the master once, with these events."""
        for event in (*events, TimePassed()):
            if not self.exits:  # the loop of the master is over
                self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        pending = deque([event])
        while pending:
            event = pending.popleft()
            actions = self.fleet.handle(event, self.now)
            self.trace.append(Turn(event, self.now, tuple(actions)))
            for action in actions:
                if isinstance(action, Exit):
                    assert not self.processes, "the master left workers behind"
                    assert action is actions[-1], "nothing is done after the end"
                    assert not pending, "the end came before the news of the last forks"
                    self.exits.append(action.code)
                    return
                result = self._perform(action)
                if result is not None:
                    pending.append(result)

    def _perform(self, action: Action) -> Event | None:
        match action:
            case Spawn(worker=worker, slot=slot, generation=generation):
                assert worker not in self.processes, "a worker lives once"
                if self.refusals and self.refusals.popleft():
                    return SpawnFailed(worker, "Resource temporarily unavailable")
                pid = 10_000 + worker
                self.processes[worker] = Process(worker, slot, generation, pid)
                return Forked(worker, pid)
            case Drain(worker=worker, last=last):
                process = self.processes[worker]
                assert process.serves, "only a worker that serves can drain"
                assert last or process.slot >= self.fleet.target or self._has_successor(process)
                process.asked.add("DRAIN")
            case Kill(worker=worker, signal=signal):
                self.processes[worker].asked.add(signal)
            case _:
                pass
        return None

    def _has_successor(self, process: Process) -> bool:
        return any(
            other.serves and other.slot == process.slot and other.worker > process.worker
            for other in self.processes.values()
        )

    # -- the workers -----------------------------------------------------------------------------------

    def become_ready(self, process: Process) -> None:
        """Finish the startup."""
        process.doing = Doing.SERVING
        self._say(process, WorkerReady(process.worker))

    def fail(self, process: Process) -> None:
        """Explain why it cannot serve; the exit comes later, or never."""
        process.doing = Doing.FAILED
        self._say(process, BootFailed(process.worker, "No module named 'shop'.", "Traceback ..."))

    def drain(self, process: Process) -> None:
        """Stop accepting, whoever asked for it."""
        process.doing = Doing.DRAINING
        self._say(process, WorkerDraining(process.worker))

    def break_channel(self, process: Process) -> None:
        """Write something that is not a message."""
        self._say(process, ChannelBroken(process.worker, "not a message: b'?'"))
        process.has_channel = False

    def end(self, process: Process, cause: str = "exit code 1") -> None:
        """End, for whatever reason."""
        del self.processes[process.worker]
        self.happen(WorkerExited(process.worker, cause))

    def _say(self, process: Process, event: Event) -> None:
        self.happen(*[event] if process.has_channel else [])

    # -- time ------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Wake the master after a time; it may be busy past a deadline."""
        self.now += seconds
        self.happen()

    def obey(self) -> None:
        """End what was asked to end and does so."""
        for process in list(self.processes.values()):
            if "KILL" in process.asked or (process.asked and process.obeys):
                self.end(process, "exit code 0")

    def rest(self) -> None:
        """Let everything take its course in a world where new workers are healthy, until nothing happens."""
        self.refusals.clear()
        for _ in range(_MANY):
            if self.exits:
                return
            before = len(self.trace)
            self.obey()
            for process in list(self.processes.values()):
                if process.doing is Doing.FAILED or (process.doing is Doing.DRAINING and process.obeys):
                    self.end(process)
                elif process.doing is Doing.BOOTING and process.has_channel and not process.asked:
                    self.become_ready(process)
            if len(self.trace) > before:
                continue
            deadline = self.fleet.next_deadline()
            if deadline is None:
                return
            self.now = max(self.now, deadline)
            self.happen()
        raise AssertionError(f"never comes to rest: {self.fleet!r}")

    # -- what was seen ---------------------------------------------------------------------------------

    def replay(self) -> list[Turn]:
        """Return what a new fleet does with the same events at the same times."""
        fleet = Fleet(self.policy, random.Random(self._seed).random)
        return [Turn(turn.event, turn.now, tuple(fleet.handle(turn.event, turn.now))) for turn in self.trace]
