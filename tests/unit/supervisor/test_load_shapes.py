"""The number of workers through loads of several shapes: enough in time, few changes, little waste."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import pytest

from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.policy import HealthPolicy
from tests.support.load_model import STEP, LoadModel, shape
from tests.support.scene import POLICY

BUSY: Final = 0.7
MOST: Final = 32
IN_FLIGHT: Final = 32


def model(cost: float, wait: float = 0.0, *, delay: float = 30.0, first: int = 1) -> LoadModel:
    scale = ScalePolicy(1, MOST, BUSY, IN_FLIGHT, delay)
    policy = replace(POLICY, count=first, scale=scale, health=HealthPolicy(hang_timeout=60.0))
    return LoadModel(policy, cost=cost, wait=wait)


def needed(rate: float, cost: float, wait: float = 0.0) -> int:
    """Return what somebody who knew the load would have."""
    return max(1, math.ceil(rate * cost / BUSY), math.ceil(rate * (cost + wait) / IN_FLIGHT))


def wanted_at(load: LoadModel, moment: float) -> int:
    return [count for at, count in load.targets if at <= moment][-1]


@pytest.mark.parametrize("after_a_beat", [0.0, 0.2, 0.4])
@pytest.mark.parametrize(
    ("cost", "wait", "scale"),
    [(0.01, 0.0, 1.0), (0.1, 0.0, 0.1), (0.001, 0.5, 2.0)],
    ids=["short requests", "long requests", "requests that wait"],
)
def test_ten_times_the_load_is_met_within_a_second(
    cost: float, wait: float, scale: float, after_a_beat: float
) -> None:
    """There are then workers for all that comes; a moment later as many as leave room."""
    load = model(cost, wait)
    rates = [rate * scale for rate in shape("burst")]
    load.play(rates[:20])
    for _ in range(round(after_a_beat / STEP)):
        load.step(rates[19])
    assert load.wanted <= needed(rates[19] * 2, cost, wait)
    began, burst = load.passed, min(rates[20:40])
    assert burst >= 8 * rates[19]
    load.play(rates[20:40])
    at_work = max(burst * cost, burst * (cost + wait) / IN_FLIGHT)  # with every loop busy all the time
    assert wanted_at(load, began + 1.0) >= at_work
    assert wanted_at(load, began + 3.0) >= needed(burst, cost, wait)
    assert load.wanted <= 1.5 * needed(max(rates), cost, wait)
    assert load.lost == 0


@pytest.mark.parametrize(
    ("name", "delay", "changes", "waste"),
    [
        ("steady", 5.0, 4, 1.4),
        ("burst", 5.0, 20, 1.9),
        ("sawtooth", 5.0, 30, 1.5),
        ("daily", 5.0, 24, 1.3),
        ("steady", 30.0, 4, 1.4),
        ("sawtooth", 30.0, 14, 2.0),
    ],
)
def test_a_load_costs_few_changes_and_little_more_than_it_must(
    name: str, delay: float, changes: int, waste: float
) -> None:
    """Compared with somebody who knows the load of every second before it comes."""
    load = model(0.01, delay=delay)
    rates = shape(name)
    load.play(rates)
    oracle = sum(needed(rate, 0.01) for rate in rates)
    steps = [after - before for (_, before), (_, after) in zip(load.targets, load.targets[1:], strict=False)]
    assert len(steps) <= changes
    assert all(step >= -1 for step in steps)
    assert load.spent <= waste * oracle
    assert load.lost == 0
    print(f"{name}: {len(steps)} changes, {load.spent / oracle:.2f} of the oracle's cost")


def test_a_steady_load_changes_nothing_once_it_is_met() -> None:
    """However it varies by chance."""
    load = model(0.01, delay=5.0, first=4)
    load.play(shape("steady"))
    assert load.targets == [(0.0, 4)]


def test_a_blocked_worker_adds_a_few_and_not_ever_more() -> None:
    """Who is blocked has its part of the load; that is not taken for the load of everybody."""
    load = model(0.01, delay=5.0, first=4)
    rates = shape("steady")
    load.play(rates[:5])
    load.block(1, 20.0)
    load.play(rates[5:25])
    assert load.wanted <= needed(200, 0.01) + 3
    load.play(rates[25:])
    assert load.wanted == needed(200, 0.01) + 1


def test_nobody_is_added_while_new_workers_do_not_come_up() -> None:
    """The first ones come up; whoever is started later does not live, and more of them would not either."""
    load = model(0.01)
    load.play(shape("burst")[:20])
    load.comes_up = False
    first = load.wanted
    load.play(shape("burst")[20:40])
    more = [count for _, count in load.targets if count > first]
    assert len(more) == 1
