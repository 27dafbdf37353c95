"""Every decision of the master as a plain call: boot, deaths, scaling, the end. Without molds and looks.

Those, and reloads, have files of their own beside this one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

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
    Record,
    Severity,
    Spawn,
    Upgrade,
)
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Event,
    MoldExited,
    MoldForked,
    Probed,
    ScaleAsked,
    SpawnFailed,
    Started,
    StopAsked,
    TimePassed,
    UpgradeAsked,
    Upgraded,
    UpgradeRefused,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.fleet import Fleet, Phase
from tests.support.scene import (
    FEWER,
    INT,
    MORE,
    POLICY,
    QUIT,
    READY,
    RELOAD,
    RELOADED,
    RELOADING,
    START,
    STOPPING,
    TERM,
    Scene,
    booting,
    died,
    exited,
    forked,
    serving,
    up,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def assert_same_members(actions: list[Action], expected: list[Action]) -> None:
    """Compare without order, where it says nothing."""
    assert sorted(map(repr, actions)) == sorted(map(repr, expected))


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


def test_a_worker_explains_itself_once() -> None:
    """Whoever repeats it does not make it worse, nor the log longer."""
    scene = booting()
    scene.tell(WorkerReady(1), BootFailed(2, "no"))
    assert scene.tell(BootFailed(2, "no"), BootFailed(2, "no")) == []
    assert scene.lines == []
    assert scene.tell(*exited(2)) == [Spawn(3, 1, 1)]


def test_a_traceback_is_not_repeated_all_night() -> None:
    """The slot fails on, its message is enough."""
    scene = booting()
    scene.tell(WorkerReady(1), BootFailed(2, "no", "Traceback ..."), *exited(2), *forked(3))
    scene.tell(BootFailed(3, "no", "Traceback ..."))
    assert scene.lines == [Log(Severity.ERROR, "no (as before)")]
    scene.tell(*exited(3))
    scene.after(0.5)
    scene.tell(*forked(4), BootFailed(4, "not even that", "Traceback ..."))
    assert scene.lines == [Log(Severity.ERROR, "not even that", "Traceback ...")]


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
    assert scene.lines == []


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
    [
        *up(99),
        BootFailed(99, "?"),
        WorkerDraining(99),
        ChannelBroken(99, "?"),
        Probed(99, 1, 200),
        *exited(99),
    ],
    ids=lambda event: type(event).__name__,
)
def test_the_last_words_of_a_worker_that_is_gone_are_ignored(event: Event) -> None:
    """Whoever is not known any more cannot change anything."""
    scene = serving()
    assert scene.tell(event) == []
    assert scene.lines == []


@pytest.mark.parametrize("late", [WorkerReady(2), BootFailed(2, "?"), WorkerDraining(2), Probed(2, 1, 500)])
def test_what_a_worker_says_after_it_was_told_to_go_is_ignored(late: Event) -> None:
    """It drains, and may say so; nothing else matters any more."""
    scene = serving()
    scene.tell(FEWER)
    assert scene.tell(late) == []
    assert scene.lines == []


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
    assert scene.fleet.state.target == 1


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


def test_scaling_up_during_a_reload_does_not_wait_for_it() -> None:
    """While the new code is on trial the added slot gets the old; then it is replaced like the others."""
    scene = serving(count=1)
    scene.tell(RELOAD, *forked(2))
    assert scene.tell(MORE) == [Spawn(3, 1, 1)]
    assert scene.tell(WorkerReady(2)) == [Drain(1)]
    assert scene.tell(*up(3)) == [Spawn(4, 1, 2)]
    assert scene.tell(*up(4)) == [Drain(3), RELOADED]


def test_scaling_up_while_the_new_code_spreads_brings_it() -> None:
    """The reload is done when the added slot is served, too."""
    scene = serving(count=2)
    scene.tell(RELOAD, *up(3), *forked(4))
    assert scene.tell(MORE) == [Spawn(5, 2, 2)]
    assert scene.tell(WorkerReady(4)) == [Drain(2)]
    assert scene.tell(*up(5)) == [RELOADED]


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
    done = scene.tell(*exited(*(worker.number for worker in scene.fleet.state.roster)))
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
    assert scene.fleet.state.phase is Phase.ENDED
    assert scene.tell(event) == []
    assert scene.lines == []


def test_the_last_line_counts_requests() -> None:
    """Those of all workers that ever were, the dead among them."""
    scene = serving()
    scene.tell(WorkerExited(1, "killed by SIGSEGV", served=40, cut=3), *up(3), TERM)
    scene.tell(WorkerExited(2, "exit code 0", served=2), WorkerExited(3, "exit code 0", served=0, cut=1))
    assert scene.lines == [Log(Severity.INFO, "Stopped: served 42, cut 4.")]


def test_a_service_that_never_served_counts_nothing() -> None:
    """Its last line says why."""
    scene = booting(count=1)
    scene.tell(BootFailed(1, "No module named 'shop'."), *exited(1))
    assert scene.texts == ["No module named 'shop'."]


# -- an end that is announced ------------------------------------------------------------------------------

DELAYED = replace(POLICY, drain_delay=10.0)


def test_with_a_delay_the_workers_serve_on_until_load_balancers_know() -> None:
    """The stop is announced at once; listeners are closed and workers drained when the delay is over."""
    scene = serving(policy=DELAYED)
    assert scene.tell(TERM) == [Announce(Milestone.STOPPING)]
    assert scene.texts == ["Received SIGTERM, stopping; accepting for 10 s (timeouts.drain_delay)."]
    assert scene.due() == 10.0
    assert scene.after(9.9) == []
    assert scene.after(0.1) == [CloseListeners(), Drain(1, last=True), Drain(2, last=True)]
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_a_worker_that_dies_in_the_delay_is_replaced() -> None:
    """Clients still come."""
    scene = serving(policy=DELAYED)
    scene.tell(TERM)
    assert scene.tell(died(1)) == [Spawn(3, 0, 1)]
    assert scene.tell(*up(3)) == []


def test_a_second_stop_ends_the_delay() -> None:
    """And everything else, as ever."""
    scene = serving(policy=DELAYED)
    scene.tell(TERM)
    assert scene.after(0.05, TERM) == []
    assert scene.after(1.0, TERM) == [CloseListeners(), Kill(1, "KILL"), Kill(2, "KILL")]
    assert scene.tell(*exited(1, 2)) == [Exit(ExitCode.OK)]


def test_quit_knows_no_delay() -> None:
    """It never waits."""
    assert serving(policy=DELAYED).tell(QUIT) == [*STOPPING, Kill(1, "KILL"), Kill(2, "KILL")]


def test_a_service_that_never_served_has_no_delay() -> None:
    """No load balancer knows it; and what boots may fail without that being the reason of the end."""
    scene = booting(policy=DELAYED)
    assert scene.tell(TERM) == [*STOPPING, Kill(1, "TERM"), Kill(2, "TERM")]
    assert scene.tell(died(1), died(2)) == [Exit(ExitCode.OK)]


@pytest.mark.parametrize("event", [RELOAD, MORE, FEWER, TimePassed()])
def test_nothing_turns_an_announced_stop_back(event: Event) -> None:
    """What is asked meanwhile changes nothing."""
    scene = serving(policy=DELAYED)
    scene.tell(TERM)
    assert scene.tell(event) == []
    assert scene.after(10.0)[0] == CloseListeners()


@pytest.mark.parametrize(
    "before",
    [[RELOAD], [RELOAD, *forked(3)], [RELOAD, *up(3), *forked(4)]],
    ids=["asked", "forked", "rolling"],
)
def test_an_announced_stop_gives_a_reload_up(before: list[Event]) -> None:
    """Workers of the new code that serve do so until the end; the others go at once."""
    scene = serving(policy=DELAYED)
    scene.tell(*before)
    numbers = {worker.number for worker in scene.fleet.state.roster if worker.state.value == "booting"}
    assert scene.tell(TERM) == [Announce(Milestone.STOPPING), *(Kill(number, "TERM") for number in numbers)]
    assert [slot for slot, _ in scene.serving] == [0, 1]
    scene.after(10.0)
    assert scene.end_all() == [Exit(ExitCode.OK)]


# -- the ledger --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "end", "state", "asked_by"),
    [
        pytest.param([*forked(1)], died(1), "booting", "", id="boot"),
        pytest.param([*up(1)], died(1), "ready", "", id="service"),
        pytest.param([*up(1), TERM], *exited(1), "draining", "stop", id="stop"),
        pytest.param([*up(1), QUIT], died(1), "dying", "SIGQUIT, at once", id="quit"),
        pytest.param(
            [*up(1), WorkerDraining(1)], *exited(1), "draining", "itself, or a signal", id="of its own accord"
        ),
        pytest.param(
            [*up(1), ChannelBroken(1, "?")], *exited(1), "draining", "it broke its channel (?)", id="channel"
        ),
        pytest.param([*up(1), RELOAD, *up(2)], *exited(1), "draining", "reload", id="reload"),
    ],
)
def test_each_death_of_a_process_is_recorded(
    before: list[Event], end: Event, state: str, asked_by: str
) -> None:
    """With where it was in its life, and who wanted it to end."""
    scene = Scene(count=1)
    scene.tell(Started(), *before)
    scene.after(7.0, end)
    assert isinstance(end, WorkerExited)
    assert scene.all(Record) == [Record(1, 1001, 0, 1, state, end.cause, asked_by, uptime=7.0)]


def test_a_scaled_away_worker_that_has_to_be_killed_has_both_reasons() -> None:
    """The ledger is to say how it came to that."""
    scene = serving()
    scene.tell(FEWER)
    scene.after(20.0)
    scene.tell(*exited(2))
    (record,) = scene.all(Record)
    assert record.asked_by == "scaled down; it did not end within 20 s"


def test_a_late_boot_is_recorded() -> None:
    """Whoever kills is named."""
    scene = booting(count=1)
    scene.after(30.0)
    scene.tell(*exited(1))
    assert [record.asked_by for record in scene.all(Record)] == [
        "boot: not ready within 30 s (timeouts.boot)"
    ]


def test_a_boot_that_had_to_be_killed_was_asked_before() -> None:
    """Who asked first is named."""
    scene = booting(count=1)
    scene.tell(TERM)
    assert scene.after(5.0) == [Kill(1, "KILL")]
    scene.tell(*exited(1))
    assert [record.asked_by for record in scene.all(Record)] == ["stop"]


def test_a_worker_that_was_never_forked_is_no_death() -> None:
    """There was no process."""
    scene = Scene(count=1)
    scene.tell(Started(), SpawnFailed(1, "no memory"))
    assert scene.all(Record) == []


# -- clients of the control socket -------------------------------------------------------------------------


def test_a_stop_is_answered_at_once() -> None:
    """The end itself is the end of the control socket."""
    scene = serving()
    scene.tell(StopAsked("client", client=7), StopAsked("client", client=8))
    assert {client: reply.message for client, reply in scene.replies.items()} == dict.fromkeys(
        (7, 8), "Stopping."
    )
    assert all(reply.is_ok for reply in scene.replies.values())


def test_an_upgrade_is_tried_and_its_failure_told() -> None:
    """Whoever comes meanwhile is sent away; afterwards it can be tried again."""
    scene = serving()
    assert scene.tell(UpgradeAsked("client", client=7)) == [Upgrade()]
    assert scene.tell(UpgradeAsked("client", client=8)) == []
    assert not scene.replies[8].is_ok
    assert scene.tell(UpgradeRefused("it has no such setting")) == []
    assert scene.errors == ["Upgrade failed: it has no such setting. This srvctl goes on."]
    assert not scene.replies[7].is_ok
    assert scene.tell(UpgradeAsked("SIGUSR2")) == [Upgrade()]
    assert scene.tell(UpgradeRefused("?")) == []
    assert scene.replies == {}


@pytest.mark.parametrize(
    ("make", "before"),
    [
        pytest.param(booting, [], id="while it starts"),
        pytest.param(serving, [RELOAD], id="in a reload"),
        pytest.param(serving, [TERM], id="while it stops"),
    ],
)
def test_an_upgrade_needs_a_service_at_rest(make: Callable[[], Scene], before: list[Event]) -> None:
    """What is handed over must not be in motion."""
    scene = make()
    scene.tell(*before)
    assert scene.tell(UpgradeAsked("client", client=7)) == []
    assert not scene.replies[7].is_ok


def test_a_reload_waits_for_the_end_of_an_upgrade() -> None:
    """What is handed over is at rest; whoever takes over begins it."""
    scene = serving()
    scene.tell(UpgradeAsked("client", client=7))
    assert scene.tell(RELOAD) == []
    assert scene.texts == ["Received SIGHUP, reloading again after this."]
    assert scene.tell(UpgradeRefused("?"))[0] == RELOADING


def test_another_master_goes_on_where_this_one_was() -> None:
    """With its workers, its waits, its requests, and with whoever is to be told about it."""
    scene = serving(policy=replace(POLICY, preload=True))
    scene.tell(WorkerExited(1, "killed by SIGSEGV", served=5), *up(3), WorkerExited(3, "?", served=3))
    scene.tell(UpgradeAsked("client", client=7), RELOAD)
    assert scene.fleet.is_upgrading
    due = scene.due()
    values = json.loads(json.dumps(scene.fleet.export()))
    scene.fleet = Fleet.restore(values, scene.policy, chance=lambda: 0.0)
    assert scene.due() == due == 0.5
    assert scene.serving == [(1, 1)]
    assert scene.tell(Upgraded("0.1.0", "0.2.0", ("a note",)))[0] == RELOADING
    assert scene.texts[:2] == ["a note", "Upgraded from 0.1.0 to 0.2.0; 1 worker lives on."]
    assert (scene.replies[7].is_ok, scene.replies[7].details) == (True, "a note")
    scene.tell(TERM)
    scene.tell(MoldForked(2, 2002), MoldExited(2, "?"), MoldExited(1, "?"), *exited(2))
    assert scene.texts == ["Stopped: served 8, cut 0."]


def test_an_upgrade_is_not_carried_out_once_a_stop_was_asked_for() -> None:
    """The end comes first."""
    scene = serving()
    scene.tell(UpgradeAsked("SIGUSR2"))
    assert scene.fleet.is_upgrading
    scene.tell(TERM)
    assert not scene.fleet.is_upgrading


def test_a_stop_answers_who_waits_for_an_upgrade() -> None:
    """Once: a refusal that comes later has nobody to be told to."""
    scene = serving()
    scene.tell(UpgradeAsked("client", client=7))
    scene.tell(TERM, UpgradeRefused("?"))
    assert list(scene.replies) == [7]


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
    assert repr(scene.fleet) == "<Fleet running canary g2 0:ready/g1 1:ready/g1 0:booting/g2>"
