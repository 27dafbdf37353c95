"""The fleet against a world that does what it likes: what always holds, and how it always ends.

Each rule is one wake-up of the master. A failing run is printed as a program of rules; it replays as it is.
What the master must never do to a worker, a mold or a client is asserted where it is done: in the kernel.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import Announce, Milestone, Reply
from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import (
    DumpAsked,
    Memory,
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    StatusAsked,
    StopAsked,
    UpgradeAsked,
    WorkerKillAsked,
    WorkerStopAsked,
)
from srvctl.supervisor.fleet import FleetPolicy, Phase
from srvctl.supervisor.lifecycle import WorkerState
from srvctl.supervisor.policy import HealthPolicy, RecyclePolicy
from srvctl.supervisor.state import SERVING, UP
from tests.support.kernel import OPERATOR, Doing, Kernel, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from srvctl.supervisor.events import AboutOne
    from srvctl.supervisor.standing import Standing
    from tests.support.kernel import MoldProcess, Process

picks = st.integers(0, 7)
causes = st.sampled_from(["exit code 0", "exit code 3", "killed by SIGKILL"])
troubles = st.sampled_from([trouble for trouble in Trouble if trouble is not Trouble.NONE])
#: Below, at and beyond the deadlines, the first waits of a slot, and the echo of a signal.
times = st.sampled_from([0.0, 0.05, 0.11, 0.5, 1.0, 1.9, 2.0, 3.0, 4.0, 5.9, 6.0, 20.0])
#: All that a fleet waits for is short, so that it is soon at rest; see `kernel`.
scales = st.sampled_from(
    [ScalePolicy(), ScalePolicy(), ScalePolicy(1, 4, 0.7, 32, 1.0), ScalePolicy(2, 3, 0.5, 8, 0.0)]
)


def in_bounds(policy: FleetPolicy) -> FleetPolicy:
    """As the settings would have it."""
    return replace(policy, count=policy.scale.clamp(policy.count))


policies = st.builds(
    FleetPolicy,
    count=st.integers(1, 4),
    boot=st.just(6.0),
    drain=st.just(4.0),
    term=st.just(1.0),
    max_surge=st.integers(1, 3),
    preload=st.booleans(),
    bake=st.sampled_from([0.0, 1.0]),
    drain_delay=st.sampled_from([0.0, 2.0]),
    recycle=st.builds(
        RecyclePolicy,
        requests=st.sampled_from([0, 100]),
        requests_jitter=st.just(20),
        lifetime=st.sampled_from([0.0, 60.0]),
        lifetime_jitter=st.just(10.0),
        memory=st.sampled_from([0, 1000]),
        spacing=st.just(0.5),
    ),
    health=st.builds(
        HealthPolicy,
        hang_timeout=st.just(3.0),
        path=st.sampled_from(["", "/health"]),
        interval=st.just(2.0),
        timeout=st.just(1.0),
        threshold=st.just(2),
    ),
    backoff=st.just(Backoff(cap=4.0)),
    scale=scales,
    watermark=st.sampled_from([0.0, 0.9]),
).map(in_bounds)


def is_booting(process: Process) -> bool:
    return process.doing is Doing.BOOTING


def is_serving(process: Process) -> bool:
    return process.doing is Doing.SERVING


def is_fit(process: Process) -> bool:
    return process.serves and process.trouble is Trouble.NONE


def is_in_trouble(process: Process) -> bool:
    return process.trouble is not Trouble.NONE


def is_asked(process: Process) -> bool:
    return bool(process.probes) and process.trouble is Trouble.NONE


def is_obedient(process: Process) -> bool:
    return process.obeys


def has_channel(process: Process) -> bool:
    return process.has_channel


def is_anything(process: Process) -> bool:
    return True


class FleetMachine(RuleBasedStateMachine):
    """Any history of a service, from its first fork to its exit."""

    kernel: Kernel

    @initialize(policy=policies, seed=st.integers(0, 3), comes_up=st.sampled_from([True, True, False]))
    def start(self, policy: FleetPolicy, seed: int, comes_up: bool) -> None:
        self.kernel = Kernel(policy, seed)
        self.was_ever_ready = False
        self.first_stop: str | None = None  #: who ended the service: the application or a signal
        self.kernel.start()
        self.kernel.happen()
        if comes_up:  # else anything may come of the first boot
            self.calm()

    # -- helpers ---------------------------------------------------------------------------------------

    @property
    def fleet_is_up(self) -> bool:
        return self.kernel.fleet.state.phase in UP

    def pick(self, number: int, wanted: Callable[[Process], bool]) -> Process | None:
        found = [process for process in self.kernel.processes.values() if wanted(process)]
        return found[number % len(found)] if found else None

    def pick_mold(self, number: int, wanted: Callable[[MoldProcess], bool]) -> MoldProcess | None:
        found = [mold for mold in self.kernel.molds.values() if wanted(mold)]
        return found[number % len(found)] if found else None

    def look(self) -> None:
        if self.first_stop is None and not self.fleet_is_up:
            self.first_stop = "application"

    # -- what workers do -------------------------------------------------------------------------------

    @rule(number=picks)
    def becomes_ready(self, number: int) -> None:
        process = self.pick(number, is_booting)
        if process is not None:
            self.was_ever_ready |= process.stays and process.has_channel
            self.kernel.become_ready(process)

    @rule(number=picks)
    def fails_to_boot(self, number: int) -> None:
        process = self.pick(number, is_booting)
        if process is not None:
            self.kernel.fail(process)

    @rule(number=picks)
    def begins_to_drain(self, number: int) -> None:
        process = self.pick(number, is_serving)
        if process is not None:
            self.kernel.drain(process)

    @rule(number=picks, cause=causes)
    def ends(self, number: int, cause: str) -> None:
        process = self.pick(number, is_anything)
        if process is not None:
            self.kernel.end(process, cause)
            self.look()

    @rule(number=picks)
    def writes_garbage(self, number: int) -> None:
        process = self.pick(number, has_channel)
        if process is not None:
            self.kernel.break_channel(process)

    @rule(number=picks)
    def stops_obeying(self, number: int) -> None:
        process = self.pick(number, is_obedient)
        if process is not None:
            process.obeys = False

    @rule(number=picks, trouble=troubles)
    def does_not_beat_any_more(self, number: int, trouble: Trouble) -> None:
        process = self.pick(number, is_fit)
        if process is not None:
            process.trouble, process.since = trouble, self.kernel.now

    @rule(number=picks)
    def comes_to_itself(self, number: int) -> None:
        process = self.pick(number, is_in_trouble)
        if process is not None:
            process.trouble = Trouble.NONE

    @rule(number=picks, what=st.sampled_from(["requests", "requests", "memory", "growth", "nonsense"]))
    def shows_on_its_board(self, number: int, what: str) -> None:
        process = self.pick(number, is_serving)
        if process is None:
            pass
        elif what == "requests":
            process.board["finished"] = process.board.get("finished", 0) + 60
            process.board["begun"] = process.board.get("begun", 0) + 60
        elif what == "growth":
            process.board["first"], process.board["rss"] = 10 * 2**20, 900 * 2**20
        elif what == "memory":
            process.board["rss"] = 2000
        else:
            process.is_nonsense = True

    @rule(number=picks, requests=st.sampled_from([0, 10, 90]), seconds=st.sampled_from([0.0, 0.5, 3.0]))
    def has_something_to_do(self, number: int, requests: int, seconds: float) -> None:
        process = self.pick(number, is_serving)
        if process is not None:
            process.board["begun"] = process.board.get("finished", 0) + requests
            process.board["cpu_seconds"] = process.board.get("cpu_seconds", 0.0) + seconds

    @rule(used=st.sampled_from([None, 50, 91]))
    def memory_is_used(self, used: int | None) -> None:
        self.kernel.memory = Memory(used, 100) if used is not None else None

    @rule(number=picks, status=st.sampled_from([200, 0, 500]))
    def answers_a_probe(self, number: int, status: int) -> None:
        process = self.pick(number, is_asked)
        if process is not None:
            self.kernel.answer(process, status)

    @rule()
    def do_what_they_are_asked(self) -> None:
        self.kernel.obey()

    # -- what molds do ---------------------------------------------------------------------------------

    @rule(number=picks, objection=st.sampled_from(["", "", "the import started a thread"]))
    def mold_is_ready(self, number: int, objection: str) -> None:
        mold = self.pick_mold(number, lambda mold: mold.doing is Doing.BOOTING)
        if mold is not None:
            self.kernel.finish_import(mold, objection)

    @rule(number=picks)
    def mold_forks(self, number: int) -> None:
        mold = self.pick_mold(number, lambda mold: bool(mold.forks))
        if mold is not None:
            self.kernel.fork_from(mold)

    @rule(number=picks)
    def mold_fails(self, number: int) -> None:
        mold = self.pick_mold(number, lambda mold: mold.doing is Doing.BOOTING)
        if mold is not None:
            self.kernel.fail_import(mold)
            self.look()

    @rule(number=picks, are_forked=st.booleans(), is_told_first=st.booleans())
    def mold_ends(self, number: int, are_forked: bool, is_told_first: bool) -> None:
        mold = self.pick_mold(number, lambda mold: True)
        if mold is not None:
            self.kernel.end_mold(mold, are_forked=are_forked, is_told_first=is_told_first)
            self.look()

    # -- what the kernel and the clock do --------------------------------------------------------------

    @rule(refusals=st.lists(st.booleans(), min_size=1, max_size=4))
    def forks_are_refused(self, refusals: list[bool]) -> None:
        self.kernel.refusals.extend(refusals)

    @rule(seconds=times)
    def time_passes(self, seconds: float) -> None:
        self.kernel.wait(seconds)
        self.look()

    @rule()
    def a_deadline_comes(self) -> None:
        due = self.kernel.fleet.next_deadline()
        if due is not None:
            self.kernel.wait(due - self.kernel.now)
            self.look()

    # -- what people ask -------------------------------------------------------------------------------

    @rule(has_client=st.booleans())
    def reload(self, has_client: bool) -> None:
        self.kernel.happen(ReloadAsked("SIGHUP", self.kernel.ask() if has_client else None))
        self.look()

    @rule(
        kind=st.sampled_from(["same", "same", "other", "refused"]),
        count=st.integers(1, 4),
        max_surge=st.integers(1, 3),
        preload=st.booleans(),
        scale=scales,
    )
    def settings_are_read(
        self, kind: str, count: int, max_surge: int, preload: bool, scale: ScalePolicy
    ) -> None:
        if self.kernel.unread:
            policy = self.kernel.policy
            if kind == "other":
                policy = replace(policy, count=count, max_surge=max_surge, preload=preload, scale=scale)
                policy = in_bounds(policy)
            self.kernel.read_settings(None if kind == "refused" else policy)

    @rule(change=st.sampled_from([-2, -1, 1, 2]))
    def scale(self, change: int) -> None:
        self.kernel.happen(ScaleAsked("client", change, self.kernel.ask()))

    @rule(count=st.integers(1, 4))
    def scale_to(self, count: int) -> None:
        self.kernel.happen(ScaleAsked("client", client=self.kernel.ask(), count=count))

    @rule(whom=st.sampled_from(["all", "slot:0", "slot:1", "pid:10001", "slot:9"]))
    def recycle(self, whom: str) -> None:
        self.kernel.happen(RecycleAsked("client", whom, self.kernel.ask()))

    @rule(
        ask=st.sampled_from([WorkerStopAsked, WorkerKillAsked, DumpAsked]),
        whom=st.sampled_from(["slot:0", "slot:1", "pid:10002", "slot:9"]),
    )
    def about_one(self, ask: type[AboutOne], whom: str) -> None:
        self.kernel.happen(ask(OPERATOR, whom, self.kernel.ask()))

    @rule(outcome=st.sampled_from(["later", "refused", "done", "done"]))
    def upgrade_or_ask(self, outcome: str) -> None:
        client = self.kernel.ask()
        if client is not None:
            self.kernel.happen(StatusAsked(client))
        self.kernel.happen(UpgradeAsked("client", self.kernel.ask()))
        if self.kernel.is_upgrading and outcome == "refused":
            self.kernel.refuse_upgrade()
        elif self.kernel.is_upgrading and outcome == "done":
            self.kernel.upgrade()

    @precondition(lambda self: self.kernel.fleet.state.phase not in UP or len(self.kernel.trace) > 200)
    @rule(immediately=st.booleans())
    def stop(self, immediately: bool) -> None:
        self.look()
        self.first_stop = self.first_stop or "signal"
        by = "SIGQUIT" if immediately else "SIGTERM"
        self.kernel.happen(StopAsked(by, immediately=immediately, client=self.kernel.ask()))

    @rule()
    def calm(self) -> None:
        """Left alone in a healthy world the fleet comes to rest with what it wants, and nothing more."""
        kernel = self.kernel
        kernel.rest()
        self.look()
        state = kernel.fleet.state
        assert not kernel.waiting
        if self.first_stop is not None:
            assert kernel.exits
            return
        self.was_ever_ready = True
        assert state.phase is Phase.RUNNING
        assert state.reload is None
        assert sorted(process.slot for process in kernel.processes.values()) == list(range(state.target))
        assert all(process.serves for process in kernel.processes.values())
        assert all(state.is_accepted(process.generation) for process in kernel.processes.values())
        assert set(kernel.molds) <= {state.generation}
        assert (state.policy.look_every is None) == (kernel.fleet.next_deadline() is None)

    @precondition(lambda self: self.fleet_is_up)
    @rule()
    def reload_in_calm(self) -> None:
        """A reload of healthy code, left alone, ends with that code in every slot."""
        self.calm()
        if self.fleet_is_up:
            before = max(process.generation for process in self.kernel.processes.values())
            self.reload(has_client=True)
            self.calm()
            (generation,) = {process.generation for process in self.kernel.processes.values()}
            assert generation == self.kernel.fleet.state.generation > before

    @precondition(lambda self: self.fleet_is_up)
    @rule(good=st.integers(0, 3), is_explained=st.booleans())
    def reload_that_fails_in_calm(self, good: int, is_explained: bool) -> None:
        """If a new worker does not come up, every slot is on the old code again, where there is a mold."""
        self.calm()
        kernel = self.kernel
        if not self.fleet_is_up or kernel.fleet.state.tolerated:
            return
        before = kernel.fleet.state.generation
        can_go_back = kernel.fleet.state.molds.has_mold(before)
        client = kernel.ask()
        assert client is not None
        kernel.happen(ReloadAsked("client", client))
        while (reload := kernel.fleet.state.reload) is not None and not reload.error:
            self.take_part(reload.generation, good, is_explained=is_explained)
            good -= 1
        self.calm()
        generations = {process.generation for process in kernel.processes.values()}
        answer = kernel.answers[client]
        assert isinstance(answer, Reply)
        assert answer.is_ok == (kernel.fleet.state.generation != before)
        if can_go_back or answer.is_ok:
            assert generations == {kernel.fleet.state.generation}

    @precondition(lambda self: self.fleet_is_up)
    @rule(number=picks, trouble=troubles)
    def one_does_not_beat_in_calm(self, number: int, trouble: Trouble) -> None:
        """Whoever is blocked is replaced; whoever waits for a CPU stays, if nobody asks it for an answer."""
        self.calm()
        process = self.pick(number, is_fit)
        if not self.fleet_is_up or process is None:
            return
        process.trouble, process.since = trouble, self.kernel.now
        recycle, health = self.kernel.fleet.state.policy.recycle, self.kernel.fleet.state.policy.health
        self.calm()
        if process.is_blocked:
            assert process.worker not in self.kernel.processes
        elif not health.path and not recycle.lifetime:
            assert process.worker in self.kernel.processes

    def take_part(self, generation: int, good: int, *, is_explained: bool) -> None:
        """Let a reload go on until its next worker boots, and let that one come up, or not."""
        kernel = self.kernel
        while kernel.unread:
            kernel.read_settings(kernel.policy)
        for mold in list(kernel.molds.values()):
            if mold.doing is Doing.BOOTING:
                kernel.finish_import(mold)
            while mold.forks:
                kernel.fork_from(mold)
        process = self.pick(0, lambda process: process.generation == generation and is_booting(process))
        if process is None:
            kernel.obey()
            for process in list(kernel.processes.values()):
                if is_booting(process) and process.stays:
                    kernel.become_ready(process)
                while process.probes and is_asked(process):
                    kernel.answer(process, 200)
            kernel.wait(0.5)
        elif good > 0:
            kernel.become_ready(process)
        elif is_explained:
            kernel.fail(process)
        else:
            kernel.end(process)

    # -- what always holds -----------------------------------------------------------------------------

    @invariant()
    def the_master_knows_its_workers(self) -> None:
        roster, processes = self.kernel.fleet.state.roster, self.kernel.processes
        forking = {worker for mold in self.kernel.molds.values() for worker in mold.forks}
        assert {w.number: w.pid for w in roster if w.pid} == {p.worker: p.pid for p in processes.values()}
        assert {w.number for w in roster if not w.pid} == forking
        staying = {p.worker for p in processes.values() if p.stays}
        assert {w.number for w in roster if w.holds_slot} == staying | forking

    @invariant()
    def workers_beyond_the_count_are_the_surge(self) -> None:
        state = self.kernel.fleet.state
        held = [worker.slot for worker in state.roster if worker.holds_slot]
        assert all(p.slot < state.target for p in self.kernel.processes.values() if p.stays)
        assert all(held.count(slot) <= 2 for slot in held)
        surge = sum(held.count(slot) > 1 for slot in state.slots)
        assert surge <= state.policy.max_surge

    @invariant()
    def as_many_are_wanted_as_the_bounds_allow(self) -> None:
        state = self.kernel.fleet.state
        assert state.target == state.policy.scale.clamp(state.target)

    @invariant()
    def one_worker_serves_a_slot_unless_one_is_on_trial(self) -> None:
        serving = [process.slot for process in self.kernel.processes.values() if process.serves]
        reload = self.kernel.fleet.state.reload
        for slot in set(serving):
            assert serving.count(slot) <= (2 if reload is not None and reload.watches(slot) else 1)

    @invariant()
    def every_slot_is_held_unless_it_must_wait(self) -> None:
        state = self.kernel.fleet.state
        if state.phase in SERVING and not self.waits_for_a_mold():
            held = {worker.slot for worker in state.roster if worker.holds_slot}
            for slot in set(state.slots) - held:
                assert state.roster.slot(slot).not_before > self.kernel.now

    def waits_for_a_mold(self) -> bool:
        state = self.kernel.fleet.state
        return not state.molds.can_fork(state.generation)

    @invariant()
    def there_is_a_mold_only_of_what_is_in_use(self) -> None:
        state = self.kernel.fleet.state
        wanted = {state.generation} | ({state.reload.generation} if state.reload else set())
        assert {mold.generation for mold in self.kernel.molds.values() if not mold.is_killed} <= wanted

    @invariant()
    def settings_are_held_of_what_is_in_use(self) -> None:
        """Whatever becomes of a reload, what it opened is let go of, or becomes the service's."""
        state = self.kernel.fleet.state
        wanted = {state.generation} | ({state.reload.generation} if state.reload else set())
        assert self.kernel.opened <= wanted

    @invariant()
    def the_next_deadline_is_ahead(self) -> None:
        deadline = self.kernel.fleet.next_deadline()
        assert deadline is None or deadline > self.kernel.now

    @invariant()
    def what_was_concluded_is_still_true(self) -> None:
        """Only slots whose workers changed are judged anew; all would be judged as they were."""
        fleet = self.kernel.fleet
        state, roster, succession = fleet.state, fleet.state.roster, fleet._succession
        asked: list[tuple[Standing[Any], Hashable]] = [
            (state.serving, None),
            (succession._needs, succession._aim()),
        ]
        for standing, aim in asked:
            by_condition = standing.now(state.slots, aim)
            slots = {*state.slots, *roster.occupied}
            judged = {slot: condition for condition, found in by_condition.items() for slot in found}
            afresh = {slot: standing._judge(slot) for slot in slots}
            assert judged == {slot: condition for slot, condition in afresh.items() if condition is not None}
        assert roster.limits == {w.number: w.deadline for w in roster if w.deadline is not None}
        for one in WorkerState:
            assert roster.count(one) == sum(worker.state is one for worker in roster)

    @invariant()
    def nobody_is_kept_once_the_service_stops(self) -> None:
        if self.kernel.fleet.state.phase not in SERVING:
            assert not any(process.stays for process in self.kernel.processes.values())
            assert all(mold.is_killed for mold in self.kernel.molds.values())
            assert not self.kernel.waiting

    @invariant()
    def a_service_that_once_worked_ends_only_when_asked(self) -> None:
        assert not (self.was_ever_ready and self.first_stop == "application")

    @invariant()
    def each_death_is_recorded(self) -> None:
        assert self.kernel.records == self.kernel.deaths

    # -- how it ends -----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """A stop ends from any state, once, with the right code; and the same trace decides the same."""
        if not hasattr(self, "kernel"):
            return
        kernel = self.kernel
        self.look()
        if not kernel.exits:
            kernel.happen(StopAsked("SIGTERM"))
            kernel.rest()
            self.nobody_is_kept_once_the_service_stops()
        assert kernel.exits == [ExitCode.NEVER_UP if self.first_stop == "application" else ExitCode.OK]
        assert not kernel.processes
        assert not kernel.molds
        assert not kernel.waiting
        assert kernel.fleet.next_deadline() is None
        announced = [
            action for turn in kernel.trace for action in turn.actions if isinstance(action, Announce)
        ]
        assert announced.count(Announce(Milestone.STOPPING)) == 1
        assert (
            not self.was_ever_ready
            or kernel.last_line == f"Stopped: served {kernel.served}, cut {kernel.cut}."
        )
        assert kernel.replay() == kernel.trace


FleetMachine.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestFleetMachine = FleetMachine.TestCase
