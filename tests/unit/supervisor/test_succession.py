"""Replacements that no reload causes: by a limit, by a person; how many at a time, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.supervisor.actions import Drain, Kill, Spawn
from srvctl.supervisor.events import (
    BootFailed,
    Event,
    Looked,
    RecycleAsked,
    ScaleAsked,
    WorkerDraining,
    WorkerReady,
)
from srvctl.supervisor.policy import FleetPolicy, RecyclePolicy
from tests.support.scene import (
    FEWER,
    POLICY,
    QUIT,
    RELOAD,
    RELOADED,
    RELOADING,
    TERM,
    Scene,
    booting,
    died,
    exited,
    forked,
    reading,
    serving,
    up,
)

REQUESTS = replace(POLICY, recycle=RecyclePolicy(requests=1000, requests_jitter=100, spacing=10.0))
LIFETIME = replace(POLICY, recycle=RecyclePolicy(lifetime=60.0, lifetime_jitter=30.0, spacing=10.0))

ALL = RecycleAsked("client", "all", client=7)


def boards(scene: Scene, **finished: int) -> Looked:
    """Workers have answered so many requests: `w1=5`."""
    workers = scene.fleet.state.roster
    return Looked({w.number: reading(scene.now, finished=finished.get(f"w{w.number}", 0)) for w in workers})


def lucky(luck: float, policy: FleetPolicy, count: int = 1) -> Scene:
    """Each worker's part of the jitter is this."""
    scene = Scene(count, policy=policy)
    scene.luck = luck
    scene.tell(*up(99))
    scene.tell(*up(*range(1, count + 1)))
    return scene


# -- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("luck", "limit"), [(0.0, 1000), (0.5, 1050), (1.0, 1100)])
def test_a_worker_is_replaced_after_so_many_requests(luck: float, limit: int) -> None:
    """Those and its own part of the jitter; a new one first, also where there is but one."""
    scene = lucky(luck, REQUESTS)
    assert scene.tell(boards(scene, w1=limit - 1)) == []
    assert scene.tell(boards(scene, w1=limit)) == [Spawn(2, 0, 1)]
    assert scene.texts == [
        f"Worker [1001] is to be replaced (max_requests: {limit} served); slot 0 gets a new one first."
    ]
    assert scene.tell(*up(2)) == [Drain(1)]
    scene.tell(*exited(1))
    assert scene.serving == [(0, 1)]


@pytest.mark.parametrize(("luck", "limit"), [(0.0, 60.0), (1.0, 90.0)])
def test_a_worker_is_replaced_after_so_long(luck: float, limit: float) -> None:
    """Counted from when it was ready."""
    scene = lucky(luck, LIFETIME)
    scene.look(limit - 0.5)
    assert scene.all(Spawn) == []
    scene.look(0.5)
    assert scene.all(Spawn) == [Spawn(2, 0, 1)]
    assert scene.worker(1).leaves_because == f"max_lifetime: {limit:.0f} s"


def test_zero_is_no_limit() -> None:
    """The default of each."""
    scene = serving()
    scene.look(10**6, finished=10**9, rss=10**12)
    assert scene.done == []


def test_who_reaches_a_limit_together_is_replaced_one_after_the_other() -> None:
    """One more worker than wanted at a time, and between two beginnings the spacing."""
    scene = serving(count=3, policy=REQUESTS)
    together = {"w1": 1000, "w2": 1000, "w3": 1000}
    assert scene.tell(boards(scene, **together)) == [Spawn(4, 0, 1)]
    scene.after(3.0)
    assert scene.tell(*up(4)) == [Drain(1)]
    assert scene.fleet.next_deadline() == scene.now + 1.0  # the next look comes before
    scene.after(6.9)
    assert scene.all(Spawn) == []
    scene.after(0.1)
    assert scene.all(Spawn) == [Spawn(5, 1, 1)]
    scene.after(15.0)
    assert scene.all(Spawn) == []
    assert Spawn(6, 2, 1) in scene.tell(*up(5))


def test_the_end_of_the_spacing_is_a_deadline() -> None:
    """Nothing else need happen then."""
    scene = serving(policy=replace(REQUESTS, recycle=replace(REQUESTS.recycle, spacing=0.7)))
    scene.tell(boards(scene, w1=1000, w2=1000), *up(3))
    assert scene.due() == pytest.approx(0.7)
    assert Spawn(4, 1, 1) in scene.after(0.7)


def test_a_larger_surge_lets_more_overlap() -> None:
    """The spacing holds all the same."""
    scene = serving(count=3, max_surge=2, policy=REQUESTS)
    assert scene.tell(boards(scene, w1=1000, w2=1000, w3=1000)) == [Spawn(4, 0, 1)]
    scene.after(10.0)
    assert scene.all(Spawn) == [Spawn(5, 1, 1)]
    scene.after(10.0)
    assert scene.all(Spawn) == []


def test_a_replacement_that_does_not_come_up_is_tried_again() -> None:
    """The worker that was to be replaced serves on."""
    scene = serving(policy=REQUESTS)
    scene.tell(boards(scene, w1=1000), *forked(3))
    scene.tell(BootFailed(3, "no"), *exited(3))
    assert scene.serving == [(0, 1), (1, 1)]
    scene.after(9.9)
    assert scene.all(Spawn) == []
    scene.after(0.1)
    assert scene.all(Spawn) == [Spawn(4, 0, 1)]


def test_who_is_to_be_replaced_and_dies_is_replaced_once() -> None:
    """The one that boots is there already."""
    scene = serving(policy=REQUESTS)
    scene.tell(boards(scene, w1=1000), *forked(3))
    assert scene.tell(died(1)) == []
    assert scene.tell(WorkerReady(3)) == []
    assert scene.serving == [(0, 1), (1, 1)]


def test_a_slot_that_is_scaled_away_needs_no_replacement() -> None:
    """Both of its workers go."""
    scene = serving(policy=REQUESTS)
    scene.tell(boards(scene, w2=1000), *forked(3))
    assert scene.tell(FEWER) == [Drain(2), Kill(3, "TERM")]


# -- together with a reload --------------------------------------------------------------------------------


def test_a_reload_waits_for_a_replacement_that_is_on_its_way() -> None:
    """One budget is for all causes."""
    scene = serving(policy=REQUESTS)
    scene.tell(boards(scene, w2=1000), *forked(3))
    assert scene.tell(RELOAD) == [RELOADING]
    assert scene.tell(WorkerReady(3)) == [Drain(2), Spawn(4, 0, 2)]


def test_a_reload_replaces_whom_a_limit_would() -> None:
    """Neither twice nor with a word about the limit; its spacing is not for reloads."""
    scene = serving(policy=REQUESTS)
    scene.tell(RELOAD, *up(3), *forked(4))
    assert scene.tell(boards(scene, w2=1000)) == []
    assert scene.tell(WorkerReady(4)) == [Drain(2), RELOADED]
    assert scene.serving == [(0, 2), (1, 2)]


def test_while_the_first_worker_is_watched_no_other_is_added() -> None:
    """With a surge of 1, it is the one."""
    scene = serving(policy=replace(REQUESTS, bake=5.0))
    scene.tell(RELOAD, *up(3))
    assert scene.tell(boards(scene, w2=1000)) == []
    assert scene.after(5.0)[0] == Drain(1)


def test_a_new_worker_is_not_replaced_by_old_code() -> None:
    """What it has reached is for when its reload is done."""
    scene = serving(policy=REQUESTS)
    scene.tell(RELOAD, *up(3), *forked(4))
    assert scene.tell(boards(scene, w3=1000)) == []
    assert scene.tell(WorkerReady(4)) == [Drain(2), RELOADED, Spawn(5, 0, 2)]


# -- wishes ------------------------------------------------------------------------------------------------


def test_a_person_can_have_all_replaced() -> None:
    """One after the other without any spacing; the answer comes when the last is."""
    scene = serving(policy=REQUESTS)
    assert scene.tell(ALL) == [Spawn(3, 0, 1)]
    assert scene.tell(*up(3)) == [Drain(1), Spawn(4, 1, 1)]
    assert scene.replies == {}
    assert scene.tell(*up(4)) == [Drain(2)]
    assert (scene.replies[7].is_ok, scene.replies[7].message) == (True, "Replaced 2.")
    assert scene.due() is not None
    scene.tell(*exited(1, 2))
    assert scene.replies == {}


@pytest.mark.parametrize("target", ["slot:1", "pid:1002"])
def test_a_person_can_have_one_replaced(target: str) -> None:
    """By its slot or its pid."""
    scene = serving()
    assert scene.tell(RecycleAsked("client", target, client=7)) == [Spawn(3, 1, 1)]
    assert "Worker [1002] is to be replaced (client); slot 1 gets a new one first." in scene.texts
    assert scene.tell(*up(3)) == [Drain(2)]
    assert scene.replies[7].is_ok


@pytest.mark.parametrize(
    "target",
    ["slot:2", "slot:-1", "slot:x", "slot:", "slot", "pid:1", "pid:None", "x:None", ""],
)
def test_a_wish_that_is_for_nobody_is_refused(target: str) -> None:
    """At once; nothing is done."""
    scene = serving()
    assert scene.tell(RecycleAsked("client", target, client=7)) == []
    assert not scene.replies[7].is_ok
    assert scene.replies[7].message.endswith("there are 1001 (slot 0), 1002 (slot 1).")


def test_a_wish_for_a_worker_that_does_not_serve_is_refused() -> None:
    """It is about to serve, or to go."""
    scene = booting()
    scene.tell(RecycleAsked("client", "slot:1", client=7))
    assert scene.replies[7].message == "Worker [1002] is booting; only one that serves is replaced."


def test_a_wish_without_a_client_is_not_answered() -> None:
    """A signal, say."""
    scene = serving()
    assert scene.tell(RecycleAsked("SIGUSR1", "slot:0"), *up(3)) == [Spawn(3, 0, 1), Drain(1)]
    assert scene.replies == {}


@pytest.mark.parametrize(
    "end",
    [
        pytest.param([died(2), *up(3)], id="dies"),
        pytest.param([WorkerDraining(2), *up(3)], id="leaves"),
        pytest.param([ScaleAsked("client", -1)], id="scaled away"),
        pytest.param([RELOAD, *up(3), *up(4)], id="reload"),
    ],
)
def test_a_wish_is_fulfilled_whoever_does_it(end: list[Event]) -> None:
    """The worker is gone: that is what was wanted."""
    scene = serving()
    scene.tell(RecycleAsked("client", "slot:1", client=7), *end)
    assert scene.replies[7].is_ok


def test_several_wishes_are_answered_each_once() -> None:
    """Whether for the same worker or for another."""
    scene = serving()
    wishes = [RecycleAsked("a", "slot:0", client=1), RecycleAsked("b", "all", client=2), ALL]
    scene.tell(*wishes, *up(3))
    assert list(scene.replies) == [1]
    scene.tell(*up(4))
    assert list(scene.replies) == [2, 7]


@pytest.mark.parametrize("delay", [0.0, 10.0])
@pytest.mark.parametrize("stop", [TERM, QUIT])
def test_a_stop_answers_who_waits(stop: Event, delay: float) -> None:
    """Nobody is left without an answer; whoever comes after gets the same."""
    scene = serving(policy=replace(POLICY, drain_delay=delay))
    scene.tell(ALL, stop)
    assert {client: reply.is_ok for client, reply in scene.replies.items()} == {7: False}
    scene.tell(RecycleAsked("client", "all", client=8))
    assert {client: reply.is_ok for client, reply in scene.replies.items()} == {8: False}
    scene.after(30.0)
    assert scene.replies == {}


def test_a_wish_in_the_middle_of_a_failed_reload_that_left_new_workers() -> None:
    """They are replaced by the accepted code."""
    scene = serving()
    scene.tell(RELOAD, *up(3), *forked(4), died(4))
    assert scene.serving == [(0, 2), (1, 1)]
    assert scene.tell(RecycleAsked("client", "slot:0", client=7)) == [Spawn(5, 0, 1)]
    assert scene.tell(*up(5)) == [Drain(3)]
    assert scene.replies[7].is_ok


def test_the_service_never_dips() -> None:
    """Limits, wishes, a reload and its failure at once: whoever serves is let go only beside a successor."""
    scene = serving(count=3, max_surge=2, policy=REQUESTS)
    scene.tell(ALL, RELOAD, boards(scene, w1=1000))
    newest = 3
    failed = False
    for _ in range(40):
        waiting = [w.number for w in scene.fleet.state.roster if w.state.value in {"forking", "booting"}]
        for number in waiting:
            newest = max(newest, number)
            events: list[Event] = up(number)
            if scene.worker(number).generation == 2 and scene.worker(number).slot == 2 and not failed:
                events, failed = [*forked(number), died(number)], True
            scene.tell(*events)
            assert {slot for slot, _ in scene.serving} == {0, 1, 2}
        scene.after(1.0)
    assert failed
    assert scene.fleet.state.reload is None
