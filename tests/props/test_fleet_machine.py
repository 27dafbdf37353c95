"""The fleet against a kernel that does what it likes: what always holds, and how it always ends.

Each rule is one wake-up of the master. A failing run is printed as a program of rules; it replays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from srvctl.errors import ExitCode
from srvctl.supervisor.events import ReloadAsked, ScaleAsked, StopAsked
from srvctl.supervisor.fleet import FleetPolicy, Phase
from tests.support.kernel import Doing, Kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.kernel import Process

picks = st.integers(0, 7)
causes = st.sampled_from(["exit code 0", "exit code 3", "killed by SIGKILL"])
#: Below, at and beyond the deadlines, the first waits of a slot, and the echo of a signal.
times = st.sampled_from([0.0, 0.05, 0.11, 0.5, 1.0, 4.9, 5.0, 11.0, 20.0, 29.9, 30.0, 100.0])


def is_booting(process: Process) -> bool:
    return process.doing is Doing.BOOTING


def is_serving(process: Process) -> bool:
    return process.doing is Doing.SERVING


def is_obedient(process: Process) -> bool:
    return process.obeys


def has_channel(process: Process) -> bool:
    return process.has_channel


def is_anything(process: Process) -> bool:
    return True


class FleetMachine(RuleBasedStateMachine):
    """Any history of a service, from its first fork to its exit."""

    kernel: Kernel

    @initialize(
        count=st.integers(1, 4),
        max_surge=st.integers(1, 3),
        seed=st.integers(0, 3),
        comes_up=st.sampled_from([True, True, False]),
    )
    def start(self, count: int, max_surge: int, seed: int, comes_up: bool) -> None:
        policy = FleetPolicy(count=count, boot=30.0, drain=20.0, term=5.0, max_surge=max_surge)
        self.kernel = Kernel(policy, seed)
        self.was_ever_ready = False
        self.first_stop: str | None = None  #: who ended the service: the application or a signal
        self.is_healthy = False  #: since the last rest nothing went wrong and nobody scaled
        self.kernel.start()
        self.kernel.happen()
        if comes_up:  # else anything may come of the first boot
            self.calm()

    # -- helpers ---------------------------------------------------------------------------------------

    @property
    def fleet_is_up(self) -> bool:
        return self.kernel.fleet.phase in {Phase.BOOTING, Phase.RUNNING}

    def pick(self, number: int, wanted: Callable[[Process], bool]) -> Process | None:
        found = [process for process in self.kernel.processes.values() if wanted(process)]
        return found[number % len(found)] if found else None

    def look(self) -> None:
        if self.first_stop is None and not self.fleet_is_up:
            self.first_stop = "application"

    # -- what workers do -------------------------------------------------------------------------------

    @rule(number=picks)
    def becomes_ready(self, number: int) -> None:
        process = self.pick(number, is_booting)
        if process is not None:
            self.was_ever_ready |= process.stays
            self.kernel.become_ready(process)

    @rule(number=picks)
    def fails_to_boot(self, number: int) -> None:
        process = self.pick(number, is_booting)
        if process is not None:
            self.is_healthy = False
            self.kernel.fail(process)

    @rule(number=picks)
    def begins_to_drain(self, number: int) -> None:
        process = self.pick(number, is_serving)
        if process is not None:
            self.is_healthy &= not process.stays
            self.kernel.drain(process)

    @rule(number=picks, cause=causes)
    def ends(self, number: int, cause: str) -> None:
        process = self.pick(number, is_anything)
        if process is not None:
            self.is_healthy &= not process.stays
            self.kernel.end(process, cause)
            self.look()

    @rule(number=picks)
    def writes_garbage(self, number: int) -> None:
        process = self.pick(number, has_channel)
        if process is not None:
            self.is_healthy = False
            self.kernel.break_channel(process)

    @rule(number=picks)
    def stops_obeying(self, number: int) -> None:
        process = self.pick(number, is_obedient)
        if process is not None:
            process.obeys = False

    @rule()
    def do_what_they_are_asked(self) -> None:
        self.kernel.obey()

    # -- what the kernel and the clock do --------------------------------------------------------------

    @rule(refusals=st.lists(st.booleans(), min_size=1, max_size=4))
    def forks_are_refused(self, refusals: list[bool]) -> None:
        self.is_healthy = False
        self.kernel.refusals.extend(refusals)

    @rule(seconds=times)
    def time_passes(self, seconds: float) -> None:
        due = self.kernel.fleet.next_deadline()
        self.is_healthy &= due is None or self.kernel.now + seconds < due
        self.kernel.wait(seconds)
        self.look()

    @rule()
    def a_deadline_comes(self) -> None:
        due = self.kernel.fleet.next_deadline()
        if due is not None:
            self.is_healthy = False
            self.kernel.wait(due - self.kernel.now)
            self.look()

    # -- what people ask -------------------------------------------------------------------------------

    @rule()
    def reload(self) -> None:
        self.kernel.happen(ReloadAsked("SIGHUP"))
        self.look()

    @rule(change=st.sampled_from([-2, -1, 1, 2]))
    def scale(self, change: int) -> None:
        self.is_healthy = False
        self.kernel.happen(ScaleAsked("SIGTTIN" if change > 0 else "SIGTTOU", change))

    @precondition(lambda self: self.kernel.fleet.phase is Phase.STOPPING or len(self.kernel.trace) > 25)
    @rule(immediately=st.booleans())
    def stop(self, immediately: bool) -> None:
        self.look()
        self.first_stop = self.first_stop or "signal"
        self.kernel.happen(StopAsked("SIGQUIT" if immediately else "SIGTERM", immediately=immediately))

    @rule()
    def calm(self) -> None:
        """Left alone in a healthy world the fleet comes to rest with what it wants, and nothing more."""
        kernel = self.kernel
        kernel.rest()
        self.look()
        fleet = kernel.fleet
        if self.first_stop is not None:
            assert kernel.exits
            return
        self.was_ever_ready = self.is_healthy = True
        assert fleet.phase is Phase.RUNNING
        assert fleet.rolling_to is None
        assert fleet.next_deadline() is None
        assert sorted(process.slot for process in kernel.processes.values()) == list(range(fleet.target))
        assert all(process.serves for process in kernel.processes.values())

    @precondition(lambda self: self.fleet_is_up)
    @rule()
    def reload_in_calm(self) -> None:
        """A reload of healthy code, left alone, ends with that code in every slot."""
        self.calm()
        if self.fleet_is_up:
            before = max(process.generation for process in self.kernel.processes.values())
            self.reload()
            self.calm()
            (generation,) = {process.generation for process in self.kernel.processes.values()}
            assert generation == self.kernel.fleet.generation > before

    # -- what always holds -----------------------------------------------------------------------------

    @invariant()
    def the_master_knows_its_workers(self) -> None:
        roster, processes = self.kernel.fleet.roster, self.kernel.processes
        assert {w.number: w.pid for w in roster} == {p.worker: p.pid for p in processes.values()}
        assert [w.number for w in roster if w.holds_slot] == [p.worker for p in processes.values() if p.stays]

    @invariant()
    def workers_beyond_the_count_are_the_surge_of_a_reload(self) -> None:
        fleet = self.kernel.fleet
        staying = [process.slot for process in self.kernel.processes.values() if process.stays]
        assert all(slot < fleet.target for slot in staying)
        assert all(staying.count(slot) <= 2 for slot in staying)
        surge = len(staying) - len(set(staying))
        assert surge <= (self.kernel.policy.max_surge if fleet.rolling_to is not None else 0)

    @invariant()
    def one_worker_serves_a_slot(self) -> None:
        serving = [process.slot for process in self.kernel.processes.values() if process.serves]
        assert len(serving) == len(set(serving))

    @invariant()
    def every_slot_is_held_unless_it_waits_for_its_backoff(self) -> None:
        kernel = self.kernel
        if self.fleet_is_up:
            held = {process.slot for process in kernel.processes.values() if process.stays}
            for slot in set(range(kernel.fleet.target)) - held:
                assert kernel.fleet.roster.slot(slot).not_before > kernel.now

    @invariant()
    def a_reload_of_healthy_code_costs_no_capacity(self) -> None:
        if self.fleet_is_up and self.is_healthy:
            assert (
                sum(process.serves for process in self.kernel.processes.values()) >= self.kernel.fleet.target
            )

    @invariant()
    def the_next_deadline_is_ahead(self) -> None:
        deadline = self.kernel.fleet.next_deadline()
        assert deadline is None or deadline > self.kernel.now

    @invariant()
    def nobody_is_kept_once_the_service_stops(self) -> None:
        if not self.fleet_is_up:
            assert not any(process.stays for process in self.kernel.processes.values())

    @invariant()
    def a_service_that_once_worked_ends_only_when_asked(self) -> None:
        assert not (self.was_ever_ready and self.first_stop == "application")

    # -- how it ends -----------------------------------------------------------------------------------

    def teardown(self) -> None:
        """A stop ends from any state, once, with the right code; and the same trace decides the same."""
        if not hasattr(self, "kernel"):
            return
        kernel = self.kernel
        self.look()
        if not kernel.exits:
            kernel.happen(StopAsked("SIGTERM"))
            self.nobody_is_kept_once_the_service_stops()
            kernel.rest()
        assert kernel.exits == [ExitCode.NEVER_UP if self.first_stop == "application" else ExitCode.OK]
        assert not kernel.processes
        assert kernel.fleet.next_deadline() is None
        assert kernel.replay() == kernel.trace


FleetMachine.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestFleetMachine = FleetMachine.TestCase
