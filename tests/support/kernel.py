"""Plays the rest of the world for a `Fleet`: the kernel, workers, molds, clients, and the loop of the master.

Actions are carried out as `effects` would, events come in the order in which `poller` and `master` bring
them, and what would be an exception there (a signal to a worker that is reaped) is a failed assertion here;
so is what the master must never do to a worker. What workers and molds do, and when, is up to the test.
"""

from __future__ import annotations

import json
import random
from collections import deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from srvctl.supervisor.actions import (
    Apologize,
    Commit,
    Discard,
    Drain,
    Dump,
    EndMold,
    Examine,
    Exit,
    Kill,
    Log,
    Look,
    MakeMold,
    Probe,
    ReadSettings,
    Record,
    Reply,
    Report,
    ShowDump,
    Spawn,
    Upgrade,
)
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Examined,
    Forked,
    Looked,
    MoldExited,
    MoldFailed,
    MoldForked,
    MoldReady,
    MoldRefused,
    Probed,
    SettingsRead,
    SettingsRefused,
    SpawnFailed,
    Started,
    TimePassed,
    Upgraded,
    UpgradeRefused,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet, Phase
from tests.support.scene import reading

if TYPE_CHECKING:
    from srvctl.errors import ExitCode
    from srvctl.ipc.channel import Apology
    from srvctl.ipc.scoreboard import Reading
    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event, Memory
    from srvctl.supervisor.fleet import FleetPolicy

#: Who wants single workers to end.
OPERATOR = "operator"
#: More turns than any fleet of a test needs to come to rest.
_MANY = 3000
#: Seconds without any news after which a fleet that still looks at its workers is at rest; longer than any
#: deadline of the tests that have looks.
_QUIET = 8.0
_PASSIVE_EVENTS = (TimePassed, Looked, Examined, Probed)
_PASSIVE_ACTIONS = (Look, Examine, Probe)


class Doing(Enum):
    """What a process is at."""

    BOOTING = "booting"  #: or importing the application
    FAILED = "failed"  #: it said why it cannot serve
    SERVING = "serving"
    DRAINING = "draining"


class Trouble(Enum):
    """Why the loop of a worker does not beat."""

    NONE = "none"
    ASLEEP = "asleep"  #: blocked: a sleep, a deadlock, SIGSTOP
    ENDLESS = "endless"  #: blocked: computes
    STARVED = "starved"  #: gets a CPU now and then, for less than a beat takes
    QUEUED = "queued"  #: has waited for a CPU all the time


BLOCKED = frozenset({Trouble.ASLEEP, Trouble.ENDLESS})


@dataclass(slots=True)
class Process:
    """A worker process; it is forgotten when it is reaped.

    Attributes:
        asked: What the master asked of it: DRAIN, TERM, KILL.
        obeys: Whether it ends when asked; no process can refuse KILL.
        has_channel: Whether the master still listens to it.
        trouble: Why it does not beat, and since when.
        board: Numbers on it.
        is_nonsense: What is on it makes no sense.
        probes: Which it has not answered yet.
        apology: What it shows, as a stand-in.
    """

    worker: int
    slot: int
    generation: int
    pid: int
    doing: Doing = Doing.BOOTING
    asked: set[str] = field(default_factory=set)
    obeys: bool = True
    has_channel: bool = True
    trouble: Trouble = Trouble.NONE
    since: float = 0.0
    board: dict[str, float] = field(default_factory=dict)
    is_nonsense: bool = False
    probes: list[int] = field(default_factory=list)
    apology: Apology | None = None

    @property
    def stays(self) -> bool:
        """Whether it serves or boots, and nobody wants it gone."""
        return self.doing in {Doing.BOOTING, Doing.FAILED, Doing.SERVING} and not self.asked

    @property
    def serves(self) -> bool:
        """Whether it serves and goes on serving."""
        return self.doing is Doing.SERVING and not self.asked

    @property
    def is_blocked(self) -> bool:
        """Whether it does nothing, and not for want of a CPU."""
        return self.trouble in BLOCKED

    def is_unwell(self, policy: FleetPolicy) -> bool:
        """Whether it serves, and must not be left like that."""
        is_heavy = bool(policy.recycle.memory) and self.board.get("rss", 0) > policy.recycle.memory
        has_hung = bool(policy.health.hang_timeout) and self.is_blocked
        return self.serves and (is_heavy or has_hung or self.is_nonsense)


@dataclass(slots=True)
class MoldProcess:
    """A mold; it is forgotten when it is reaped.

    Attributes:
        forks: Workers that it was asked for and that do not exist yet, with their slots.
        is_killed: By the master.
        is_dead: It has ended, and the master is not told yet.
    """

    generation: int
    doing: Doing = Doing.BOOTING
    forks: dict[int, int] = field(default_factory=dict)
    is_killed: bool = False
    is_dead: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of the fleet: what went in and what came out."""

    event: Event
    now: float
    actions: tuple[Action, ...]

    @property
    def is_quiet(self) -> bool:
        """Whether nothing happened but that workers were looked at."""
        is_passive = all(isinstance(action, _PASSIVE_ACTIONS) for action in self.actions)
        return is_passive and isinstance(self.event, _PASSIVE_EVENTS)


class Kernel:
    """The world around one fleet.

    Args:
        policy: What the fleet aims at, and what later settings say where the test does not mind.
        seed: Of the fleet's chance.
    """

    def __init__(self, policy: FleetPolicy, seed: int = 0) -> None:
        self.policy = policy
        self.fleet = Fleet(policy, chance := random.Random(seed).random)
        self.now = 1000.0
        self.processes: dict[int, Process] = {}
        self.molds: dict[int, MoldProcess] = {}
        self.exits: list[ExitCode] = []
        self.trace: list[Turn] = []
        self.refusals: deque[bool] = deque()  #: of the next forks, whether each is refused; then none is
        self.unread: list[int] = []  #: generations whose settings are to be read
        self.opened = {1}  #: generations whose settings are held
        self.is_upgrading = False
        self.waiting: set[int] = set()  #: clients that have no answer yet
        self.answers: dict[int, Reply | Report | ShowDump] = {}
        self.memory: Memory | None = None  #: that is used
        self.deaths = self.records = 0
        self.served = self.cut = 0  #: requests of workers that ended
        self.last_line = ""
        self._seed, self._chance = seed, chance

    # -- the master ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the master's loop up to its first wait."""
        self._dispatch(Started())

    def happen(self, *events: Event) -> None:
        """Wake the master once, with these events."""
        if not events and not self.exits and self._is_settled():
            # The real master leaves the fleet alone then; so nothing may come of it.
            actions = self.fleet.handle(TimePassed(), self.now)
            assert not actions, "time passed, and what came of it was not waited for"
            return
        for event in (*events, TimePassed()):
            if isinstance(event, MoldExited):
                del self.molds[event.generation]
            if not self.exits:  # else the loop of the master is over
                self._dispatch(event)

    def _is_settled(self) -> bool:
        """Whether the fleet was last told that time has passed, nothing came of it, and nothing is due."""
        if not self.trace or self.trace[-1].actions or not isinstance(self.trace[-1].event, TimePassed):
            return False
        due = self.fleet.next_deadline()
        return due is None or self.now < due

    def ask(self) -> int | None:
        """Return a new client of the control socket, who waits for an answer; None if nobody is there."""
        if self.exits:
            return None
        client = len(self.waiting) + len(self.answers)
        self.waiting.add(client)
        return client

    def _dispatch(self, event: Event) -> None:
        pending = deque([event])
        while pending:
            event = pending.popleft()
            actions = self.fleet.handle(event, self.now)
            self.trace.append(Turn(event, self.now, tuple(actions)))
            for action in actions:
                if isinstance(action, Exit):
                    assert not self.processes, "the master left workers behind"
                    assert not self.molds, "the master left molds behind"
                    assert action is actions[-1], "nothing is done after the end"
                    assert not pending, "the end came before the news of the last forks"
                    self.exits.append(action.code)
                    self.unread.clear()
                    return
                result = self._perform(action)
                if result is not None:
                    pending.append(result)

    def _perform(self, action: Action) -> Event | None:
        match action:
            case Spawn():
                return self._spawn(action)
            case Drain(worker=worker, last=last):
                process = self.processes[worker]
                assert process.serves, "only a worker that serves can drain"
                is_wish = self._is_wish(worker)
                assert last or is_wish or process.slot >= self.fleet.state.target or self._can_miss(process)
                process.asked.add("DRAIN")
            case Kill(worker=worker, signal=signal):
                process = self.processes[worker]
                is_stop = self.fleet.state.phase is Phase.STOPPING
                is_deaf = self.fleet.state.roster.workers[worker].health.is_deaf and signal == "TERM"
                is_told = not process.has_channel or is_stop or is_deaf or self._is_wish(worker)
                assert is_told or not process.serves, "only drained workers are killed"
                process.asked.add(signal)
            case Dump(worker=worker, anew=anew):
                assert anew or self.processes[worker].is_blocked, (
                    "who only waited for a CPU was held for blocked"
                )
            case MakeMold(generation=generation):
                assert generation not in self.molds, "there is one mold of a generation"
                if self.refusals and self.refusals.popleft():
                    return MoldRefused(generation, "Resource temporarily unavailable")
                self.molds[generation] = MoldProcess(generation)
                return MoldForked(generation, 20_000 + generation)
            case EndMold(generation=generation):
                assert not self.molds[generation].is_killed
                self.molds[generation].is_killed = True
            case Look() | Examine():
                return self._look(action)
            case ReadSettings(generation=generation, anew=False):
                return self._reuse_settings(generation)
            case _:
                self._note(action)
        return None

    def _is_wish(self, worker: int) -> bool:
        """Return whether it ends because somebody wants just that one to end."""
        return self.fleet.state.roster.workers[worker].asked_by == OPERATOR

    def _reuse_settings(self, generation: int) -> Event:
        self.opened.add(generation)
        return SettingsRead(generation, self.fleet.state.policy)

    def _note(self, action: Action) -> None:
        """Take in what only people and later actions of the world see."""
        match action:
            case Probe(worker=worker, probe=probe):
                assert self.processes[worker].serves, "only a worker that serves is probed"
                self.processes[worker].probes.append(probe)
            case Apologize(worker=worker, apology=apology):
                assert self.processes[worker].serves, "only a stand-in that serves shows something else"
                assert self.processes[worker].apology not in {None, apology}
                self.processes[worker].apology = apology
            case ReadSettings(generation=generation):
                self.unread.append(generation)
            case Commit(generation=generation):
                self.opened &= {generation}
                assert self.opened, "settings are obeyed that were not read"
            case Discard(generation=generation):
                assert generation != self.fleet.state.generation, "the settings in use are let go of"
                self.opened.discard(generation)
            case Reply(client=client) | Report(client=client) | ShowDump(client=client):
                assert client in self.waiting, "nobody waits for this answer"
                self.waiting.remove(client)
                self.answers[client] = action
            case Upgrade():
                self.is_upgrading = True
            case Record():
                self.records += 1
            case Log(text=text):
                self.last_line = text
            case _:
                pass

    def _spawn(self, action: Spawn) -> Event | None:
        assert action.worker not in self.processes, "a worker lives once"
        if action.from_mold:
            mold = self.molds[action.generation]
            assert mold.doing is Doing.SERVING
            assert not mold.is_killed, "nothing is asked of a mold that was killed"
            if mold.is_dead:
                return SpawnFailed(action.worker, "its mold ended")
            mold.forks[action.worker] = action.slot
            return None
        if self.refusals and self.refusals.popleft():
            return SpawnFailed(action.worker, "Resource temporarily unavailable")
        forked = self._fork(action.worker, action.slot, action.generation)
        self.processes[action.worker].apology = action.apology
        return forked

    def _fork(self, worker: int, slot: int, generation: int) -> Event:
        pid = 10_000 + worker
        self.processes[worker] = Process(worker, slot, generation, pid)
        return Forked(worker, pid)

    def _can_miss(self, process: Process) -> bool:
        """Whether the slot of a worker is served without it, or not even with it."""
        others = (other for other in self.processes.values() if other is not process)
        return process.is_blocked or any(other.serves and other.slot == process.slot for other in others)

    def _look(self, action: Look | Examine) -> Event:
        if isinstance(action, Examine):
            return self._examine(self.processes[action.worker])
        readings = {worker: self._board(process) for worker, process in self.processes.items()}
        return Looked(readings, self.memory if action.with_memory else None)

    def _board(self, process: Process) -> Reading | None:
        if process.is_nonsense:
            return None
        beat = self.now if process.trouble is Trouble.NONE else process.since
        board = {name: value for name, value in process.board.items() if name != "first"}
        trend = (int(process.board["first"]),) if "first" in process.board else ()
        return replace(reading(beat, **board), rss_trend=trend)

    def _examine(self, process: Process) -> Examined:
        lasted = self.now - process.since
        return Examined(
            process.worker,
            waited=lasted if process.trouble is Trouble.STARVED else 0.0,
            on_cpu=lasted if process.trouble is Trouble.ENDLESS else 1.0,
            is_runnable=process.trouble not in {Trouble.NONE, Trouble.ASLEEP},
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
        process.trouble = Trouble.NONE
        self._say(process, WorkerDraining(process.worker))

    def break_channel(self, process: Process) -> None:
        """Write something that is not a message."""
        process.has_channel = False
        self.happen(ChannelBroken(process.worker, "not a message: b'?'"))

    def answer(self, process: Process, status: int) -> None:
        """Say how the application answered the oldest probe."""
        self._say(process, Probed(process.worker, process.probes.pop(0), status))

    def end(self, process: Process, cause: str = "exit code 1") -> None:
        """End, for whatever reason."""
        del self.processes[process.worker]
        self.deaths += 1
        served, cut = int(process.board.get("finished", 0)), int(process.board.get("cut", 0))
        self.served, self.cut = self.served + served, self.cut + cut
        self.happen(WorkerExited(process.worker, cause, served, cut))

    def _say(self, process: Process, event: Event) -> None:
        self.happen(*[event] if process.has_channel else [])

    # -- the molds -------------------------------------------------------------------------------------

    def finish_import(self, mold: MoldProcess, objection: str = "") -> None:
        """Be ready to fork, or say why not."""
        mold.doing = Doing.SERVING
        self.happen(MoldReady(mold.generation, objection))

    def fail_import(self, mold: MoldProcess) -> None:
        """Explain why the application cannot be imported; the exit comes later, or never."""
        mold.doing = Doing.FAILED
        self.happen(MoldFailed(mold.generation, "No module named 'shop'.", "Traceback ..."))

    def fork_from(self, mold: MoldProcess) -> None:
        """Fork the worker that was asked for first."""
        worker, slot = next(iter(mold.forks.items()))
        del mold.forks[worker]
        self.happen(self._fork(worker, slot, mold.generation))

    def end_mold(self, mold: MoldProcess, *, are_forked: bool = False, is_told_first: bool = False) -> None:
        """End a mold; the forks it was asked for happened before, or come to nothing."""
        mold.is_dead = True
        exited = MoldExited(mold.generation, "killed by SIGKILL")
        news: list[Event] = [
            self._fork(worker, slot, mold.generation) if are_forked else SpawnFailed(worker, "its mold ended")
            for worker, slot in mold.forks.items()
        ]
        mold.forks.clear()
        self.happen(*([exited, *news] if is_told_first else [*news, exited]))

    # -- the settings and the next srvctl --------------------------------------------------------------

    def read_settings(self, policy: FleetPolicy | None) -> None:
        """Read what was to be read first; None if it cannot be used."""
        generation = self.unread.pop(0)
        if policy is None:
            self.happen(SettingsRefused(generation, "count: 0 is too few"))
        else:
            self.opened.add(generation)
            self.happen(SettingsRead(generation, policy))

    def refuse_upgrade(self) -> None:
        """Find that the installed srvctl cannot take over."""
        self.is_upgrading = False
        self.happen(UpgradeRefused("it does not start"))

    def upgrade(self) -> None:
        """Have another master go on where this one is, if that is still wanted."""
        self.is_upgrading = False
        if self.fleet.is_upgrading:
            values = json.loads(json.dumps(self.fleet.export()))
            self.fleet = Fleet.restore(values, self.fleet.state.policy, self._chance)
            self.happen(Upgraded("0.1.0", "0.2.0"))

    # -- time ------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Wake the master after a time; it may be busy past a deadline."""
        self.now += seconds
        self.happen()

    def obey(self) -> None:
        """End what was asked to end and does so."""
        for process in list(self.processes.values()):
            obeys = process.obeys and not process.is_blocked
            if "KILL" in process.asked or (process.asked and obeys):
                self.end(process, "exit code 0")
        for mold in list(self.molds.values()):
            if mold.is_killed:
                self.end_mold(mold)

    def rest(self) -> None:
        """Let everything take its course in a world where what is new is healthy, until nothing happens."""
        self.refusals.clear()
        quiet_since, seen = self.now, len(self.trace)
        for _ in range(_MANY):
            if self.exits:
                return
            self._do_well()
            if not all(turn.is_quiet for turn in self.trace[seen:]):
                quiet_since, seen = self.now, len(self.trace)
                continue
            seen = len(self.trace)
            policy_for = self.fleet.state.policy_for
            is_well = not any(
                p.is_unwell(policy_for(p.generation)) or self._is_in_the_way(p)
                for p in self.processes.values()
            )
            deadline = self.fleet.next_deadline()
            if is_well and (deadline is None or self.now - quiet_since > _QUIET):
                return
            assert deadline is not None, f"nobody notices: {self.fleet!r}"
            self.now = max(self.now, deadline)
            self.happen()
        raise AssertionError(f"never comes to rest: {self.fleet!r}")

    def _is_in_the_way(self, process: Process) -> bool:
        """Return whether a process has grown, and there is no memory for that."""
        watermark = self.fleet.state.policy.watermark
        is_full = bool(watermark) and self.memory is not None and self.memory.share >= watermark
        return is_full and "first" in process.board and process.serves

    def _do_well(self) -> None:
        """Have everybody do what is expected of them."""
        self.obey()
        while self.unread:
            self.read_settings(self.policy)
        if self.is_upgrading:
            self.refuse_upgrade()
        for mold in list(self.molds.values()):
            if mold.doing is Doing.FAILED:
                self.end_mold(mold)
            elif mold.doing is Doing.BOOTING and not mold.is_killed:
                self.finish_import(mold)
            while mold.forks and not mold.is_killed and mold.generation in self.molds:
                self.fork_from(mold)
        for process in list(self.processes.values()):
            if process.doing is Doing.FAILED or (process.doing is Doing.DRAINING and process.obeys):
                self.end(process)
            elif process.doing is Doing.BOOTING and process.has_channel and not process.asked:
                self.become_ready(process)
            while process.probes and process.trouble is Trouble.NONE:
                self.answer(process, 200)

    # -- what was seen ---------------------------------------------------------------------------------

    def replay(self) -> list[Turn]:
        """Return what a new fleet does with the same events at the same times, without any upgrade."""
        fleet = Fleet(self.policy, random.Random(self._seed).random)
        return [Turn(turn.event, turn.now, tuple(fleet.handle(turn.event, turn.now))) for turn in self.trace]
