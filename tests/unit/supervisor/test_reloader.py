"""Reloads: what is done when, and what becomes of one that fails, at each of its stages and in each way.

Most scenes do without molds, a bake and a probe, which have scenes of their own at the end.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import (
    Action,
    Announce,
    Commit,
    Discard,
    Drain,
    EndMold,
    Exit,
    Kill,
    Log,
    MakeMold,
    Milestone,
    Probe,
    Progress,
    ReadSettings,
    Record,
    Severity,
    Spawn,
)
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Event,
    Forked,
    MoldExited,
    MoldFailed,
    MoldReady,
    MoldRefused,
    Probed,
    ReloadAsked,
    SettingsRead,
    SettingsRefused,
    SpawnFailed,
    Started,
    TimePassed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.policy import FleetPolicy, HealthPolicy
from tests.support.kernel import Kernel
from tests.support.scene import (
    FEWER,
    MORE,
    POLICY,
    RELOAD,
    RELOADED,
    RELOADING,
    STOPPING,
    TERM,
    Scene,
    booting,
    died,
    exited,
    forked,
    mold_forked,
    molded,
    serving,
    up,
)


def assert_same_members(actions: list[Action], expected: list[Action]) -> None:
    """Compare without order, where it says nothing."""
    assert sorted(map(repr, actions)) == sorted(map(repr, expected))


def failure(scene: Scene) -> str:
    """What the outside is told about a reload that failed, in the last `tell`."""
    (announced,) = [a for a in scene.all(Announce) if a.milestone is Milestone.RELOAD_FAILED]
    return announced.status


# -- what is done when --------------------------------------------------------------------------------------


def test_a_reload_replaces_one_worker_at_a_time() -> None:
    """A new one boots, is ready, the old one drains; then the next slot. All lines of the log with it."""
    scene = serving()
    handle = scene.fleet.handle
    assert handle(RELOAD, 101.0) == [
        RELOADING,
        Log(Severity.INFO, "Received SIGHUP, reloading: generation 2 is on its way."),
        ReadSettings(2),
    ]
    assert handle(SettingsRead(2, scene.policy), 101.0) == [Spawn(3, 0, 2)]
    assert handle(Forked(3, 1003), 101.0) == []
    assert handle(WorkerReady(3), 102.0) == [Drain(1), Spawn(4, 1, 2)]
    assert handle(Forked(4, 1004), 102.0) == []
    assert handle(WorkerReady(4), 103.0) == [
        Drain(2),
        Commit(2),
        Log(Severity.INFO, "Reload done: generation 2 runs in 2 workers."),
        RELOADED,
    ]
    assert scene.fleet.state.generation == 2
    assert handle(WorkerExited(1, "exit code 0"), 104.0) == [
        Record(1, 1001, 0, 1, "draining", "exit code 0", "reload", uptime=4.0),
    ]


def test_workers_that_drain_do_not_hold_up_the_reload() -> None:
    """A slow download costs memory for a while, not the reload."""
    scene = serving(count=3)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 0, 2)]
    assert scene.tell(*up(4)) == [Drain(1), Spawn(5, 1, 2)]
    assert scene.tell(*up(5)) == [Drain(2), Spawn(6, 2, 2)]
    assert scene.tell(*up(6)) == [Drain(3), RELOADED]


def test_a_larger_surge_replaces_as_many_at_a_time() -> None:
    """With a surge of 2 there are always two on their way, once the first worker is well."""
    scene = serving(count=5, max_surge=2)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(6, 0, 2)]
    assert scene.tell(*up(6)) == [Drain(1), Spawn(7, 1, 2), Spawn(8, 2, 2)]
    assert scene.tell(*forked(7, 8), WorkerReady(8)) == [Drain(3), Spawn(9, 3, 2)]
    assert scene.tell(*up(9)) == [Drain(4), Spawn(10, 4, 2)]
    assert scene.tell(WorkerReady(7)) == [Drain(2)]
    assert scene.tell(*up(10)) == [Drain(5), RELOADED]


def test_a_surge_larger_than_the_service_replaces_all_at_once() -> None:
    """All that the first has left: there is one new worker for each slot, not more."""
    scene = serving(count=3, max_surge=5)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 0, 2)]
    assert scene.tell(*up(4)) == [Drain(1), Spawn(5, 1, 2), Spawn(6, 2, 2)]
    assert scene.tell(*up(5, 6)) == [Drain(2), Drain(3), RELOADED]


def test_the_new_generation_stays_after_a_reload() -> None:
    """A worker that dies later is replaced by one of the accepted code."""
    scene = serving(count=1)
    scene.tell(RELOAD, *up(2))
    assert scene.tell(died(2)) == [Spawn(3, 0, 2)]


@pytest.mark.parametrize(
    ("seconds", "end", "orders", "why"),
    [
        pytest.param(
            1.0,
            [BootFailed(3, "No module named 'shop'."), *exited(3)],
            [Kill(3, "TERM")],
            "No module named 'shop'",
            id="explained",
        ),
        pytest.param(
            1.0, [died(3)], [], "a new worker ended before it was ready: killed by SIGSEGV", id="silent"
        ),
        pytest.param(
            1.0,
            [ChannelBroken(3, "?"), *exited(3)],
            [Kill(3, "TERM")],
            "a new worker broke its channel",
            id="channel",
        ),
        pytest.param(
            30.0,
            [TimePassed()],
            [Kill(3, "KILL")],
            "a new worker was not ready within 30 s (timeouts.boot)",
            id="late",
        ),
    ],
)
def test_new_code_that_does_not_come_up_leaves_the_old_workers_alone(
    seconds: float, end: list[Event], orders: list[Action], why: str
) -> None:
    """The failure is announced with its reason; a later reload works."""
    scene = serving()
    scene.tell(RELOAD, *forked(3))
    text = f"Reload failed: {why}. The old workers go on."
    assert_same_members(scene.after(seconds, *end), [*orders, Announce(Milestone.RELOAD_FAILED, text)])
    assert scene.errors[-1] == text
    assert scene.all(Discard) == [Discard(2)]
    assert scene.fleet.state.generation == 1
    scene.tell(*exited(3))
    assert scene.tell(RELOAD) == [RELOADING, Spawn(4, 0, 3)]
    assert scene.tell(*up(4)) == [Drain(1), Spawn(5, 1, 3)]
    assert scene.tell(*up(5)) == [Drain(2), RELOADED]


def test_the_traceback_of_new_code_is_shown_once() -> None:
    """Under the line that says that the reload failed."""
    scene = serving()
    scene.tell(RELOAD, *forked(3), BootFailed(3, "No module named 'shop'.", "Traceback ..."))
    assert [line.details for line in scene.lines if line.details] == ["Traceback ..."]


def test_a_refused_fork_ends_a_reload() -> None:
    """The machine has no room for a surge; what serves goes on."""
    scene = serving()
    scene.tell(RELOAD)
    done = scene.tell(SpawnFailed(3, "no memory"))
    assert [type(action) for action in done] == [Announce]
    assert scene.errors[0] == "Could not start a worker: no memory."
    assert scene.errors[1].startswith("Reload failed")


def test_a_failed_reload_says_how_far_it_came() -> None:
    """Without a mold the old code cannot be had any more: new workers stay, and the operator is told."""
    scene = serving(count=3)
    scene.tell(RELOAD, *up(4), *forked(5))
    (announced,) = scene.tell(died(5))
    assert isinstance(announced, Announce)
    assert announced.milestone is Milestone.RELOAD_FAILED
    assert announced.status.endswith(" 1 of 3 workers already run the new code.")
    assert scene.serving == [(0, 2), (1, 1), (2, 1)]
    scene.tell(*exited(1))
    assert scene.due() is None


def test_workers_of_a_failed_reload_that_stay_are_followed_by_the_accepted_code() -> None:
    """They may serve; nobody new gets what failed."""
    scene = serving(count=3)
    scene.tell(RELOAD, *up(4), *forked(5), died(5))
    assert scene.tell(died(4)) == [Spawn(6, 0, 1)]


def test_a_reload_that_works_replaces_what_a_failed_one_left() -> None:
    """Wherever they come from, all are of one generation then."""
    scene = serving()
    scene.tell(RELOAD, *up(3), *forked(4), died(4))
    assert scene.serving == [(0, 2), (1, 1)]
    scene.tell(RELOAD, *up(5), *up(6))
    assert scene.serving == [(0, 3), (1, 3)]


def test_a_failed_reload_ends_its_other_new_workers() -> None:
    """What boots with the new code is not wanted any more; the end of it is no error."""
    scene = serving(count=3, max_surge=2)
    scene.tell(RELOAD, *up(4), *forked(5, 6))
    done = scene.tell(died(5))
    assert_same_members(done, [Kill(6, "TERM"), Announce(Milestone.RELOAD_FAILED, failure(scene))])
    assert scene.tell(BootFailed(6, "No module named 'shop'."), *exited(6)) == []
    assert scene.errors == []


def test_a_failed_reload_ends_new_workers_that_were_not_forked_yet() -> None:
    """The kernel refuses one fork and grants the next: the second must not outlive the reload."""
    scene = serving(count=3, max_surge=2)
    scene.tell(RELOAD, *up(4), SpawnFailed(5, "no memory"))
    assert scene.tell(*forked(6)) == [Kill(6, "TERM")]


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


def test_an_old_worker_that_dies_while_new_code_is_tried_is_followed_by_the_old() -> None:
    """One slot is enough for what nobody has seen serve; then all get it."""
    scene = serving()
    scene.tell(RELOAD, *forked(3))
    assert scene.tell(died(2)) == [Spawn(4, 1, 1)]
    assert scene.tell(*up(4)) == []
    assert scene.tell(WorkerReady(3)) == [Drain(1), Spawn(5, 1, 2)]


def test_an_old_worker_that_dies_while_new_code_spreads_is_followed_by_it() -> None:
    """It is not restarted only to be replaced."""
    scene = serving(count=3)
    scene.tell(RELOAD, *up(4), *forked(5))
    assert scene.tell(died(3)) == [Spawn(6, 2, 2)]
    scene.tell(*up(6))
    assert scene.tell(WorkerReady(5)) == [Drain(2), RELOADED]


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


# -- the settings ------------------------------------------------------------------------------------------


def reading_settings() -> Scene:
    """A reload has begun; its settings are not read yet, and two clients wait."""
    scene = serving()
    scene.settings = None
    assert scene.tell(ReloadAsked("client", client=7)) == [RELOADING]
    assert scene.all(ReadSettings) == [ReadSettings(2)]
    return scene


def test_settings_that_are_refused_end_the_reload() -> None:
    """The client is told what is wrong, with all of its lines."""
    scene = reading_settings()
    text = "Reload failed: the settings cannot be used. The old workers go on."
    assert scene.tell(SettingsRefused(2, "count: 0 is too few")) == [Announce(Milestone.RELOAD_FAILED, text)]
    assert scene.lines == [Log(Severity.ERROR, text, "count: 0 is too few")]
    assert (scene.replies[7].is_ok, scene.replies[7].message) == (False, text)
    assert scene.replies[7].details == "count: 0 is too few"
    assert scene.due() is None


def test_settings_that_are_never_read_end_the_reload() -> None:
    """A file system that hangs holds nobody up for ever; what comes too late is let go of."""
    scene = reading_settings()
    assert scene.due() == 30.0
    scene.after(30.0)
    assert "could not be read within 30 s" in failure(scene)
    assert scene.all(Discard) == [Discard(2)]
    assert scene.after(1.0, SettingsRead(2, POLICY)) == []
    assert scene.all(Discard) == [Discard(2)]


@pytest.mark.parametrize("event", [SettingsRead(1, POLICY), SettingsRead(2, POLICY)], ids=["old", "twice"])
def test_settings_that_nobody_asked_for_change_nothing(event: Event) -> None:
    """Those in use are not let go of."""
    scene = serving()
    scene.tell(RELOAD)
    assert scene.tell(event) == []
    assert scene.done == []


@pytest.mark.parametrize("generation", [1, 3])
def test_a_refusal_that_is_not_for_this_reload_changes_nothing(generation: int) -> None:
    """Numbers tell reloads apart."""
    scene = reading_settings()
    assert scene.tell(SettingsRefused(generation, "?")) == []
    assert scene.replies == {}


def test_notes_on_the_settings_are_passed_on() -> None:
    """To the log, and to whoever waits."""
    scene = reading_settings()
    note = "server.backlog changes with a restart."
    assert scene.tell(SettingsRead(2, scene.policy, (note,))) == [Spawn(3, 0, 2)]
    assert Log(Severity.WARNING, note) in scene.lines
    assert Progress(7, note) in scene.all(Progress)


def test_new_settings_are_obeyed_from_the_commit_on() -> None:
    """As long as a reload may fail, the old ones hold for the service, the new ones for the new workers."""
    scene = serving()
    scene.settings = replace(POLICY, count=3, max_surge=2, boot=50.0, drain=7.0)
    scene.tell(RELOAD, *forked(3))
    assert scene.due() == 50.0
    assert scene.tell(WorkerReady(3)) == [Drain(1), Spawn(4, 1, 2)]
    assert scene.due() == 20.0
    assert scene.tell(*up(4)) == [Drain(2), RELOADED, Spawn(5, 2, 2)]
    assert scene.texts == [
        "Scaling to 3 workers, as the settings say.",
        "Reload done: generation 2 runs in 2 workers.",
    ]
    scene.tell(*up(5), RELOAD, *up(6), *forked(7, 8))
    assert scene.serving == [(0, 3), (1, 2), (2, 2)]
    assert scene.due() == 7.0 - 0.0


def test_a_smaller_count_lets_the_last_slots_go_at_the_commit() -> None:
    """Not before: the reload might fail."""
    scene = serving(count=3)
    scene.settings = replace(POLICY, count=1)
    scene.tell(RELOAD, *up(4), *up(5))
    assert scene.tell(*up(6)) == [Drain(3), RELOADED, Drain(5), Drain(6)]
    assert scene.serving == [(0, 2)]


def test_a_reload_keeps_what_people_scaled_unless_the_settings_changed() -> None:
    """The count of the settings is the count at the start."""
    scene = serving(count=1)
    scene.tell(MORE, *up(2), RELOAD, *up(3), *up(4))
    assert scene.serving == [(0, 2), (1, 2)]
    scene.settings = replace(POLICY, count=3)
    scene.tell(RELOAD, *up(5), *up(6), *up(7))
    assert scene.serving == [(0, 3), (1, 3), (2, 3)]


# -- the first worker --------------------------------------------------------------------------------------

BAKED = replace(POLICY, bake=5.0)
PROBED = replace(POLICY, health=HealthPolicy(path="/health", timeout=3.0), bake=5.0)


def test_the_first_worker_serves_beside_the_old_for_a_while() -> None:
    """Nobody is asked to go before it is over; the slot has two workers meanwhile."""
    scene = serving(policy=BAKED)
    assert scene.tell(RELOAD, *up(3)) == [RELOADING, Spawn(3, 0, 2)]
    assert scene.serving == [(0, 1), (0, 2), (1, 1)]
    assert scene.due() == 5.0
    assert scene.after(4.9) == []
    assert scene.after(0.1) == [Drain(1), Spawn(4, 1, 2)]
    assert scene.tell(*up(4)) == [Drain(2), RELOADED]


ENDS = [
    pytest.param([died(3)], "a new worker died: killed by SIGSEGV", id="dies"),
    pytest.param([WorkerExited(3, "exit code 0")], "a new worker died: exit code 0", id="exits"),
    pytest.param([WorkerDraining(3)], "its first worker left", id="leaves"),
    pytest.param([ChannelBroken(3, "?")], "a new worker broke its channel", id="breaks its channel"),
]


@pytest.mark.parametrize("policy", [BAKED, PROBED], ids=["baking", "probing"])
@pytest.mark.parametrize(("end", "why"), ENDS)
def test_a_first_worker_that_does_not_stay_ends_the_reload(
    policy: FleetPolicy, end: list[Event], why: str
) -> None:
    """The old worker of its slot serves on."""
    scene = serving(policy=policy)
    scene.tell(RELOAD, *up(3), *end)
    assert failure(scene) == f"Reload failed: {why}. The old workers go on."
    assert scene.serving == [(0, 1), (1, 1)]
    assert not [spawn for spawn in scene.all(Spawn) if spawn.worker > 3]
    scene.tell(*exited(3))
    assert scene.serving == [(0, 1), (1, 1)]


def test_an_old_worker_that_dies_beside_the_first_needs_no_other() -> None:
    """The slot is served; if the new code goes, the old comes back there, and waits for nothing."""
    scene = serving(policy=BAKED)
    scene.tell(RELOAD, *up(3))
    assert scene.tell(died(1)) == []
    assert scene.tell(died(3))[0] == Spawn(4, 0, 1)


@pytest.mark.parametrize("policy", [POLICY, BAKED, PROBED], ids=["booting", "baking", "probing"])
def test_a_first_worker_that_is_scaled_away_has_a_follower(policy: FleetPolicy) -> None:
    """That is nobody's failure. It went where a slot was empty."""
    scene = serving(policy=policy)
    scene.tell(died(2), *up(3), died(3), RELOAD, *(forked(4) if policy is POLICY else up(4)))
    assert scene.worker(4).slot == 1
    done = scene.tell(FEWER)
    assert Spawn(5, 0, 2) in done
    assert {Kill(4, "TERM"), Drain(4)} & set(done)
    scene.tell(*exited(4), *up(5), Probed(5, 2, 200))
    scene.after(5.0)
    assert scene.serving == [(0, 2)]
    assert scene.fleet.state.reload is None


def test_the_first_worker_is_probed() -> None:
    """An answer that says well lets it bake."""
    scene = serving(policy=PROBED)
    assert scene.tell(RELOAD, *up(3))[2:] == [Probe(3, 1, "/health", 3.0)]
    assert scene.after(0.5, Probed(3, 1, 204)) == []
    scene.after(4.9)
    assert scene.serving == [(0, 1), (0, 2), (1, 1)]
    assert scene.after(0.1)[:2] == [Drain(1), Spawn(4, 1, 2)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Probed(3, 1, 503), "status 503"),
        (Probed(3, 1, 404), "status 404"),
        (Probed(3, 1, 0, "no response within 3 s"), "no response within 3 s"),
    ],
)
def test_a_first_worker_that_is_not_well_ends_the_reload(answer: Probed, why: str) -> None:
    """One failure is enough for code that has everything to prove."""
    scene = serving(policy=PROBED)
    scene.tell(RELOAD, *up(3))
    assert Drain(3) in scene.tell(answer)
    assert failure(scene).startswith(f"Reload failed: the health probe of a new worker failed: {why}.")
    assert scene.serving == [(0, 1), (1, 1)]


def test_a_first_worker_that_does_not_answer_ends_the_reload() -> None:
    """Its own time, and a little more; what it says then is not heard."""
    scene = serving(policy=PROBED)
    scene.tell(RELOAD, *up(3))
    scene.look(3.9)
    assert scene.fleet.state.reload is not None
    scene.after(0.1)
    assert failure(scene).startswith("Reload failed: the health probe of its first worker was not answered.")
    assert scene.tell(Probed(3, 1, 200)) == []


def test_the_probe_is_that_of_the_new_settings() -> None:
    """Looks at the boards by the old settings, which know no probe, do not undo it."""
    scene = serving(policy=replace(POLICY, health=HealthPolicy(hang_timeout=4.0)))
    scene.settings = replace(scene.policy, health=HealthPolicy(path="/new"))
    scene.tell(RELOAD, *up(3))
    assert scene.all(Probe) == [Probe(3, 1, "/new", 5.0)]
    scene.look(1.0)
    assert scene.tell(Probed(3, 1, 200))[:2] == [Drain(1), Spawn(4, 1, 2)]


def test_a_later_worker_that_is_not_well_ends_the_reload() -> None:
    """All of the new code is on trial until the end."""
    scene = serving(policy=replace(PROBED, bake=0.0))
    scene.tell(RELOAD, *up(3), Probed(3, 1, 200), *forked(4))
    for _ in range(30):
        scene.look(1.0 if scene.worker(3).health.probe == 0 else 0.0)
        if scene.worker(3).health.probe:
            break
    probe = scene.worker(3).health.probe
    scene.tell(*(Probed(3, probe, 503) for _ in range(2)))
    assert "the health probe of a new worker failed: status 503" in failure(scene)


def test_an_empty_slot_goes_first_then_one_that_is_served() -> None:
    """Least is risked where nothing is lost; least time where nobody boots."""
    scene = serving(count=3)
    scene.tell(died(1), *forked(4))
    assert scene.tell(RELOAD) == [RELOADING, Spawn(5, 1, 2)]
    scene = serving(count=3)
    scene.tell(died(2), *up(4), died(4))
    assert scene.tell(RELOAD) == [RELOADING, Spawn(5, 1, 2)]


# -- with molds --------------------------------------------------------------------------------------------

MOLDED = replace(POLICY, preload=True)


def test_the_new_mold_comes_first() -> None:
    """Its import is what fails most; the old one is not given up before the commit."""
    scene = serving(policy=MOLDED)
    assert scene.tell(RELOAD) == [RELOADING, MakeMold(2)]
    assert scene.tell(mold_forked(2)) == []
    assert scene.due() == 30.0
    assert scene.tell(MoldReady(2)) == [Spawn(3, 0, 2, from_mold=True)]
    assert scene.tell(*up(3)) == [Drain(1), Spawn(4, 1, 2, from_mold=True)]
    assert scene.tell(*up(4)) == [Drain(2), EndMold(1), RELOADED]
    assert scene.tell(MoldExited(1, "killed by SIGKILL"), *exited(1, 2)) == []
    assert scene.errors == []
    assert scene.tell(died(3)) == [Spawn(5, 0, 2, from_mold=True)]


@pytest.mark.parametrize(
    ("seconds", "end", "why", "killed"),
    [
        pytest.param(
            0.0,
            MoldFailed(2, "No module named 'shop'.", "Traceback ..."),
            "No module named 'shop'",
            1,
            id="explained",
        ),
        pytest.param(
            0.0,
            MoldExited(2, "killed by SIGSEGV"),
            "Importing the application ended the process: killed by SIGSEGV",
            0,
            id="silent",
        ),
        pytest.param(
            30.0, TimePassed(), "The application was not imported within 30 s (timeouts.boot)", 1, id="late"
        ),
    ],
)
def test_a_new_mold_that_does_not_come_up_ends_the_reload(
    seconds: float, end: Event, why: str, killed: int
) -> None:
    """No worker of the old code was touched, and no process stays."""
    scene = serving(policy=MOLDED)
    scene.tell(ReloadAsked("client", client=7), mold_forked(2))
    done = scene.after(seconds, end)
    text = f"Reload failed: {why}. The old workers go on."
    assert done == [*[EndMold(2)] * killed, Announce(Milestone.RELOAD_FAILED, text)]
    assert scene.errors == [text]
    assert scene.all(Discard) == [Discard(2)]
    assert (scene.replies[7].is_ok, scene.replies[7].message) == (False, text)
    assert scene.replies[7].details == getattr(end, "details", "")
    assert scene.tell(*[MoldExited(2, "killed by SIGKILL")] * killed) == []
    assert scene.due() is None
    assert scene.serving == [(0, 1), (1, 1)]


def test_a_new_mold_that_the_kernel_refuses_ends_the_reload() -> None:
    """What serves goes on."""
    scene = serving(policy=MOLDED)
    scene.tell(RELOAD, MoldRefused(2, "no memory"))
    assert "Could not start the process that workers are forked from: no memory." in failure(scene)


def test_a_new_mold_has_the_time_of_the_new_settings() -> None:
    """Who has raised timeouts.boot because the import takes long wants it obeyed."""
    scene = serving(policy=MOLDED)
    scene.settings = replace(MOLDED, boot=90.0)
    scene.tell(RELOAD, mold_forked(2))
    assert scene.due() == 90.0


def test_new_code_that_no_worker_can_be_forked_from_does_without() -> None:
    """A warning, and each new worker imports the application itself."""
    scene = serving(policy=MOLDED)
    scene.tell(RELOAD, mold_forked(2))
    done = scene.tell(MoldReady(2, "the import started the thread 'pool'"))
    assert done == [EndMold(2), Spawn(3, 0, 2, from_mold=False)]
    assert scene.texts == ["preload is not possible: the import started the thread 'pool'"]


def test_preload_can_be_switched_by_a_reload() -> None:
    """Off and on again."""
    scene = serving(count=1, policy=MOLDED)
    scene.settings = replace(scene.policy, preload=False)
    assert scene.tell(RELOAD) == [RELOADING, Spawn(2, 0, 2)]
    assert scene.tell(*up(2)) == [Drain(1), EndMold(1), RELOADED]
    scene.settings = replace(scene.policy, preload=True)
    assert scene.tell(RELOAD, *molded(3)) == [RELOADING, MakeMold(3), Spawn(3, 0, 3, from_mold=True)]


def test_a_failure_late_in_a_reload_takes_every_slot_back() -> None:
    """From the old mold, replacement first; the caller is told when it is done."""
    scene = serving(count=3, policy=MOLDED)
    scene.tell(ReloadAsked("client", client=7), *molded(2), *up(4), *up(5), *forked(6))
    assert scene.serving == [(0, 2), (1, 2), (2, 1)]
    assert scene.tell(died(6)) == [EndMold(2), Spawn(7, 0, 1, from_mold=True)]
    assert scene.replies == {}
    assert scene.errors[-1].endswith("The old workers go on. 2 of 3 go back to the old code.")
    assert scene.tell(*up(7)) == [Drain(4), Spawn(8, 1, 1, from_mold=True)]
    done = scene.tell(*up(8))
    assert done[:1] == [Drain(5)]
    assert failure(scene).endswith("2 of 3 go back to the old code.")
    assert not scene.replies[7].is_ok
    assert scene.serving == [(0, 1), (1, 1), (2, 1)]


def test_going_back_that_takes_too_long_is_told_before_its_end() -> None:
    """Nobody waits for ever; the slots go back all the same, as soon as they can."""
    scene = serving(policy=MOLDED)
    scene.tell(ReloadAsked("client", client=7), *molded(2), *up(3), *forked(4), died(4))
    scene.tell(*forked(5))
    scene.after(29.0, *exited(1, 5))
    assert scene.tell(*forked(6)) == []
    assert scene.after(1.0)[0] == Announce(Milestone.RELOAD_FAILED, scene.replies[7].message)
    assert scene.serving == [(0, 2), (1, 1)]
    assert scene.tell(WorkerReady(6)) == [Drain(3)]
    assert scene.serving == [(0, 1), (1, 1)]


def test_an_old_mold_that_dies_in_a_reload_leaves_nothing_to_go_back_to() -> None:
    """Its successor has imported what is on disk by now: new workers stay instead."""
    scene = serving(policy=MOLDED)
    scene.tell(RELOAD, *molded(2), *up(3))
    assert scene.tell(MoldExited(1, "killed by SIGKILL")) == [MakeMold(1)]
    scene.tell(*forked(4))
    scene.tell(died(4))
    assert failure(scene).endswith("1 of 2 workers already run the new code.")
    assert scene.serving == [(0, 2), (1, 1)]


def test_a_mold_that_dies_with_forks_asked_for_ends_the_reload() -> None:
    """Whichever news comes first."""
    for end in ([SpawnFailed(3, "its mold ended"), MoldExited(2, "?")], [MoldExited(2, "?")]):
        scene = serving(policy=MOLDED)
        scene.tell(RELOAD, *molded(2))
        scene.tell(*end, SpawnFailed(3, "its mold ended"))
        assert failure(scene).endswith("The old workers go on.")
        assert scene.serving == [(0, 1), (1, 1)]
        assert [worker.number for worker in scene.fleet.state.roster] == [1, 2]


def test_a_mold_that_does_not_fork_ends_the_reload() -> None:
    """A worker that never comes to be is waited for as long as one that boots."""
    scene = serving(policy=MOLDED)
    scene.tell(RELOAD, *molded(2))
    assert scene.due() == 30.0
    assert EndMold(2) in scene.after(30.0)
    assert "No worker was forked within 30 s (timeouts.boot)" in scene.errors[-1]
    scene.tell(SpawnFailed(3, "its mold ended"), MoldExited(2, "killed by SIGKILL"))
    assert "No worker was forked within 30 s (timeouts.boot)" in failure(scene)
    assert scene.due() is None


# -- who waits ---------------------------------------------------------------------------------------------


def test_a_client_is_told_how_far_it_has_come_and_what_came_of_it() -> None:
    """Each stage as it is entered, each worker, and the end."""
    scene = serving(policy=MOLDED)
    scene.tell(ReloadAsked("client", client=7), *molded(2), *up(3), *forked(4))
    assert [progress.text for progress in scene.all(Progress)] == [
        "Generation 2: importing the application.",
        "Generation 2: starting the first worker.",
        "Generation 2: watching the first worker.",
        "Generation 2: replacing the workers.",
        "Generation 2: 1 of 2 workers.",
    ]
    scene.after(2.5, WorkerReady(4))
    reply = scene.replies[7]
    assert reply.is_ok
    assert reply.message == "Reload done: generation 2 runs in 2 workers."
    assert reply.data == {"generation": 2, "seconds": 2.5}


def test_a_burst_is_two_reloads_and_all_are_answered_once() -> None:
    """The first is answered with its own end, all others with that of the second."""
    scene = serving(count=1)
    scene.tell(*(ReloadAsked("client", client=client) for client in range(30)), *forked(2))
    assert scene.replies == {}
    scene.tell(WorkerReady(2))
    assert list(scene.replies) == [0]
    assert scene.all(ReadSettings) == [ReadSettings(3)]
    scene.tell(*up(3))
    assert list(scene.replies) == list(range(1, 30))
    assert all(reply.data and reply.data["generation"] == 3 for reply in scene.replies.values())
    assert scene.fleet.state.reload is None


STAGES: list[tuple[str, FleetPolicy, list[Event]]] = [
    ("reading", POLICY, []),
    ("molding", MOLDED, []),
    ("molding", MOLDED, [mold_forked(2)]),
    ("canary", MOLDED, molded(2)),
    ("canary", MOLDED, [*molded(2), *forked(3)]),
    ("probing", replace(PROBED, preload=True), [*molded(2), *up(3)]),
    ("baking", replace(BAKED, preload=True), [*molded(2), *up(3)]),
    ("rolling", MOLDED, [*molded(2), *up(3)]),
    ("rolling", MOLDED, [*molded(2), *up(3), *forked(4)]),
    ("restoring", MOLDED, [*molded(2), *up(3), *forked(4), died(4)]),
    ("restoring", MOLDED, [*molded(2), *up(3), *forked(4), died(4), *forked(5)]),
]


@pytest.mark.parametrize(("stage", "policy", "before"), STAGES, ids=lambda value: str(value)[:9])
def test_a_stop_ends_a_reload_at_each_stage(stage: str, policy: FleetPolicy, before: list[Event]) -> None:
    """At once, and whoever waits for it is told; no process is left, neither worker nor mold."""
    scene = serving(policy=policy)
    if stage == "reading":
        scene.settings = None
    scene.tell(ReloadAsked("client", client=7), ReloadAsked("client", client=8), *before)
    assert scene.fleet.state.reload is not None
    assert scene.fleet.state.reload.stage.name.lower() == stage
    done = scene.tell(TERM)
    assert [action for action in STOPPING if action in done] == STOPPING
    assert {client: reply.is_ok for client, reply in scene.replies.items()} == {7: False, 8: False}
    assert scene.all(Spawn) == []
    for worker in list(scene.fleet.state.roster):
        if worker.state.value == "forking":
            scene.tell(SpawnFailed(worker.number, "its mold ended"))
        else:
            scene.tell(*exited(worker.number))
    done = scene.done
    for generation in (1, 2):
        if not any(isinstance(action, Exit) for action in done):
            scene.tell(*[mold_forked(2)] * (before == [] and generation == 2 and stage == "molding"))
            scene.tell(MoldExited(generation, "killed by SIGKILL"))
            done += scene.done
    assert [action for action in done if isinstance(action, Exit)] == [Exit(ExitCode.OK)]
