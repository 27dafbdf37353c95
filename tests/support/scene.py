"""A `Fleet` and a clock, for tests that read like a play: events go in, actions come out.

Workers are numbered in the order of their spawning; worker n has the pid 1000 + n, the mold of generation g
the pid 2000 + g. `Scene.tell` returns the actions that move something; the rest is kept apart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from srvctl.ipc.scoreboard import Reading
from srvctl.supervisor.actions import (
    Announce,
    CloseListeners,
    Commit,
    Describe,
    Discard,
    Examine,
    Log,
    Look,
    Milestone,
    Progress,
    ReadSettings,
    Record,
    Reply,
    Severity,
)
from srvctl.supervisor.events import (
    Forked,
    Looked,
    MoldForked,
    MoldReady,
    ReloadAsked,
    ScaleAsked,
    SettingsRead,
    Started,
    StopAsked,
    TimePassed,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet, FleetPolicy, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.notices import Manager
    from srvctl.supervisor.roster import Worker

    A = TypeVar("A")

POLICY = FleetPolicy(count=2, boot=30.0, drain=20.0, term=5.0)
START = 100.0

TERM = StopAsked("SIGTERM")
INT = StopAsked("SIGINT")
QUIT = StopAsked("SIGQUIT", immediately=True)
RELOAD = ReloadAsked("SIGHUP")
MORE = ScaleAsked("SIGTTIN", +1)
FEWER = ScaleAsked("SIGTTOU", -1)

STOPPING: list[Action] = [Announce(Milestone.STOPPING), CloseListeners()]
READY = Announce(Milestone.READY)
RELOADING = Announce(Milestone.RELOADING)
RELOADED = Announce(Milestone.RELOADED)

#: What `Scene.tell` leaves out.
_ASIDE = (Log, Record, Reply, Progress, ReadSettings, Commit, Discard, Describe)


def forked(*workers: int) -> list[Event]:
    return [Forked(worker, 1000 + worker) for worker in workers]


def up(*workers: int) -> list[Event]:
    """Forked, and after all are forked, ready."""
    return [*forked(*workers), *map(WorkerReady, workers)]


def exited(*workers: int) -> list[Event]:
    return [WorkerExited(worker, "exit code 0") for worker in workers]


def died(worker: int) -> Event:
    return WorkerExited(worker, "killed by SIGSEGV")


def mold_forked(generation: int) -> Event:
    return MoldForked(generation, 2000 + generation)


def molded(generation: int, objection: str = "") -> list[Event]:
    """A mold exists and has imported the application."""
    return [mold_forked(generation), MoldReady(generation, objection)]


def reading(beat: float | None, **cells: float) -> Reading:
    """What a board says; zeros where nothing is given."""
    names = ("waited", "begun", "finished", "cut", "errors", "connections", "lag", "lag_max", "rss")
    numbers = dict.fromkeys(names, 0) | cells
    return Reading(beat=beat, **numbers, rss_trend=(), trend_every=0, takes_dumps=True)  # type: ignore[arg-type]


class Scene:
    """A fleet and a clock.

    Settings are read at once where a reload asks for them: those in `settings`, or none if it is None.
    """

    def __init__(
        self,
        count: int = 2,
        max_surge: int = 1,
        policy: FleetPolicy = POLICY,
        manager: Manager | None = None,
    ) -> None:
        self.policy = replace(policy, count=count, max_surge=max_surge)
        self.settings: FleetPolicy | None = self.policy
        self.luck = 0.0
        self.fleet = Fleet(self.policy, chance=lambda: self.luck, manager=manager)
        self.now = START
        self.done: list[Action] = []  #: all, of the last `tell`

    def tell(self, *events: Event) -> list[Action]:
        """Return what is done about the events."""
        self.done = []
        pending = deque(events)
        while pending:
            actions = self.fleet.handle(pending.popleft(), self.now)
            self.done += actions
            for action in actions:
                if isinstance(action, ReadSettings) and self.settings is not None:
                    pending.appendleft(SettingsRead(action.generation, self.settings))
        return [action for action in self.done if not isinstance(action, _ASIDE)]

    def after(self, seconds: float, *events: Event) -> list[Action]:
        """Let time pass, then tell."""
        self.now += seconds
        return self.tell(*events or (TimePassed(),))

    def look(self, seconds: float = 0.0, **cells: float) -> list[Action]:
        """Let time pass; then all boards are read, and say that all is well but for these cells."""
        self.now += seconds
        workers = self.fleet.state.roster
        return self.tell(Looked({worker.number: reading(self.now, **cells) for worker in workers}))

    def live(self, seconds: float, beats: Mapping[int, float | None] | None = None) -> list[Action]:
        """Let time pass from deadline to deadline, and have the boards read whenever the fleet looks.

        Workers beat all the time, but for those whose last beat is given. Ends early when a worker is to be
        examined.
        """
        until = self.now + seconds
        done: list[Action] = []
        everything: list[Action] = []
        while self.now < until:
            due = self.fleet.next_deadline()
            self.now = until if due is None else min(due, until)
            done += self.tell(TimePassed())
            everything += self.done
            if Look() in self.done:
                done.remove(Look())
                last = {worker.number: self.now for worker in self.fleet.state.roster} | dict(beats or {})
                done += self.tell(Looked({number: reading(beat) for number, beat in last.items()}))
                everything += self.done
            if self.all(Examine):
                break
        self.done = everything
        return done

    def all(self, kind: type[A]) -> list[A]:
        """What was done of one kind, in the last `tell`."""
        return [action for action in self.done if isinstance(action, kind)]

    def worker(self, number: int) -> Worker:
        return self.fleet.state.roster.workers[number]

    @property
    def lines(self) -> list[Log]:
        return self.all(Log)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    @property
    def errors(self) -> list[str]:
        return [line.text for line in self.lines if line.severity is Severity.ERROR]

    @property
    def replies(self) -> dict[int, Reply]:
        """By client; each has at most one."""
        replies = self.all(Reply)
        found = {reply.client: reply for reply in replies}
        assert len(found) == len(replies)
        return found

    @property
    def serving(self) -> list[tuple[int, int]]:
        """Slots and generations of the workers that serve, in order."""
        return sorted(
            (worker.slot, worker.generation) for worker in self.fleet.state.roster if worker.is_ready
        )

    def due(self) -> float | None:
        """Seconds until the next deadline."""
        deadline = self.fleet.next_deadline()
        return None if deadline is None else deadline - self.now

    def end_all(self) -> list[Action]:
        """End every worker there is; nobody is left who was not forked."""
        return self.tell(*exited(*(worker.number for worker in self.fleet.state.roster)))


def booting(
    count: int = 2, max_surge: int = 1, policy: FleetPolicy = POLICY, manager: Manager | None = None
) -> Scene:
    """Workers 1…count exist and boot."""
    scene = Scene(count, max_surge, policy, manager)
    scene.tell(Started(), *molded(1) * policy.preload, *forked(*range(1, count + 1)))
    return scene


def serving(
    count: int = 2, max_surge: int = 1, policy: FleetPolicy = POLICY, manager: Manager | None = None
) -> Scene:
    """Workers 1…count serve the slots 0…count-1."""
    scene = booting(count, max_surge, policy, manager)
    scene.tell(*map(WorkerReady, range(1, count + 1)))
    assert scene.fleet.state.phase is Phase.RUNNING
    return scene
