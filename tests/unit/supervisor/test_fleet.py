"""Every decision of the master as a plain call: an event and the time go in, actions come out.

In these scenes workers are numbered in the order of their spawning, and worker n has the pid 1000 + n. `tell`
returns the actions without the lines of the log; those are in `lines`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import (
    Action,
    Announce,
    CloseListeners,
    Drain,
    Exit,
    Kill,
    Log,
    Milestone,
    Severity,
    Spawn,
)
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Event,
    Forked,
    ReloadAsked,
    ScaleAsked,
    SpawnFailed,
    Started,
    StopAsked,
    TimePassed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet, FleetPolicy, Phase
from tests.support.kernel import Kernel

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


def forked(*workers: int) -> list[Event]:
    return [Forked(worker, 1000 + worker) for worker in workers]


def up(*workers: int) -> list[Event]:
    """Forked, and after all are forked, ready."""
    return [*forked(*workers), *map(WorkerReady, workers)]


def exited(*workers: int) -> list[Event]:
    return [WorkerExited(worker, "exit code 0") for worker in workers]


def died(worker: int) -> Event:
    return WorkerExited(worker, "killed by SIGSEGV")


def assert_same_members(actions: list[Action], expected: list[Action]) -> None:
    """Compare without order, where it says nothing."""
    assert sorted(map(repr, actions)) == sorted(map(repr, expected))


class Scene:
    """A fleet and a clock."""

    def __init__(self, count: int = 2, max_surge: int = 1, policy: FleetPolicy = POLICY) -> None:
        self.fleet = Fleet(replace(policy, count=count, max_surge=max_surge), chance=lambda: 0.0)
        self.now = START
        self.lines: list[Log] = []  #: of the last `tell`

    def tell(self, *events: Event) -> list[Action]:
        """Return what is done about the events, log lines apart."""
        actions = [action for event in events for action in self.fleet.handle(event, self.now)]
        self.lines = [action for action in actions if isinstance(action, Log)]
        return [action for action in actions if not isinstance(action, Log)]

    def after(self, seconds: float, *events: Event) -> list[Action]:
        """Let time pass, then tell."""
        self.now += seconds
        return self.tell(*events or (TimePassed(),))

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    @property
    def errors(self) -> list[str]:
        return [line.text for line in self.lines if line.severity is Severity.ERROR]

    def due(self) -> float | None:
        """Seconds until the next deadline."""
        deadline = self.fleet.next_deadline()
        return None if deadline is None else deadline - self.now


def booting(count: int = 2, max_surge: int = 1, policy: FleetPolicy = POLICY) -> Scene:
    """Workers 1…count exist and boot."""
    scene = Scene(count, max_surge, policy)
    scene.tell(Started(), *forked(*range(1, count + 1)))
    return scene


def serving(count: int = 2, max_surge: int = 1, policy: FleetPolicy = POLICY) -> Scene:
    """Workers 1…count serve the slots 0…count-1."""
    scene = booting(count, max_surge, policy)
    scene.tell(*map(WorkerReady, range(1, count + 1)))
    assert scene.fleet.phase is Phase.RUNNING
    return scene


# -- the first boot ----------------------------------------------------------------------------------------


def test_the_start_forks_a_worker_for_each_slot() -> None:
    """As many as the policy counts, all at once, of the first generation."""
    assert Scene(count=3).tell(Started()) == [Spawn(1, 0, 1), Spawn(2, 1, 1), Spawn(3, 2, 1)]


def test_the_service_is_ready_when_its_last_worker_is() -> None:
    """READY is announced once, and not before every slot is served."""
    scene = booting(count=3)
    assert scene.tell(WorkerReady(2), WorkerReady(1)) == []
    assert scene.tell(WorkerReady(3)) == [READY]
    assert scene.tell(TimePassed(), WorkerReady(3)) == []


def test_a_worker_that_explains_why_it_cannot_serve_ends_the_first_boot() -> None:
    """One error with the traceback; all are ended; the exit code says that nothing ever came up."""
    scene = booting()
    done = scene.tell(BootFailed(1, "No module named 'shop'.", "Traceback ..."))
    assert done == [*STOPPING, Kill(1, "TERM"), Kill(2, "TERM")]
    assert scene.lines == [Log(Severity.ERROR, "No module named 'shop'.", "Traceback ...")]
    assert scene.tell(BootFailed(2, "No module named 'shop'.", "Traceback ...")) == []
    assert scene.tell(WorkerExited(2, "exit code 3")) == []
    assert scene.lines == []
    assert scene.tell(WorkerExited(1, "exit code 3")) == [Exit(ExitCode.NEVER_UP)]
    assert scene.lines == []


def test_a_worker_that_ends_without_a_word_ends_the_first_boot() -> None:
    """The error is how it ended."""
    scene = booting()
    assert scene.tell(WorkerExited(1, "killed by SIGSEGV")) == [*STOPPING, Kill(2, "TERM")]
    assert scene.errors == ["Worker [1001] ended before it was ready: killed by SIGSEGV."]
    assert scene.tell(WorkerExited(2, "killed by SIGTERM")) == [Exit(ExitCode.NEVER_UP)]
    assert scene.errors == []


def test_a_worker_that_is_never_ready_ends_the_first_boot() -> None:
    """The error names the limit; the worker is killed and its sibling, which has time left, is asked."""
    scene = Scene()
    scene.tell(Started(), *forked(1))
    scene.after(0.01, *forked(2))
    assert scene.due() == pytest.approx(29.99)
    assert scene.after(29.99) == [Kill(1, "KILL"), *STOPPING, Kill(2, "TERM")]
    assert scene.errors == ["Worker [1001] was not ready within 30 s (timeouts.boot); killing it."]
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.NEVER_UP)]


def test_a_fork_that_is_refused_ends_the_first_boot() -> None:
    """The error is the kernel's; workers whose fork is still on its way are ended when they exist."""
    scene = Scene()
    scene.tell(Started())
    assert scene.tell(SpawnFailed(1, "Resource temporarily unavailable")) == STOPPING
    assert scene.errors == ["Could not start a worker: Resource temporarily unavailable."]
    assert scene.tell(*forked(2)) == [Kill(2, "TERM")]
    assert scene.tell(*exited(2)) == [Exit(ExitCode.NEVER_UP)]


def test_a_single_worker_that_fails_ends_everything_at_once() -> None:
    """There is nobody to wait for."""
    assert booting(count=1).tell(*exited(1)) == [*STOPPING, Exit(ExitCode.NEVER_UP)]


def test_workers_that_are_late_together_end_the_first_boot_once() -> None:
    """All had their time, so all are killed; the stop is announced once."""
    scene = booting()
    assert scene.after(30.0) == [Kill(1, "KILL"), *STOPPING, Kill(2, "KILL")]
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.NEVER_UP)]


def test_workers_that_fail_together_are_one_error() -> None:
    """Siblings import the same code: they explain themselves before the first of them is gone."""
    scene = booting(count=3)
    scene.tell(*(BootFailed(worker, "No module named 'shop'.") for worker in (1, 2, 3)), *exited(1, 2, 3))
    assert len(scene.errors) == 1


def test_workers_that_are_late_together_are_one_error() -> None:
    """Siblings fail alike: one explanation is enough."""
    scene = booting(count=3)
    scene.after(30.0)
    assert len(scene.errors) == 1


def test_forks_that_are_refused_together_are_one_error() -> None:
    """Siblings fail alike: one explanation is enough."""
    scene = Scene(count=3)
    scene.tell(Started(), *(SpawnFailed(worker, "no memory") for worker in (1, 2, 3)))
    assert len(scene.errors) == 1


def test_a_channel_broken_while_booting_ends_the_first_boot() -> None:
    """Each new worker would break it again; a service that never worked does not try for ever."""
    scene = booting(count=1)
    assert_same_members(scene.tell(ChannelBroken(1, "not a message: b'?'")), [*STOPPING, Kill(1, "TERM")])


# -- failures of a service that works ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "error"),
    [
        pytest.param(
            [BootFailed(2, "No module named 'shop'."), *exited(2)], "No module named 'shop'.", id="explained"
        ),
        pytest.param([died(2)], "Worker [1002] ended before it was ready: killed by SIGSEGV.", id="silent"),
    ],
)
def test_a_failed_boot_is_tried_again_once_any_worker_was_ready(end: list[Event], error: str) -> None:
    """The first new try is at once, the next waits; the worker that serves is left alone."""
    scene = booting()
    scene.tell(WorkerReady(1))
    assert scene.tell(*end) == [Spawn(3, 1, 1)]
    assert scene.errors == [error]
    assert scene.tell(*forked(3), died(3)) == []
    assert scene.due() == 0.5
    assert scene.after(0.5) == [Spawn(4, 1, 1)]
    assert scene.tell(*up(4)) == [READY]


def test_a_late_worker_of_a_service_that_works_is_killed_and_replaced() -> None:
    """The slot does not wait for the late one to be reaped."""
    scene = booting()
    scene.tell(WorkerReady(1))
    assert scene.after(30.0) == [Kill(2, "KILL"), Spawn(3, 1, 1)]
    assert scene.errors == ["Worker [1002] was not ready within 30 s (timeouts.boot); killing it."]
    assert scene.tell(*exited(2)) == []
    assert scene.errors == []


def test_a_worker_that_hangs_after_its_explanation_is_one_failure() -> None:
    """It is killed when its time is over; the reason was told already."""
    scene = booting()
    scene.tell(WorkerReady(1), BootFailed(2, "No module named 'shop'."))
    assert scene.after(30.0) == [Kill(2, "KILL"), Spawn(3, 1, 1)]
    assert scene.errors == []


def test_a_refused_fork_of_a_service_that_works_is_tried_again() -> None:
    """Like any failure: at once, then with waits."""
    scene = serving()
    assert scene.tell(died(1)) == [Spawn(3, 0, 1)]
    assert scene.tell(SpawnFailed(3, "no memory")) == []
    assert scene.errors == ["Could not start a worker: no memory."]
    assert scene.due() == 0.5
    assert scene.after(0.5) == [Spawn(4, 0, 1)]


def test_a_worker_that_dies_is_replaced_at_once() -> None:
    """The error says who, how, and what happens next."""
    scene = serving()
    assert scene.tell(died(2)) == [Spawn(3, 1, 1)]
    assert scene.errors == ["Worker [1002] died (killed by SIGSEGV); slot 1 gets a new one now."]


def test_a_slot_whose_workers_keep_dying_waits_longer_each_time() -> None:
    """0, 0.5, 1, 2 … seconds up to the cap; the other slot is not disturbed, and the service never ends."""
    scene = serving(policy=replace(POLICY, backoff=Backoff(cap=3.0)))
    newest = 1
    for wait in (0.0, 0.5, 1.0, 2.0, 3.0, 3.0):
        done = scene.tell(died(newest))
        newest = newest + 1 if newest > 1 else 3
        if wait:
            assert done == []
            assert scene.errors[0].endswith(f"slot 0 gets a new one in {wait:.1f} s.")
            assert scene.due() == wait
            assert scene.after(wait - 0.01) == []
            done = scene.after(0.01)
        assert done == [Spawn(newest, 0, 1)]
        assert scene.tell(*up(newest)) == []


@pytest.mark.parametrize(("served", "wait"), [(9.9, 0.5), (10.0, None), (3600.0, None)])
def test_a_worker_that_served_long_enough_ends_the_row_of_failures(served: float, wait: float | None) -> None:
    """After 10 seconds of service a death counts as the first again."""
    scene = serving()
    scene.tell(died(1), *up(3))
    assert scene.after(served, died(3)) == ([] if wait else [Spawn(4, 0, 1)])
    if wait:
        assert scene.due() == wait


def test_chance_makes_the_wait_longer() -> None:
    """The fleet passes its chance on to the backoff."""
    fleet = Fleet(POLICY, chance=lambda: 1.0)
    events = [Started(), *up(1, 2), died(1), *up(3), died(3)]
    for event in events:
        fleet.handle(event, START)
    assert fleet.next_deadline() == START + 0.5 * 1.25


def test_a_worker_that_drains_by_itself_is_replaced_at_once() -> None:
    """Someone sent it SIGTERM: no failure, no wait, and its end is no error."""
    scene = serving()
    assert scene.tell(WorkerDraining(1)) == [Spawn(3, 0, 1)]
    assert scene.lines == [Log(Severity.INFO, "Worker [1001] drains by itself; slot 0 gets a new one.")]
    assert scene.tell(*up(3), *exited(1)) == []
    assert scene.lines == [Log(Severity.INFO, "Worker [1001] ended (exit code 0).")]


def test_a_worker_that_breaks_its_channel_has_to_go() -> None:
    """It is asked by signal, for it would not hear anything else; its slot is filled meanwhile."""
    scene = serving()
    assert scene.tell(ChannelBroken(1, "not a message: b'?'")) == [Kill(1, "TERM"), Spawn(3, 0, 1)]
    assert scene.errors == ["Worker [1001] broke its channel (not a message: b'?'); it has to go."]
    assert scene.tell(ChannelBroken(1, "not a message: b'?'")) == []
    assert scene.after(20.0, TimePassed()) == [Kill(1, "KILL")]


def test_a_slot_whose_workers_keep_breaking_their_channel_waits() -> None:
    """It is a failure like a death."""
    scene = serving()
    assert scene.tell(ChannelBroken(1, "?"), *up(3)) == [Kill(1, "TERM"), Spawn(3, 0, 1)]
    assert scene.tell(ChannelBroken(3, "?")) == [Kill(3, "TERM")]
    assert scene.due() == 0.5


@pytest.mark.parametrize(
    "event",
    [*up(99), BootFailed(99, "?"), WorkerDraining(99), ChannelBroken(99, "?"), *exited(99)],
    ids=lambda event: type(event).__name__,
)
def test_the_last_words_of_a_worker_that_is_gone_are_ignored(event: Event) -> None:
    """Whoever is not known any more cannot change anything."""
    scene = serving()
    assert scene.tell(event) == []
    assert scene.lines == []


@pytest.mark.parametrize("late", [WorkerReady(2), BootFailed(2, "?"), WorkerDraining(2)])
def test_what_a_worker_says_after_it_was_told_to_go_is_ignored(late: Event) -> None:
    """It drains, and may say so; nothing else matters any more."""
    scene = serving()
    scene.tell(FEWER)
    assert scene.tell(late) == []
    assert scene.lines == []


# -- reload ------------------------------------------------------------------------------------------------


def test_a_reload_replaces_one_worker_at_a_time() -> None:
    """A new one boots, is ready, the old one drains; then the next slot. All lines of the log with it."""
    scene = serving()
    handle = scene.fleet.handle
    assert handle(RELOAD, 101.0) == [
        RELOADING,
        Log(Severity.INFO, "Received SIGHUP, reloading: generation 2 is on its way."),
        Spawn(3, 0, 2),
    ]
    assert handle(Forked(3, 1003), 101.0) == []
    assert handle(WorkerReady(3), 102.0) == [Drain(1), Spawn(4, 1, 2)]
    assert handle(Forked(4, 1004), 102.0) == []
    assert handle(WorkerReady(4), 103.0) == [
        Drain(2),
        Log(Severity.INFO, "Reload done: generation 2 runs in 2 workers."),
        RELOADED,
    ]
    assert scene.fleet.generation == 2
    assert handle(WorkerExited(1, "exit code 0"), 104.0) == [
        Log(Severity.INFO, "Worker [1001] ended (exit code 0).")
    ]


def test_workers_that_drain_do_not_hold_up_the_reload() -> None:
    """A slow download costs memory for a while, not the reload."""
    scene = serving(count=3)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 0, 2)]
    assert scene.tell(*up(4)) == [Drain(1), Spawn(5, 1, 2)]
    assert scene.tell(*up(5)) == [Drain(2), Spawn(6, 2, 2)]
    assert scene.tell(*up(6)) == [Drain(3), RELOADED]


def test_a_larger_surge_replaces_as_many_at_a_time() -> None:
    """With a surge of 2 there are always two on their way."""
    scene = serving(count=4, max_surge=2)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(5, 0, 2), Spawn(6, 1, 2)]
    assert scene.tell(*forked(5, 6), WorkerReady(6)) == [Drain(2), Spawn(7, 2, 2)]
    assert scene.tell(*up(7)) == [Drain(3), Spawn(8, 3, 2)]
    assert scene.tell(WorkerReady(5)) == [Drain(1)]
    assert scene.tell(*up(8)) == [Drain(4), RELOADED]


def test_a_surge_larger_than_the_service_replaces_all_at_once() -> None:
    """There is one new worker for each slot, not more."""
    scene = serving(count=2, max_surge=5)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(3, 0, 2), Spawn(4, 1, 2)]
    assert scene.tell(*up(3, 4)) == [Drain(1), Drain(2), RELOADED]


def test_the_new_generation_stays_after_a_reload() -> None:
    """A worker that dies later is replaced by one of the accepted code."""
    scene = serving(count=1)
    scene.tell(RELOAD, *up(2))
    assert scene.tell(died(2)) == [Spawn(3, 0, 2)]


@pytest.mark.parametrize(
    ("seconds", "end", "orders"),
    [
        pytest.param(
            1.0, [BootFailed(3, "No module named 'shop'."), *exited(3)], [Kill(3, "TERM")], id="explained"
        ),
        pytest.param(1.0, [died(3)], [], id="silent"),
        pytest.param(30.0, [TimePassed()], [Kill(3, "KILL")], id="late"),
    ],
)
def test_new_code_that_does_not_come_up_leaves_the_old_workers_alone(
    seconds: float, end: list[Event], orders: list[Action]
) -> None:
    """The failure is announced; a later reload works."""
    scene = serving()
    scene.tell(RELOAD, *forked(3))
    text = "Reload failed: the new code does not run. The old workers go on."
    assert_same_members(scene.after(seconds, *end), [*orders, Announce(Milestone.RELOAD_FAILED, text)])
    assert scene.errors[-1] == text
    assert scene.fleet.generation == 1
    scene.tell(*exited(3))
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 0, 3)]
    assert scene.tell(*up(4)) == [Drain(1), Spawn(5, 1, 3)]
    assert scene.tell(*up(5)) == [Drain(2), RELOADED]


def test_a_refused_fork_ends_a_reload() -> None:
    """The machine has no room for a surge; what serves goes on."""
    scene = serving()
    scene.tell(RELOAD)
    done = scene.tell(SpawnFailed(3, "no memory"))
    assert [type(action) for action in done] == [Announce]
    assert scene.errors[0] == "Could not start a worker: no memory."
    assert scene.errors[1].startswith("Reload failed")


def test_a_failed_reload_says_how_far_it_came() -> None:
    """Workers that already run the new code serve; they stay, and the operator is told."""
    scene = serving(count=3)
    scene.tell(RELOAD, *up(4), *forked(5))
    (announced,) = scene.tell(died(5))
    assert isinstance(announced, Announce)
    assert announced.milestone is Milestone.RELOAD_FAILED
    assert announced.status.endswith(" 1 of 3 workers already run the new code.")


def test_a_failed_reload_ends_its_other_new_workers() -> None:
    """What boots with the new code is not wanted any more; the end of it is no error."""
    scene = serving(count=2, max_surge=2)
    scene.tell(RELOAD, *forked(3, 4))
    text = "Reload failed: the new code does not run. The old workers go on."
    assert_same_members(scene.tell(died(3)), [Kill(4, "TERM"), Announce(Milestone.RELOAD_FAILED, text)])
    assert scene.tell(BootFailed(4, "No module named 'shop'."), *exited(4)) == []
    assert scene.errors == []


def test_a_failed_reload_ends_new_workers_that_were_not_forked_yet() -> None:
    """The kernel refuses one fork and grants the next: the second must not outlive the reload."""
    scene = serving(count=2, max_surge=2)
    scene.tell(RELOAD, SpawnFailed(3, "no memory"))
    assert scene.tell(*forked(4)) == [Kill(4, "TERM")]


@pytest.mark.parametrize("moment", ["booting", "reloading"])
def test_reloads_asked_for_meanwhile_become_exactly_one_more(moment: str) -> None:
    """The code may have changed since the workers in progress read it; once more is enough."""
    scene = booting(count=1) if moment == "booting" else serving(count=1)
    if moment == "reloading":
        scene.tell(RELOAD, *forked(2))
    newest = 1 if moment == "booting" else 2
    assert scene.tell(RELOAD, RELOAD, RELOAD) == []
    assert scene.texts == ["Received SIGHUP, reloading again after this."] * 3
    done = scene.tell(WorkerReady(newest))
    assert done[-2:] == [RELOADING, Spawn(newest + 1, 0, newest + 1)]
    assert scene.tell(*up(newest + 1)) == [Drain(newest), RELOADED]


def test_a_reload_waits_for_one_that_fails_too() -> None:
    """The code may have been mended meanwhile."""
    scene = serving(count=1)
    scene.tell(RELOAD, *forked(2), RELOAD)
    done = scene.tell(died(2))
    assert [type(action) for action in done] == [Announce, Announce, Spawn]
    assert done[1:] == [RELOADING, Spawn(3, 0, 3)]


def test_a_slot_in_backoff_gets_the_new_code_at_once() -> None:
    """New code may be what the slot waits for; only then do the others follow."""
    scene = serving()
    scene.tell(died(1), *up(3), died(3))
    assert scene.due() == 0.5
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 0, 2)]
    assert scene.tell(*up(4)) == [Spawn(5, 1, 2)]
    assert scene.tell(*up(5)) == [Drain(2), RELOADED]


def test_new_code_that_dies_as_soon_as_it_serves_does_not_get_everywhere() -> None:
    """Healthy old workers are not given up for it, one slot after the other."""
    kernel = Kernel(replace(POLICY, count=4))
    kernel.start()
    kernel.rest()
    kernel.happen(RELOAD)
    for _ in range(200):
        kernel.wait(0.1)
        kernel.obey()
        for process in list(kernel.processes.values()):
            if process.generation > 1 and process.serves:
                kernel.end(process, "killed by SIGSEGV")
            elif process.generation > 1 and process.stays:
                kernel.become_ready(process)
    assert sum(process.generation == 1 and process.serves for process in kernel.processes.values()) >= 2


def test_an_old_worker_that_dies_during_a_reload_is_followed_by_new_code() -> None:
    """It is not restarted only to be replaced."""
    scene = serving()
    scene.tell(RELOAD, *forked(3))
    assert scene.tell(died(2)) == [Spawn(4, 1, 2)]
    assert scene.tell(*up(4)) == []
    assert scene.tell(WorkerReady(3)) == [Drain(1), RELOADED]


def test_an_old_worker_that_dies_beside_its_replacement_needs_no_other() -> None:
    """The slot has one that will serve soon."""
    scene = serving()
    scene.tell(RELOAD, *forked(3))
    assert scene.tell(died(1)) == []
    assert scene.tell(WorkerReady(3)) == [Spawn(4, 1, 2)]


def test_a_reload_helps_a_service_that_is_only_half_up() -> None:
    """New code is what a slot that never came up waits for."""
    scene = Scene()
    scene.tell(Started(), *up(1), *forked(2))
    assert scene.tell(RELOAD) == []
    done = scene.tell(BootFailed(2, "no"), *exited(2))
    assert RELOADING in done
    assert any(isinstance(action, Spawn) and action.generation == 2 for action in done)


def test_a_reload_forgets_the_failures_of_the_old_code() -> None:
    """The first death under the new code is the first again."""
    scene = serving()
    scene.tell(died(1), *up(3), died(3), RELOAD, *up(4), *up(5))
    assert scene.tell(died(4)) == [Spawn(6, 0, 2)]


def test_a_failed_reload_leaves_an_old_worker_that_still_boots_alone() -> None:
    """It has nothing to do with the new code."""
    scene = serving()
    scene.tell(died(1), *forked(3), RELOAD, *forked(4))
    assert [type(action) for action in scene.tell(died(4))] == [Announce]
    assert scene.tell(WorkerReady(3)) == []


def test_an_old_worker_that_still_boots_is_replaced_when_it_serves() -> None:
    """Two workers never boot in one slot."""
    scene = serving()
    scene.tell(died(1), *forked(3))
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 1, 2)]
    assert scene.tell(*up(4)) == [Drain(2)]
    assert scene.tell(WorkerReady(3)) == [Spawn(5, 0, 2)]
    assert scene.tell(*up(5)) == [Drain(3), RELOADED]


# -- scaling -----------------------------------------------------------------------------------------------


def test_scaling_up_adds_a_worker() -> None:
    """In the next slot."""
    scene = serving()
    assert scene.tell(MORE) == [Spawn(3, 2, 1)]
    assert scene.texts == ["Received SIGTTIN, scaling to 3 workers."]
    assert scene.tell(*up(3)) == []


def test_scaling_down_drains_the_worker_of_the_last_slot() -> None:
    """Others take over its listeners, so it need not empty their queue."""
    scene = serving()
    assert scene.tell(FEWER) == [Drain(2, last=False)]
    assert scene.texts == ["Received SIGTTOU, scaling to 1 worker."]
    assert scene.tell(*exited(2)) == []


def test_the_last_worker_cannot_be_scaled_away() -> None:
    """The floor is one."""
    scene = serving(count=1)
    assert scene.tell(FEWER, ScaleAsked("SIGTTOU", -10)) == []
    assert scene.fleet.target == 1


def test_scaling_down_ends_a_worker_that_boots() -> None:
    """It has nothing to lose; if it does not end in time it is killed, and its end is no error."""
    scene = serving()
    scene.tell(MORE, *forked(3))
    assert scene.tell(FEWER) == [Kill(3, "TERM")]
    assert scene.after(4.9) == []
    assert scene.after(0.1) == [Kill(3, "KILL")]
    assert scene.tell(*exited(3)) == []
    assert scene.errors == []


def test_scaling_back_up_does_not_wait_for_the_one_that_drains() -> None:
    """What was told to go goes; the slot gets a new worker."""
    scene = serving()
    scene.tell(FEWER)
    assert scene.tell(MORE) == [Spawn(3, 1, 1)]


def test_a_slot_scaled_away_has_no_deadline() -> None:
    """Its wait after failures is nobody's business any more."""
    scene = serving()
    scene.tell(died(2), *up(3), died(3))
    assert scene.due() == 0.5
    assert scene.tell(FEWER) == []
    assert scene.due() is None


def test_scaling_down_during_the_first_boot_can_make_the_service_ready() -> None:
    """The slot that was waited for is not wanted any more."""
    scene = booting()
    scene.tell(WorkerReady(1))
    assert scene.tell(FEWER) == [Kill(2, "TERM"), READY]


def test_scaling_up_during_a_reload_brings_the_new_code() -> None:
    """The reload is done when the added slot is served, too."""
    scene = serving(count=1)
    scene.tell(RELOAD, *forked(2))
    assert scene.tell(MORE) == [Spawn(3, 1, 2)]
    assert scene.tell(WorkerReady(2)) == [Drain(1)]
    assert scene.tell(*up(3)) == [RELOADED]


def test_scaling_down_during_a_reload_ends_old_and_new_of_the_slot() -> None:
    """The old one drains, the new one is ended; with that the reload can be done."""
    scene = serving()
    scene.tell(RELOAD, *up(3), *forked(4))
    assert scene.tell(FEWER) == [Drain(2), Kill(4, "TERM"), RELOADED]
    assert scene.tell(*exited(4, 2, 1)) == []


# -- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [TERM, INT])
def test_a_stop_drains_all_workers(stop: StopAsked) -> None:
    """They take what the kernel has queued, for nobody comes after them; then the master exits with 0."""
    scene = serving()
    assert scene.tell(stop) == [*STOPPING, Drain(1, last=True), Drain(2, last=True)]
    assert scene.texts == [f"Received {stop.by}, stopping."]
    assert scene.tell(WorkerDraining(1), *exited(1)) == []
    assert scene.tell(*exited(2)) == [Exit(ExitCode.OK)]


def test_a_stop_during_the_first_boot_ends_what_boots() -> None:
    """Ready ones drain, booting ones are signalled, and being asked to stop is no failure."""
    scene = booting()
    scene.tell(WorkerReady(2))
    assert scene.tell(TERM) == [*STOPPING, Kill(1, "TERM"), Drain(2, last=True)]
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]
    assert scene.errors == []


def test_a_stop_without_any_worker_is_the_end() -> None:
    """All slots wait after failures."""
    scene = serving(count=1)
    scene.tell(died(1), *up(2), died(2))
    assert scene.tell(TERM) == [*STOPPING, Exit(ExitCode.OK)]


RELOAD_STEPS: list[tuple[str, list[Event], list[Action]]] = [
    ("asked", [RELOAD, *forked(3)], [Drain(1, last=True), Drain(2, last=True), Kill(3, "TERM")]),
    (
        "first is ready",
        [RELOAD, *up(3), *forked(4)],
        [Drain(2, last=True), Drain(3, last=True), Kill(4, "TERM")],
    ),
    (
        "first is replaced",
        [RELOAD, *up(3), *exited(1), *forked(4)],
        [Drain(2, last=True), Drain(3, last=True), Kill(4, "TERM")],
    ),
    (
        "one more waits",
        [RELOAD, *up(3), *forked(4), RELOAD],
        [Drain(2, last=True), Drain(3, last=True), Kill(4, "TERM")],
    ),
    ("all are ready", [RELOAD, *up(3), *up(4)], [Drain(3, last=True), Drain(4, last=True)]),
    (
        "failed",
        [RELOAD, *up(3), *forked(4), died(4)],
        [Drain(2, last=True), Drain(3, last=True)],
    ),
    (
        "an old one died",
        [RELOAD, *forked(3), died(2), *forked(4)],
        [Drain(1, last=True), Kill(3, "TERM"), Kill(4, "TERM")],
    ),
]


@pytest.mark.parametrize(
    ("before", "orders"), [step[1:] for step in RELOAD_STEPS], ids=[step[0] for step in RELOAD_STEPS]
)
def test_a_stop_is_obeyed_at_every_step_of_a_reload(before: list[Event], orders: list[Action]) -> None:
    """A reload is a state, not a procedure that has to run to its end."""
    scene = serving()
    scene.tell(*before)
    assert scene.tell(TERM) == [*STOPPING, *orders]
    done = scene.tell(*exited(*(worker.number for worker in scene.fleet.roster)))
    assert done == [Exit(ExitCode.OK)]


@pytest.mark.parametrize(
    ("apart", "orders"), [(0.0, []), (0.1, []), (0.11, [Kill(1, "KILL"), Kill(2, "KILL")])]
)
def test_a_second_stop_kills_unless_it_is_an_echo(apart: float, orders: list[Action]) -> None:
    """Launchers pass on what the terminal already sent to the whole group; people are slower."""
    scene = serving()
    scene.now = 0.0  # so that the sum below is exact
    scene.tell(TERM)
    assert scene.after(apart, INT) == orders
    if orders:
        assert scene.lines == [Log(Severity.WARNING, "Received SIGINT, ending 2 workers at once.")]
        assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_an_echo_does_not_extend_its_window() -> None:
    """The window is counted from the first request."""
    scene = serving(count=1)
    scene.tell(TERM)
    assert scene.after(0.08, TERM) == []
    assert scene.after(0.08, TERM) == [Kill(1, "KILL")]


def test_quit_kills_at_once() -> None:
    """Running requests are not waited for, and nobody is asked to drain."""
    scene = serving()
    assert scene.tell(QUIT) == [*STOPPING, Kill(1, "KILL"), Kill(2, "KILL")]
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_quit_hurries_a_stop_within_the_echo() -> None:
    """It is no echo of another signal, and kills again whom it already killed."""
    scene = serving(count=1)
    scene.tell(TERM)
    assert scene.tell(QUIT) == [Kill(1, "KILL")]
    assert scene.tell(QUIT) == [Kill(1, "KILL")]


def test_a_stop_hurries_the_end_of_a_first_boot_that_failed() -> None:
    """The service is already stopping; the exit code stays that of the failure."""
    scene = booting()
    scene.tell(died(1))
    assert scene.tell(TERM) == [Kill(2, "KILL")]
    assert scene.tell(*exited(2)) == [Exit(ExitCode.NEVER_UP)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(RELOAD, "Received SIGHUP, but already stopping.", id="reload"),
        pytest.param(MORE, None, id="scale up"),
        pytest.param(FEWER, None, id="scale down"),
        pytest.param(WorkerDraining(1), None, id="the word of a drain"),
        pytest.param(WorkerReady(2), None, id="ready too late"),
        pytest.param(BootFailed(2, "?"), None, id="failed too late"),
        pytest.param(TimePassed(), None, id="time"),
    ],
)
def test_nothing_turns_a_stop_back(event: Event, line: str | None) -> None:
    """What is asked or said meanwhile changes nothing."""
    scene = booting()
    scene.tell(WorkerReady(1), TERM)
    assert scene.tell(event) == []
    assert scene.texts == ([line] if line else [])
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_a_worker_that_dies_during_a_stop_is_not_replaced() -> None:
    """Nor is its death an error."""
    scene = serving()
    scene.tell(TERM)
    assert scene.tell(died(1)) == []
    assert scene.lines == []


def test_a_worker_forked_while_the_stop_came_is_ended_as_soon_as_it_exists() -> None:
    """It cannot be signalled before."""
    scene = serving(count=1)
    scene.tell(MORE)
    assert scene.tell(TERM) == [*STOPPING, Drain(1, last=True)]
    assert scene.tell(*forked(2)) == [Kill(2, "TERM")]


@pytest.mark.parametrize(
    "event",
    [
        TERM,
        QUIT,
        RELOAD,
        MORE,
        Started(),
        TimePassed(),
        *exited(1),
    ],
    ids=repr,
)
def test_after_the_end_there_is_nothing(event: Event) -> None:
    """Exit is said once; whoever still asks gets no answer."""
    scene = serving(count=1)
    scene.tell(TERM, *exited(1))
    assert scene.fleet.phase is Phase.ENDED
    assert scene.tell(event) == []
    assert scene.lines == []


# -- deadlines ---------------------------------------------------------------------------------------------


def test_a_worker_that_does_not_finish_its_drain_is_killed() -> None:
    """With a warning that names the limit."""
    scene = serving()
    scene.tell(FEWER)
    assert scene.due() == 20.0
    assert scene.after(19.9) == []
    assert scene.after(0.1) == [Kill(2, "KILL")]
    assert scene.lines == [Log(Severity.WARNING, "Worker [1002] did not end within 20 s; killing it.")]
    assert scene.due() is None


def test_a_stop_kills_what_ignores_it_and_ends() -> None:
    """Those who boot have the time of `term`, those who serve the time of `drain`."""
    scene = booting()
    scene.tell(WorkerReady(1), TERM)
    assert scene.due() == 5.0
    assert scene.after(5.0) == [Kill(2, "KILL")]
    assert scene.due() == 15.0
    assert scene.after(15.0) == [Kill(1, "KILL")]
    assert scene.due() is None
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_a_stop_leaves_a_drain_the_deadline_it_had() -> None:
    """Being asked twice gives nobody more time."""
    scene = serving()
    scene.tell(FEWER)
    assert scene.after(15.0, TERM) == [*STOPPING, Drain(1, last=True)]
    assert scene.due() == 5.0
    assert scene.after(5.0) == [Kill(2, "KILL")]
    assert scene.due() == 15.0


@pytest.mark.parametrize(
    ("scene", "due"),
    [
        pytest.param(Scene(), None, id="nothing began"),
        pytest.param(booting(), 30.0, id="boot"),
        pytest.param(serving(), None, id="all serve"),
    ],
)
def test_the_next_deadline(scene: Scene, due: float | None) -> None:
    """Only what takes time has one."""
    assert scene.due() == due


def test_the_next_deadline_is_the_earliest() -> None:
    """Of a drain, a boot, and a slot that waits."""
    scene = serving(count=3)
    scene.tell(FEWER)
    assert scene.due() == 20.0
    scene.after(1.0, RELOAD, *forked(4))
    assert scene.due() == 19.0
    scene.tell(died(2), *up(5), died(5))
    assert scene.due() == 0.5


def test_what_happens_at_its_deadline_happened_in_time() -> None:
    """The event is taken in first."""
    scene = booting(count=1)
    assert scene.after(30.0, WorkerReady(1)) == [READY]


def test_the_fleet_shows_its_state() -> None:
    """In a debugger and in failing tests."""
    scene = Scene()
    assert repr(scene.fleet) == "<Fleet booting no workers>"
    scene = serving()
    scene.tell(RELOAD, *forked(3))
    assert repr(scene.fleet) == "<Fleet running 0:ready/g1 1:ready/g1 0:booting/g2>"
