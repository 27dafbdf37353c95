"""A service whose memory runs short: who is replaced, who is not, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from srvctl.supervisor.actions import Examine, Look, Severity, Spawn
from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.events import Examined, Looked, Memory
from srvctl.supervisor.policy import RecyclePolicy
from srvctl.supervisor.watermark import has_grown
from tests.support.scene import POLICY, RELOAD, Scene, exited, reading, serving, up

if TYPE_CHECKING:
    from srvctl.supervisor.actions import Action

MIB = 2**20
SHORT = replace(POLICY, watermark=0.9, recycle=RecyclePolicy(spacing=10.0))
FULL, HALF, NEAR = Memory(920, 1000), Memory(500, 1000), Memory(890, 1000)


def look(
    scene: Scene, memory: Memory | None, sizes: dict[int, int] | None = None, seconds: float = 1.0
) -> list[Action]:
    """See how much is used, by all and by each worker, which had 20 MiB when it began; in MiB."""
    scene.now += seconds
    readings = {
        worker.number: replace(
            reading(scene.now, rss=(sizes or {}).get(worker.number, 20) * MIB), rss_trend=(20 * MIB,)
        )
        for worker in scene.fleet.state.roster
    }
    done = scene.tell(Looked(readings, memory))
    return [action for action in done if not isinstance(action, Look)]


def weigh(scene: Scene, **sizes: int) -> list[Action]:
    """Say how much memory workers have to themselves, in MiB: ``w1=…``."""
    return scene.tell(*(Examined(int(name[1:]), pss=size * MIB) for name, size in sizes.items()))


def full(sizes: dict[int, int], count: int = 3) -> Scene:
    """A service that has been short of memory for so long that those who have grown are weighed."""
    scene = serving(count, policy=SHORT)
    look(scene, FULL, sizes)
    look(scene, FULL, sizes)
    return scene


def test_memory_is_read_only_where_there_is_a_watermark() -> None:
    """And once a second, however often the boards are read."""
    quick = replace(SHORT, scale=ScalePolicy(most=4))
    scene = serving(2, policy=quick)
    looks = [action for _ in range(9) for action in scene.after(0.25)]
    assert [look.with_memory for look in looks if isinstance(look, Look)].count(True) == 3
    scene = serving(2, policy=replace(quick, watermark=0.0))
    looks = [action for _ in range(9) for action in scene.after(0.25)]
    assert Look(with_memory=True) not in looks


def test_the_largest_of_those_that_have_grown_is_replaced() -> None:
    """By what each has to itself, which is measured of the three with most resident memory, at most."""
    sizes = {1: 40, 2: 90, 3: 80, 4: 70, 5: 20}
    scene = serving(5, policy=SHORT)
    assert look(scene, FULL, sizes) == []
    assert look(scene, FULL, sizes) == [Examine(2), Examine(3), Examine(4)]
    assert scene.texts == [
        "92 % of 0.0 MiB memory are used (90 % at most, workers.memory_watermark): no worker is added."
    ]
    assert weigh(scene, w2=30, w3=60, w4=50) == []
    assert look(scene, FULL, sizes) == [Spawn(6, 2, 1)]
    assert scene.worker(3).leaves_because == (
        "memory_watermark: 92 % of 0.0 MiB memory are used, 60 MiB by this worker"
    )
    scene.tell(*up(6))
    assert scene.worker(3).asked_by == scene.worker(3).leaves_because


def test_the_next_one_waits_until_the_first_is_gone_and_for_the_spacing() -> None:
    sizes = {1: 60, 2: 90, 3: 20}
    scene = full(sizes)
    weigh(scene, w1=60, w2=90)
    assert look(scene, FULL, sizes) == [Spawn(4, 1, 1)]
    scene.tell(*up(4))
    for _ in range(15):  # it drains, and the kernel counts its memory until it is gone
        assert look(scene, FULL, sizes) == []
    scene.tell(*exited(2))
    assert look(scene, FULL, sizes) == [Examine(1)]
    weigh(scene, w1=60)
    assert look(scene, FULL, sizes) == [Spawn(5, 0, 1)]


def test_the_spacing_is_kept_however_fast_workers_are_gone() -> None:
    sizes = {1: 60, 2: 90, 3: 20}
    scene = full(sizes)
    weigh(scene, w1=60, w2=90)
    look(scene, FULL, sizes)
    scene.tell(*up(4), *exited(2))
    began = scene.now
    while not look(scene, FULL, sizes):
        assert scene.now - began < 11
    assert scene.now - began >= 10


def test_nobody_is_replaced_who_has_not_grown() -> None:
    """A new worker would have as much. That is told, once what boards say of it is not old any more."""
    scene = serving(2, policy=SHORT)
    warnings = []
    for _ in range(40):
        assert look(scene, FULL, {1: 21, 2: 27}) == []
        warnings += [line.text for line in scene.lines if line.severity is Severity.WARNING]
    assert len(warnings) == 2
    assert warnings[1] == (
        "92 % of 0.0 MiB memory are used, but no worker has grown: to replace one would free nothing."
    )


def test_a_passing_need_and_one_below_the_watermark_replace_nobody() -> None:
    scene = serving(2, policy=SHORT)
    for memory in (FULL, NEAR, FULL, HALF, FULL, None, HALF):
        assert look(scene, memory, {1: 90}) == []
        assert not scene.texts
    assert look(serving(2), FULL, {1: 90}) == []


def test_there_is_room_again_a_little_below_the_watermark() -> None:
    """Lest it be told to and fro."""
    scene = full({})
    for memory in (NEAR, FULL, NEAR):
        look(scene, memory)
        assert not scene.texts
    look(scene, HALF)
    assert scene.texts == ["50 % of 0.0 MiB memory are used: there is room for workers again."]


def test_nobody_is_replaced_for_it_while_new_code_comes_in() -> None:
    scene = serving(2, policy=SHORT)
    scene.tell(RELOAD)
    look(scene, FULL, {1: 90})
    assert look(scene, FULL, {1: 90}) == []


def test_the_load_brings_nobody_while_memory_is_short() -> None:
    """It is told what holds them, and they come as soon as there is room."""
    scene = serving(2, policy=replace(SHORT, scale=ScalePolicy(1, 8, 0.7, 10)))

    def loaded(memory: Memory) -> list[Action]:
        scene.now += 0.5
        boards = {worker.number: reading(scene.now, begun=40) for worker in scene.fleet.state.roster}
        return [done for done in scene.tell(Looked(boards, memory)) if not isinstance(done, Look)]

    loaded(FULL)
    scene.fleet.state.target = 2
    loaded(FULL)
    assert scene.fleet.state.scaling.held == "workers.memory_watermark"
    assert scene.fleet.state.target == 2
    loaded(HALF)
    assert scene.fleet.state.target == 8


@pytest.mark.parametrize(
    ("first", "now", "grown"),
    [(20, 20, False), (20, 27, False), (20, 28, True), (200, 219, False), (200, 221, True)],
)
def test_who_has_grown_has_more_than_a_tenth_more(first: int, now: int, grown: bool) -> None:
    """And some megabytes more, which every worker takes with its first requests."""
    scene = serving(1)
    board = replace(reading(scene.now, rss=now * MIB), rss_trend=(first * MIB, 7))
    scene.worker(1).health.reading = board
    assert has_grown(scene.worker(1)) == grown
    scene.worker(1).health.reading = replace(board, rss_trend=())
    assert not has_grown(scene.worker(1))
    scene.worker(1).health.reading = None
    assert not has_grown(scene.worker(1))
