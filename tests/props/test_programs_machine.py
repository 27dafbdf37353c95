"""Programs, whatever happens in whatever order: the rules that always hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srvctl.settings.groups import ProgramSettings
from srvctl.supervisor.actions import (
    Action,
    Commit,
    Exit,
    ReadSettings,
    Reply,
    SignalProgram,
    Spawn,
    StartProgram,
)
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import (
    Event,
    Forked,
    ProgramAsked,
    ProgramExited,
    ProgramForked,
    ProgramReady,
    ProgramRefused,
    ReloadAsked,
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

NAMES = ("one", "two", "three")
POLICY = FleetPolicy(count=1, boot=50.0, drain=6.0, term=4.0, backoff=Backoff(cap=4.0))


@st.composite
def programs(draw: st.DrawFn) -> tuple[ProgramSettings, ...]:
    """Some of three programs, each after some of those before it."""
    found: list[ProgramSettings] = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        before = [one.name for one in found]
        found.append(
            ProgramSettings(
                name=name,
                command=("x",),
                count=draw(st.integers(1, 2)),
                after=tuple(draw(st.lists(st.sampled_from(before), unique=True))) if before else (),
                ready=draw(st.sampled_from(["started", "notify", "exit"])),
                restart=draw(st.sampled_from(["always", "on-failure", "never"])),
                on_reload=draw(st.sampled_from(["keep", "restart", "HUP"])),
                start_timeout=5.0,
                stop_timeout=3.0,
            )
        )
    return tuple(found)


class Machine(RuleBasedStateMachine):
    """Plays the kernel, the programs and the people."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.alive: dict[int, StartProgram] = {}
        self.told: set[tuple[int, str]] = set()
        self.workers: set[int] = set()
        self.asked: set[int] = set()
        self.clients = 0
        self.is_over = False
        self.has_room = True
        self.next_policy = POLICY

    @initialize(found=programs(), waits=st.booleans())
    def begin(self, found: tuple[ProgramSettings, ...], *, waits: bool) -> None:
        after = (found[0].name,) if waits and found else ()
        self.policy = replace(POLICY, programs=found, workers_after=after)
        self.fleet = Fleet(self.policy, lambda: 0.5)
        self.handle(Started())

    def handle(self, event: Event) -> None:
        pending = [event]
        while pending:
            for action in self.fleet.handle(pending.pop(0), self.now):
                pending += self.perform(action)

    def perform(self, action: Action) -> list[Event]:
        """Do it as the kernel would; return what is known at once."""
        match action:
            case StartProgram(process=process, name=name, index=index):
                assert process not in self.alive
                assert (name, index) not in {(one.name, one.index) for one in self.alive.values()}
                assert name in {one.name for one in self.policy.programs}
                if not self.has_room:
                    return [ProgramRefused(process, "no more processes")]
                self.alive[process] = action
                return [ProgramForked(process, 1000 + process)]
            case SignalProgram(process=process, signal=signal):
                assert process in self.alive
                self.told.add((process, signal))
            case Spawn(worker=worker):
                if not self.workers and self.fleet.state.phase is Phase.BOOTING:
                    self.check_workers_may_start()
                self.workers.add(worker)
                return [Forked(worker, 5000 + worker), WorkerReady(worker)]
            case ReadSettings(generation=generation):
                return [SettingsRead(generation, self.next_policy)]
            case Commit():
                self.policy = self.next_policy
            case Reply(client=client):
                self.asked.remove(client)
            case Exit():
                assert not self.alive
                self.is_over = True
        return []

    def check_workers_may_start(self) -> None:
        for place in self.fleet.state.programs:
            if place.name in self.policy.workers_after:
                assert place.state.value in {"running", "done"}

    # -- what may happen -------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0]))
    def let_time_pass(self, seconds: float) -> None:
        due = self.fleet.next_deadline()
        self.now += seconds if due is None else max(min(seconds, due - self.now), 0.0)
        self.handle(TimePassed())

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), is_success=st.booleans())
    def end_one(self, data: st.DataObject, *, is_success: bool) -> None:
        process = data.draw(st.sampled_from(sorted(self.alive)))
        del self.alive[process]
        self.handle(ProgramExited(process, "its end", is_success=is_success))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def say_ready(self, data: st.DataObject) -> None:
        self.handle(ProgramReady(data.draw(st.sampled_from(sorted(self.alive)))))

    @rule(has_room=st.booleans())
    def change_room(self, *, has_room: bool) -> None:
        self.has_room = has_room

    @rule(process=st.integers(1, 9))
    def say_something_of_a_former_one(self, process: int) -> None:
        if process not in self.alive:
            self.handle(ProgramReady(process))

    @rule(verb=st.sampled_from(["start", "stop", "restart"]), name=st.sampled_from([*NAMES, "one:1", "none"]))
    def ask(self, verb: Any, name: str) -> None:
        if not self.is_over:
            self.clients += 1
            self.asked.add(self.clients)
            self.handle(ProgramAsked("a client", verb, name, self.clients))

    @rule(found=programs())
    def reload(self, found: tuple[ProgramSettings, ...]) -> None:
        if not self.is_over and self.fleet.state.reload is None:
            self.next_policy = replace(self.policy, programs=found)
            self.handle(ReloadAsked("SIGHUP"))

    @rule()
    def bury_workers_that_leave(self) -> None:
        for worker in self.fleet.state.roster:
            if not worker.holds_slot:
                self.workers.discard(worker.number)
                self.handle(WorkerExited(worker.number, "exit code 0"))

    @precondition(lambda self: self.fleet.state.reload is None and not self.is_over)
    @rule()
    def upgrade(self) -> None:
        values: Mapping[str, Any] = json.loads(json.dumps(self.fleet.export()))
        self.fleet = Fleet.restore(values, self.fleet.state.policy, lambda: 0.5)

    # -- what always holds -----------------------------------------------------------------------------

    @invariant()
    def places_and_processes_agree(self) -> None:
        if hasattr(self, "fleet"):
            known = {place.process for place in self.fleet.state.programs if place.is_alive}
            assert known == set(self.alive)

    def teardown(self) -> None:
        """A stop ends, whatever went before: all who are asked obey, or are killed."""
        if not hasattr(self, "fleet"):
            return
        self.handle(StopAsked("SIGTERM"))
        for _ in range(200):
            if self.is_over:
                break
            self.bury_workers_that_leave()
            for process in sorted(self.alive):
                if (process, "KILL") in self.told:
                    del self.alive[process]
                    self.handle(ProgramExited(process, "killed by SIGKILL", is_success=False))
            due = self.fleet.next_deadline()
            self.now = self.now if due is None else max(self.now, due)
            self.handle(TimePassed())
        assert self.is_over, repr(self.fleet)
        assert not self.asked


Machine.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestPrograms = Machine.TestCase
