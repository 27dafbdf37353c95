"""The fleet in development, against a world that does what it likes: it never ends by itself.

Whatever happens, somebody answers in the end: the newest code that works, or a stand-in that shows why none
does.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from srvctl.errors import ExitCode
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import FilesChanged, ReloadAsked, ScaleAsked, StopAsked, UpgradeAsked
from srvctl.supervisor.fleet import FleetPolicy, Phase
from srvctl.supervisor.state import UP
from tests.support.kernel import Doing, Kernel, Process

POLICY = FleetPolicy(count=1, boot=6.0, drain=4.0, term=1.0, is_development=True, backoff=Backoff(cap=4.0))


class DevelopmentMachine(RuleBasedStateMachine):
    """Any history of a service in development."""

    kernel: Kernel

    @initialize(seed=st.integers(0, 3))
    def start(self, seed: int) -> None:
        self.kernel = Kernel(POLICY, seed)
        self.kernel.start()
        self.kernel.happen()

    def booting(self) -> list[Process]:
        """The workers that boot, and are wanted."""
        return [
            process
            for process in self.kernel.processes.values()
            if process.doing is Doing.BOOTING and process.stays
        ]

    # -- what happens ----------------------------------------------------------------------------------

    @rule(of_settings=st.booleans())
    def a_file_is_saved(self, of_settings: bool) -> None:
        self.kernel.happen(FilesChanged(("main.py",), of_settings))

    @rule(is_right=st.booleans())
    def settings_are_read(self, is_right: bool) -> None:
        if self.kernel.unread:
            self.kernel.read_settings(POLICY if is_right else None)

    @rule()
    def becomes_ready(self) -> None:
        for process in self.booting()[:1]:
            self.kernel.become_ready(process)

    @rule(is_explained=st.booleans())
    def does_not_come_up(self, is_explained: bool) -> None:
        for process in self.booting()[:1]:
            if is_explained:
                self.kernel.fail(process)
            else:
                self.kernel.end(process, "killed by SIGSEGV")

    @rule()
    def dies(self) -> None:
        for process in list(self.kernel.processes.values())[:1]:
            self.kernel.end(process, "killed by SIGKILL")

    @rule()
    def do_what_they_are_asked(self) -> None:
        self.kernel.obey()

    @rule(refusals=st.lists(st.booleans(), min_size=1, max_size=2))
    def forks_are_refused(self, refusals: list[bool]) -> None:
        self.kernel.refusals.extend(refusals)

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 6.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.kernel.wait(seconds)

    @rule(what=st.sampled_from(["reload", "scale", "upgrade"]))
    def somebody_asks(self, what: str) -> None:
        client = self.kernel.ask()
        match what:
            case "reload":
                self.kernel.happen(ReloadAsked("client", client))
            case "scale":
                self.kernel.happen(ScaleAsked("client", 1, client))
            case _:
                self.kernel.happen(UpgradeAsked("client", client))
                assert not self.kernel.is_upgrading

    # -- what comes of it ------------------------------------------------------------------------------

    @rule()
    def calm(self) -> None:
        """Left alone, one worker answers: the application, or a stand-in with what is wrong by now."""
        self.kernel.rest()
        state = self.kernel.fleet.state
        (process,) = self.kernel.processes.values()
        assert process.serves
        assert process.generation == state.generation
        assert process.apology == state.apology
        assert state.phase is Phase.RUNNING
        assert state.reload is None
        assert not self.kernel.waiting

    @rule()
    def saved_in_calm(self) -> None:
        """Code that works answers once it is saved, whatever was before."""
        self.calm()
        self.a_file_is_saved(of_settings=False)
        self.calm()
        (process,) = self.kernel.processes.values()
        assert process.apology is None

    @rule()
    def broken_in_calm(self) -> None:
        """Code that does not work leaves the old code where it is, or is what the stand-in shows."""
        self.calm()
        (before,) = self.kernel.processes.values()
        self.a_file_is_saved(of_settings=False)
        new = [process for process in self.booting() if process is not before]
        assert len(new) == 1
        self.kernel.fail(new[0])
        self.calm()
        (after,) = self.kernel.processes.values()
        assert after is before
        if after.apology is not None:
            assert after.apology.message == "No module named 'shop'."

    @invariant()
    def nobody_gives_up(self) -> None:
        assert self.kernel.fleet.state.phase in UP
        assert not self.kernel.exits

    @invariant()
    def settings_are_held_of_what_is_in_use(self) -> None:
        state = self.kernel.fleet.state
        wanted = {state.generation} | ({state.reload.generation} if state.reload else set())
        assert self.kernel.opened <= wanted

    @invariant()
    def new_code_is_never_a_stand_in(self) -> None:
        reload = self.kernel.fleet.state.reload
        for process in self.kernel.processes.values():
            assert reload is None or process.generation != reload.generation or process.apology is None

    def teardown(self) -> None:
        """A stop ends from any state; and the same trace decides the same."""
        if not hasattr(self, "kernel"):
            return
        self.kernel.happen(StopAsked("SIGINT"))
        self.kernel.rest()
        assert self.kernel.exits == [ExitCode.OK]
        assert not self.kernel.processes
        assert not self.kernel.waiting
        assert self.kernel.replay() == self.kernel.trace


DevelopmentMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestDevelopmentMachine = DevelopmentMachine.TestCase
