"""Who is judged blocked, unwell, too heavy: by what is seen of a worker, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.supervisor.actions import Drain, Dump, Examine, Kill, Log, Look, Probe, Record, Severity, Spawn
from srvctl.supervisor.events import (
    ChannelBroken,
    Event,
    Examined,
    Looked,
    Probed,
    Started,
    WorkerDraining,
    WorkerExited,
)
from srvctl.supervisor.policy import FleetPolicy, HealthPolicy, RecyclePolicy
from tests.support.scene import (
    POLICY,
    QUIT,
    RELOAD,
    START,
    STOPPING,
    TERM,
    Scene,
    died,
    exited,
    forked,
    reading,
    serving,
    up,
)

HANG = replace(POLICY, health=HealthPolicy(hang_timeout=30.0))
PROBE = replace(POLICY, health=HealthPolicy(path="/health", interval=10.0, timeout=3.0, threshold=2))
MEMORY = replace(POLICY, recycle=RecyclePolicy(memory=100 * 2**20))


def suspected(policy: FleetPolicy = HANG, count: int = 2) -> Scene:
    """Worker 1 beat when it became ready, and not for 30 s since; the kernel is asked about it."""
    scene = serving(count, policy=policy)
    assert scene.live(60.0, {1: scene.now}) == [Examine(1)]
    assert scene.now == pytest.approx(START + 30.0)
    return scene


def asked_again(scene: Scene) -> None:
    """The same once more, a moment later."""
    assert scene.live(1.0, {1: START}) == [Examine(1)]


def hung(policy: FleetPolicy = HANG, count: int = 2) -> Scene:
    """Worker 1 was found to be blocked; worker 3 (with a count of 2) is to take its place."""
    scene = suspected(policy, count)
    assert scene.tell(Examined(1, waited=0.0, on_cpu=5.0)) == []
    asked_again(scene)
    assert Dump(1) in scene.tell(Examined(1, waited=0.0, on_cpu=5.0))
    return scene


# -- when the boards are looked at -------------------------------------------------------------------------


def test_the_boards_are_looked_at_as_often_as_needed() -> None:
    """While there is anybody to look at, and something to notice."""
    assert serving().due() is None
    scene = serving(policy=HANG)
    assert scene.due() == 5.0
    assert scene.after(4.9) == []
    assert scene.after(0.1) == [Look()]
    assert scene.due() == 5.0
    scene = serving(policy=PROBE)
    assert scene.due() == 1.0


def test_nobody_is_looked_at_who_is_not_ready() -> None:
    """A worker that boots has no beat."""
    scene = serving(count=1, policy=HANG)
    scene.tell(died(1))
    assert scene.due() is None
    scene.tell(*forked(2))
    assert scene.due() == 30.0
    assert scene.tell(Looked({2: None})) == []
    assert scene.worker(2).leaves_because == ""


def test_boards_of_workers_that_are_gone_are_not_missed() -> None:
    """And a worker without a board is not judged."""
    scene = serving(policy=HANG)
    assert scene.tell(Looked({99: reading(0.0)})) == []
    assert scene.tell(Looked({})) == []


def test_nothing_is_looked_at_in_a_stop() -> None:
    """Drains have their own deadline."""
    scene = serving(policy=HANG)
    scene.tell(TERM)
    assert scene.due() == 20.0
    scene.tell(Looked({1: reading(0.0)}), Examined(1))
    assert scene.lines == []


# -- blocked -----------------------------------------------------------------------------------------------


def test_a_loop_that_beats_is_never_examined() -> None:
    """However long it serves."""
    scene = serving(policy=HANG)
    for _ in range(50):
        assert scene.live(60.0) == []


def test_a_blocked_worker_is_replaced_and_pressed_step_by_step() -> None:
    """Stop accepting, write the stacks; 2 seconds later TERM; 1 second later KILL. The slot does not wait."""
    scene = suspected()
    assert scene.tell(Examined(1, waited=0.0, on_cpu=5.0)) == []  # it may be waiting for a CPU right now
    assert scene.due() == pytest.approx(0.25)
    asked_again(scene)
    assert scene.tell(Examined(1, waited=0.0, on_cpu=5.0)) == [Drain(1), Dump(1), Spawn(3, 0, 1)]
    assert scene.errors == [
        "Worker [1001] has been blocked for 30.2 s (health.hang_timeout); slot 0 gets a new one now."
    ]
    assert scene.tell(*up(3)) == []
    assert scene.live(1.9) == []
    assert scene.live(0.2) == [Kill(1, "TERM")]
    assert scene.live(1.0) == [Kill(1, "KILL")]
    scene.tell(WorkerExited(1, "killed by SIGKILL"))
    (record,) = scene.all(Record)
    assert record.asked_by == "hang: its loop was blocked for 30.2 s"
    assert record.state == "dying"


def test_a_worker_that_never_beat_is_blocked_since_it_was_ready() -> None:
    """Its first beat is due at once."""
    scene = serving(policy=HANG)
    assert scene.live(29.9, {1: None}) == []
    assert scene.live(0.2, {1: None}) == [Examine(1)]


def test_a_blocked_worker_that_comes_to_itself_may_finish() -> None:
    """It does as it was told, drain; from then on it has the time of a drain."""
    scene = hung()
    assert scene.tell(WorkerDraining(1)) == []
    assert scene.lines == [Log(Severity.WARNING, "Worker [1001] came to itself; it finishes its requests.")]
    scene.tell(*up(3))
    assert scene.live(19.9) == []
    assert scene.live(0.1) == [Kill(1, "KILL")]


@pytest.mark.parametrize("end", [died(1), *exited(1)])
def test_a_blocked_worker_may_end_by_itself(end: Event) -> None:
    """That is one line and no other replacement."""
    scene = hung()
    scene.tell(*up(3))
    assert scene.tell(end) == []
    assert scene.errors == []


def test_a_blocked_worker_that_breaks_its_channel_is_pressed_all_the_same() -> None:
    """No step is left out."""
    scene = hung()
    assert scene.tell(ChannelBroken(1, "?")) == []
    assert scene.after(2.0)[0] == Kill(1, "TERM")


@pytest.mark.parametrize("stop", [TERM, QUIT])
def test_a_stop_does_not_wait_for_a_blocked_worker(stop: Event) -> None:
    """It has the time it had, or none."""
    scene = hung(count=1)
    done = scene.tell(stop)
    assert done[:2] == STOPPING
    if stop is QUIT:
        assert Kill(1, "KILL") in done
    else:
        assert scene.due() == 2.0
        assert scene.after(2.0) == [Kill(1, "TERM")]
        assert scene.after(1.0) == [Kill(1, "KILL")]


def test_a_slot_whose_workers_keep_blocking_waits() -> None:
    """It is a failure like a death; the first is replaced at once."""
    scene = hung()
    scene.tell(*up(3), died(3))
    assert scene.errors[-1].endswith("slot 0 gets a new one in 0.5 s.")


def test_new_code_that_blocks_ends_its_reload() -> None:
    """In the time that the new settings give it."""
    scene = serving(policy=HANG)
    scene.settings = replace(HANG, health=HealthPolicy(hang_timeout=3.0), bake=60.0)
    scene.tell(RELOAD, *up(3))
    beat = scene.now
    assert scene.live(6.0, {3: beat}) == [Examine(3)]
    scene.tell(Examined(3), Examined(3))
    assert "a new worker hangs" in scene.errors[-1]
    assert scene.serving == [(0, 1), (1, 1)]


# -- starved -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("waited", "is_blocked"),
    [(0.0, True), (10.0, False), (30.2, False), (4000.0, False), (None, True)],
)
def test_time_in_which_it_waited_for_a_cpu_is_not_held_against_it(
    waited: float | None, is_blocked: bool
) -> None:
    """What counts is what it did with the time it had. Where the kernel does not say, the clock counts."""
    scene = suspected()
    seen = Examined(1, waited=waited, on_cpu=None)
    scene.tell(seen)
    asked_again(scene)
    assert bool(scene.tell(seen)) is is_blocked


def test_only_what_it_waited_since_its_last_beat_counts() -> None:
    """Hours in the queue before are no excuse."""
    scene = suspected()
    scene.tell(Looked({1: reading(START, waited=4000.0)}))
    scene.tell(Examined(1, waited=4000.0))
    assert Dump(1) in scene.tell(Examined(1, waited=4000.0))


def test_a_wait_that_is_not_over_counts_too() -> None:
    """The kernel adds it up at its end: who is runnable and got no CPU between two looks waits."""
    scene = suspected()
    seen = Examined(1, waited=0.0, on_cpu=5.0, is_runnable=True)
    for _ in range(100):
        assert scene.tell(seen) == []
        asked_again(scene)
    assert Dump(1) in scene.tell(replace(seen, on_cpu=5.1))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            [Examined(1, 0.0, 5.0, is_runnable=True), Examined(1, 0.0, 5.2, is_runnable=True)], id="runs"
        ),
        pytest.param([Examined(1, 0.0, 5.0), Examined(1, 0.0, 5.0)], id="sleeps"),
        pytest.param([Examined(1, 0.0, 5.0), Examined(1, 0.0, 5.0, is_runnable=True)], id="woke"),
        pytest.param([Examined(1), Examined(1)], id="unknown"),
    ],
)
def test_who_had_a_cpu_or_wanted_none_is_blocked(seen: list[Event]) -> None:
    """An endless loop, a sleep, a deadlock, a stop: what it looks like from outside."""
    assert Dump(1) in suspected().tell(*seen)


def test_a_suspicion_that_passes_is_forgotten() -> None:
    """Two examinations in a row are of one suspicion."""
    scene = suspected()
    scene.tell(Examined(1))
    assert scene.live(1.0) == []
    beat = scene.now
    assert scene.live(60.0, {1: beat}) == [Examine(1)]
    assert scene.tell(Examined(1)) == []


def test_a_worker_in_a_debugger_is_left_alone() -> None:
    """People look at it."""
    scene = suspected()
    for _ in range(100):
        assert scene.tell(Examined(1, is_traced=True)) == []
        asked_again(scene)


def test_a_master_that_was_late_itself_holds_nothing_against_workers() -> None:
    """The machine slept: nobody could beat. From then on each has its full time."""
    scene = serving(policy=HANG)
    assert scene.after(3600.0) == [Look()]
    assert scene.tell(Looked({1: reading(START), 2: reading(START)})) == []
    assert scene.live(29.9, {1: START}) == []
    assert scene.live(0.2, {1: START}) == [Examine(1)]


def test_a_master_that_was_a_little_late_changes_nothing() -> None:
    """Up to a second."""
    scene = serving(policy=HANG)
    for _ in range(5):
        assert scene.after((scene.due() or 0.0) + 0.9) == [Look()]
        assert scene.tell(Looked({1: reading(START), 2: reading(scene.now)})) == []
    assert scene.live(1.0, {1: START}) == [Examine(1)]
    assert scene.now == pytest.approx(START + 30.0)


@pytest.mark.parametrize("event", [Examined(1), Examined(1, waited=0.0, pss=1)])
def test_an_examination_of_a_worker_that_beats_is_nothing(event: Event) -> None:
    """Whoever asked for it."""
    scene = serving(policy=HANG)
    scene.look(1.0)
    assert scene.tell(event, event) == []


# -- nonsense ----------------------------------------------------------------------------------------------


def test_a_worker_with_nonsense_on_its_board_is_replaced_before_it_goes() -> None:
    """It cannot be judged any more, but may serve well."""
    scene = serving(policy=HANG)
    assert scene.tell(Looked({1: None, 2: reading(scene.now)})) == [Spawn(3, 0, 1)]
    assert scene.texts == [
        "Worker [1001] is to be replaced (nonsense on its board); slot 0 gets a new one first."
    ]
    assert scene.tell(*up(3)) == [Drain(1)]


def test_nonsense_everywhere_does_not_make_the_workers_go_round() -> None:
    """One replacement at a time, and not more often than the spacing says."""
    scene = serving(policy=replace(HANG, recycle=RecyclePolicy(spacing=60.0)))
    spawned = 0
    for _ in range(60):
        boards = Looked({worker.number: None for worker in scene.fleet.state.roster})
        scene.after(1.0, boards)
        spawned += len(scene.all(Spawn))
        for worker in list(scene.fleet.state.roster):
            scene.tell(*(up(worker.number) if worker.state.value == "forking" else []))
    assert spawned == 1


# -- probes ------------------------------------------------------------------------------------------------


def probing(luck: float = 0.0) -> Scene:
    """Probe 1 was sent to worker 1, probe 2 to worker 2, as soon as it is their turn."""
    scene = Scene(policy=PROBE)
    scene.luck = luck
    scene.tell(Started(), *up(1, 2))
    done = scene.live(2.0 + luck * 10.0)
    assert done == [Probe(1, 1, "/health", 3.0), Probe(2, 2, "/health", 3.0)]
    return scene


def test_workers_are_probed_at_their_interval() -> None:
    """The first time after a part of it, by each one's luck, so that they do not all answer at once."""
    scene = probing(luck=0.5)
    assert scene.now == START + 7.0
    assert scene.live(0.5) == []
    assert scene.tell(Probed(1, 1, 200), Probed(2, 2, 302)) == []
    assert scene.lines == []
    assert scene.live(10.4) == []
    assert scene.live(0.2) == [Probe(1, 3, "/health", 3.0), Probe(2, 4, "/health", 3.0)]


@pytest.mark.parametrize(
    ("answer", "why"),
    [(Probed(1, 1, 500), "status 500"), (Probed(1, 1, 0, "ValueError: no"), "ValueError: no")],
)
def test_a_worker_that_fails_often_enough_is_replaced_before_it_goes(answer: Probed, why: str) -> None:
    """It serves on until then; each failure is a warning."""
    scene = probing()
    assert scene.tell(answer, Probed(2, 2, 200)) == []
    assert scene.lines == [
        Log(Severity.WARNING, f"Worker [1001] failed its health probe of /health: {why} (1 of 2).")
    ]
    assert scene.live(11.0) == [Probe(1, 3, "/health", 3.0), Probe(2, 4, "/health", 3.0)]
    assert scene.tell(replace(answer, probe=3)) == [Spawn(3, 0, 1)]
    assert scene.worker(1).leaves_because == f"health probe: {why}"
    assert scene.tell(*up(3)) == [Drain(1)]


def test_one_good_answer_forgives_all_before() -> None:
    """It is failures in a row that count."""
    scene = probing()
    for number in range(10):
        probe = scene.worker(1).health.probe
        scene.tell(Probed(1, probe, 500 if number % 2 else 200))
        while not scene.worker(1).health.probe:
            scene.live(1.0)
    assert scene.worker(1).leaves_because == ""


def test_no_answer_is_a_failure_after_its_time() -> None:
    """The application's, and a second for the worker to say so; an answer to an older probe is none."""
    scene = probing()
    scene.live(3.9)
    assert scene.lines == []
    scene.live(1.0)
    assert "failed its health probe of /health: no answer (1 of 2)." in scene.texts[0]
    scene.tell(Probed(1, 1, 200))
    assert scene.worker(1).health.probe_failures == 1


def test_answers_that_lay_unread_while_the_master_slept_count() -> None:
    """They come a moment after it has noticed that it was late."""
    scene = probing()
    assert scene.after(600.0) == [Look()]
    scene.look()
    scene.tell(Probed(1, 1, 200), Probed(2, 2, 200))
    assert scene.lines == []
    assert scene.worker(1).health.probe_failures == 0


@pytest.mark.parametrize("probe", [0, 2, 99])
def test_an_answer_that_nobody_asked_for_is_ignored(probe: int) -> None:
    """A worker may say what it likes."""
    scene = probing()
    assert scene.tell(Probed(1, probe, 500)) == []
    assert scene.lines == []


def test_without_a_path_nobody_is_probed() -> None:
    """The boards may be looked at for other reasons; and what was counted is forgotten."""
    scene = serving(policy=HANG)
    assert scene.live(100.0) == []


# -- heavy -------------------------------------------------------------------------------------------------

HEAVY = {"rss": 120 * 2**20}


def weighed(scene: Scene, pss: int | None) -> list[Spawn]:
    """Worker 1 looks heavy and is measured; who is asked for then."""
    now = scene.now
    scene.tell(Looked({1: reading(now, **HEAVY), 2: reading(now)}))
    assert scene.all(Examine) == [Examine(1)]
    scene.tell(Examined(1, pss=pss))
    return scene.all(Spawn)


@pytest.mark.parametrize("pss", [110 * 2**20, None])
def test_a_worker_that_is_heavy_three_times_in_a_row_is_replaced(pss: int | None) -> None:
    """Measured, not more often than every 5 seconds; where the kernel does not say, what its board says."""
    scene = serving(policy=MEMORY)
    assert weighed(scene, pss) == []
    scene.after(4.9)
    scene.tell(Looked({1: reading(scene.now, **HEAVY)}))
    assert scene.all(Examine) == []
    scene.after(0.1)
    assert weighed(scene, pss) == []
    scene.after(5.0)
    assert weighed(scene, pss) == [Spawn(3, 0, 1)]
    assert scene.worker(1).leaves_because == f"max_memory: {110 if pss else 120} MiB"


def test_memory_that_is_shared_does_not_count_in_full() -> None:
    """What the board says is only a reason to measure."""
    scene = serving(policy=MEMORY)
    for _ in range(10):
        assert weighed(scene, 90 * 2**20) == []
        scene.after(5.0)


@pytest.mark.parametrize("rss", [0, 90 * 2**20])
def test_a_passing_need_is_none(rss: int) -> None:
    """A measurement or a look below the limit begins the count anew."""
    scene = serving(policy=MEMORY)
    for _ in range(2):
        assert weighed(scene, 110 * 2**20) == []
        scene.after(5.0)
    scene.look(rss=rss)
    assert scene.worker(1).health.too_heavy == 0
    assert weighed(scene, 110 * 2**20) == []
