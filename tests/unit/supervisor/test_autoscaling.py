"""The number of workers in the fleet: what is seen, what is wanted for it, and who else wants something."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.supervisor.actions import Drain, Look, Reply, Report, Severity, Spawn
from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.chronicle import Chronicle
from srvctl.supervisor.events import Looked, ScaleAsked, StatusAsked
from srvctl.supervisor.fleet import Fleet
from tests.support.scene import (
    FEWER,
    MORE,
    POLICY,
    RELOAD,
    Scene,
    booting,
    died,
    exited,
    forked,
    reading,
    serving,
    up,
)

if TYPE_CHECKING:
    from srvctl.supervisor.actions import Action

SCALE = ScalePolicy(least=1, most=6, busy=0.7, in_flight=10, delay=2.0)
SCALED = replace(POLICY, scale=SCALE)


def look(scene: Scene, in_flight: int = 0, cpu: float = 0.0, seconds: float = 0.5) -> list[Action]:
    """Let a beat pass in which every worker had so much to do; look at it."""
    scene.now += seconds
    board = replace(reading(scene.now, begun=in_flight), cpu_seconds=scene.now * cpu)
    done = scene.tell(Looked({worker.number: board for worker in scene.fleet.state.roster}))
    return [action for action in done if action != Look()]


def told(scene: Scene) -> dict[str, Any]:
    scene.tell(StatusAsked(7))
    (report,) = scene.all(Report)
    found = json.loads(json.dumps(report.status))["scale"]
    assert isinstance(found, dict)
    return found


def busy(count: int, share: float, policy: Any = SCALED) -> Scene:
    """A service whose loops have been so busy for a while, at the look that follows."""
    scene = serving(count, policy=policy)
    look(scene, cpu=share)
    look(scene, cpu=share)
    return scene


def test_busy_loops_bring_workers_at_once() -> None:
    """Both loops are busy for nine tenths: three workers are needed to have them busy for seven tenths."""
    scene = busy(2, 0.9)
    assert look(scene, cpu=0.9) == []  # the first look had no beat before it
    scene = serving(2, policy=SCALED)
    look(scene, cpu=0.9)
    assert look(scene, cpu=0.9) == [Spawn(3, 2, 1)]
    assert scene.texts == ["Scaled from 2 to 3 workers: loops 90 % busy (70 % wanted)."]
    scene.tell(*up(3))
    assert look(scene, cpu=0.9) == []  # the third one has not had the time to help
    found = told(scene)
    assert found["changes"]["up utilization"] == 1
    assert (found["min"], found["max"], found["why"]) == (1, 6, "loops 90 % busy (70 % wanted)")


def test_requests_in_flight_bring_workers_when_two_looks_see_them() -> None:
    """What is through by the next look needs nobody."""
    scene = serving(2, policy=SCALED)
    assert look(scene, in_flight=20) == []
    assert look(scene, in_flight=0) == []
    assert look(scene, in_flight=20) == []
    assert look(scene, in_flight=15) == [Spawn(3, 2, 1)]
    assert scene.texts == ["Scaled from 2 to 3 workers: 15 requests in flight per worker (10 wanted)."]


def test_the_highest_slot_leaves_when_fewer_have_been_enough_for_a_while() -> None:
    """One at a time: the next one when the first is gone, and after the same time again."""
    scene = serving(3, policy=SCALED)
    for _ in range(5):
        assert look(scene, cpu=0.1) == []
    assert look(scene, cpu=0.1) == [Drain(3)]
    assert scene.texts == [
        "Scaled from 3 to 2 workers: loops 10 % busy (70 % wanted), and fewer have been enough for 2 s."
    ]
    for _ in range(10):  # it still drains
        assert look(scene, cpu=0.1) == []
    scene.tell(*exited(3))
    for _ in range(4):
        assert look(scene, cpu=0.1) == []
    assert look(scene, cpu=0.1) == [Drain(2)]
    scene.tell(*exited(2))
    for _ in range(20):
        assert look(scene, cpu=0.0) == []


def test_nothing_is_concluded_from_boards_that_say_nothing() -> None:
    scene = serving(3, policy=SCALED)
    for _ in range(20):
        scene.after(0.5, Looked({}))
        scene.tell(Looked({1: None, 2: None, 3: None}))
    assert scene.fleet.state.target == 3


def test_a_slot_whose_workers_die_brings_no_others() -> None:
    """The others have its load, and new workers would die alike."""
    scene = busy(2, 0.5)
    scene.tell(died(2), *forked(3), died(3))
    look(scene, cpu=0.99, in_flight=50)
    look(scene, cpu=0.99, in_flight=50)
    assert scene.fleet.state.target == 2
    held = told(scene)["held"]
    assert held == "new workers do not come up"


def test_who_boots_is_not_asked_for_twice() -> None:
    scene = serving(2, policy=SCALED)
    look(scene, cpu=1.0)
    assert look(scene, cpu=1.0) == [Spawn(3, 2, 1), Spawn(4, 3, 1)]
    scene.tell(*forked(3, 4))
    for _ in range(4):
        assert look(scene, cpu=1.0) == []


def test_the_bounds_are_told_once() -> None:
    """A load that needs more workers than there may be is worth a warning, and a word in the status."""
    scene = serving(5, policy=SCALED)
    look(scene, in_flight=30)
    assert look(scene, in_flight=30) == [Spawn(6, 5, 1)]
    warnings = [line.text for line in scene.lines if line.severity is Severity.WARNING]
    assert warnings == [
        (
            "The load needs 15 workers, and there are 6 (workers.max): "
            "30 requests in flight per worker (10 wanted)."
        )
    ]
    assert told(scene)["held"] == "workers.max"
    look(scene, in_flight=30)
    assert not scene.texts
    look(scene, in_flight=0)
    assert told(scene)["held"] == ""


def test_nothing_is_scaled_before_the_service_runs_or_without_bounds() -> None:
    scene = booting(2, policy=SCALED)
    look(scene, in_flight=500)
    look(scene, in_flight=500)
    assert scene.fleet.state.target == 2
    scene = serving(2)
    look(scene, in_flight=500)
    assert look(scene, in_flight=500) == []
    assert told(scene)["follows_load"] is False


def test_the_boards_are_looked_at_four_times_a_second_and_less_often_where_nobody_has_anything_to_do() -> (
    None
):
    scene = serving(2, policy=SCALED)
    assert scene.due() == 0.25
    assert scene.after(0.25) == [Look()]
    look(scene, seconds=0.0)
    scene.after(0.25)
    assert scene.due() == 0.5
    scene.after(0.5)
    look(scene, in_flight=1, seconds=0.0)
    scene.after(0.5)
    assert scene.due() == 0.25


# -- who else wants something ------------------------------------------------------------------------------


def test_somebody_may_want_another_number_and_the_load_goes_on_from_there() -> None:
    """More stay for as long as fewer would; fewer stay if they are enough."""
    scene = serving(2, policy=SCALED)
    assert scene.tell(ScaleAsked("client", client=3, count=4)) == [Spawn(3, 2, 1), Spawn(4, 3, 1)]
    scene.tell(*up(3, 4))
    assert scene.replies[3] == Reply(
        3, is_ok=True, message="Scaled to 4 workers, from where their number follows the load."
    )
    for _ in range(5):
        assert look(scene, cpu=0.1) == []
    assert look(scene, cpu=0.1) == [Drain(4)]


@pytest.mark.parametrize(
    ("count", "asked", "number"),
    [(1, FEWER, None), (6, MORE, 7), (2, ScaleAsked("client", client=3, count=7), 7)],
)
def test_nobody_may_want_more_or_fewer_than_the_bounds_say(
    count: int, asked: ScaleAsked, number: int | None
) -> None:
    """Fewer than one are nobody's wish: one stays, and that is no mistake."""
    scene = serving(count, policy=SCALED)
    assert scene.tell(asked) == []
    assert scene.fleet.state.target == count
    if number is not None:
        text = f"from 1 (workers.min) to 6 (workers.max); {number} is not between them."
        assert scene.texts == [f"Received {asked.by}. The number of workers follows the load, {text}"]
    if asked.client is not None:
        assert not scene.replies[asked.client].is_ok


@pytest.mark.parametrize(
    ("before", "after", "target"),
    [
        (SCALE, SCALE, 4),
        (SCALE, replace(SCALE, most=3), 3),
        (SCALE, replace(SCALE, least=5), 5),
        (SCALE, ScalePolicy(), 2),
        (ScalePolicy(), SCALE, 4),
    ],
    ids=["the same", "fewer", "more", "no more", "from now on"],
)
def test_a_reload_keeps_the_number_inside_the_new_bounds(
    before: ScalePolicy, after: ScalePolicy, target: int
) -> None:
    """It does not go back to workers.count, unless that decides from now on."""
    scene = serving(2, max_surge=6, policy=replace(POLICY, scale=before))
    scene.tell(ScaleAsked("client", count=4), *up(3, 4))
    scene.settings = replace(scene.policy, scale=after)
    scene.tell(RELOAD, *up(5))
    scene.after(0.0, *up(6, 7, 8))
    assert scene.fleet.state.generation == 2
    assert scene.fleet.state.target == target


def test_an_upgrade_keeps_the_number_and_what_was_seen() -> None:
    scene = serving(2, policy=SCALED)
    look(scene, cpu=0.9)
    look(scene, cpu=0.9)
    scene.tell(*up(3))
    look(scene, cpu=0.9)
    values = json.loads(json.dumps(scene.fleet.export()))
    after = Fleet.restore(values, scene.policy, chance=lambda: 0.0)
    assert after.state.target == 3
    assert after.export() == scene.fleet.export()
    assert after.state.scaling == scene.fleet.state.scaling
    del values["autoscaling"], values["watermark"]  # as an earlier srvctl leaves it
    assert Fleet.restore(values, scene.policy, chance=lambda: 0.0).state.target == 3


def test_an_event_says_why() -> None:
    scene = serving(2, policy=SCALED)
    chronicle = Chronicle(scene.fleet.state)
    look(scene, cpu=0.9)
    look(scene, cpu=0.9)
    first, *_ = chronicle.news(scene.fleet.state)
    assert first == {
        "kind": "scale",
        "level": "info",
        "text": "3 workers wanted: loops 90 % busy (70 % wanted).",
        "target": 3,
    }
