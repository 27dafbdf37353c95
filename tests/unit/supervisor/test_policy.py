"""What the settings ask of the fleet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.settings.groups import HealthSettings, ReloadSettings, Settings, TimeoutSettings, WorkersSettings
from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.policy import HealthPolicy, RecyclePolicy, policy_of
from tests.support.scene import POLICY


def test_each_setting_arrives() -> None:
    """No two of the numbers are the same."""
    settings = Settings(
        workers=WorkersSettings(
            count="auto",
            max_surge=2,
            max_requests=3,
            max_requests_jitter=4,
            max_lifetime=5.0,
            max_lifetime_jitter=6.0,
            max_memory=7,
            recycle_spacing=8.0,
            min=15,
            max=17,
            scale_utilization=60,
            scale_in_flight=18,
            scale_down_delay=19.0,
            memory_watermark=80,
        ),
        health=HealthSettings(hang_timeout=9.0, path="/health", interval=10.0, timeout=11.0, threshold=12),
        reload=ReloadSettings(bake=13.0),
        timeouts=TimeoutSettings(
            boot=14.0, drain_delay=15.0, graceful_shutdown=100.0, lifespan_shutdown=20.0
        ),
    )
    policy = policy_of(settings, count=16)
    assert (policy.count, policy.max_surge, policy.bake) == (16, 2, 13.0)
    assert (policy.boot, policy.drain_delay, policy.term) == (14.0, 15.0, 20.0)
    assert policy.drain > 120.0  # beyond what a worker takes by its own timeouts
    assert policy.scale == ScalePolicy(15, 17, 0.6, 18, 19.0)
    assert policy.watermark == 0.8
    assert policy.recycle == RecyclePolicy(3, 4, 5.0, 6.0, 7, 8.0)
    assert policy.health == HealthPolicy(9.0, "/health", 10.0, 11.0, 12)


@pytest.mark.parametrize(("count", "least", "most", "first"), [(1, 2, 4, 2), (9, 2, 4, 4), (9, 2, 0, 9)])
def test_the_first_workers_are_as_many_as_the_bounds_allow(
    count: int, least: int, most: int, first: int
) -> None:
    """Bounds that do not bind leave the count as it is."""
    assert policy_of(Settings(workers=WorkersSettings(min=least, max=most)), count).count == first


def test_development_has_one_worker_whatever_its_load() -> None:
    """Also where a program asks for both, past the checks of the settings."""
    settings = Settings(
        workers=WorkersSettings(max=4, memory_watermark=80), reload=ReloadSettings(enabled=True)
    )
    policy = policy_of(settings, 1)
    assert not policy.scale.is_wanted
    assert not policy.watermark


@pytest.mark.parametrize(("preload", "is_tried"), [("auto", True), ("on", True), ("off", False)])
def test_preload_is_tried_unless_it_is_off(preload: str, is_tried: bool) -> None:
    """What `auto` makes of an application is found out by the mold."""
    settings = Settings(workers=WorkersSettings(preload=preload))  # type: ignore[arg-type]
    assert policy_of(settings, count=1).preload is is_tried


@pytest.mark.parametrize(
    ("recycle", "health", "every"),
    [
        pytest.param(RecyclePolicy(), HealthPolicy(), None, id="nothing to notice"),
        pytest.param(RecyclePolicy(requests=1), HealthPolicy(), 1.0, id="requests"),
        pytest.param(RecyclePolicy(lifetime=1.0), HealthPolicy(), 1.0, id="lifetime"),
        pytest.param(RecyclePolicy(memory=1), HealthPolicy(), 1.0, id="memory"),
        pytest.param(RecyclePolicy(), HealthPolicy(path="/"), 1.0, id="probe"),
        pytest.param(RecyclePolicy(), HealthPolicy(hang_timeout=30.0), 5.0, id="hang"),
        pytest.param(RecyclePolicy(), HealthPolicy(hang_timeout=8.0), 2.0, id="short hang"),
        pytest.param(RecyclePolicy(), HealthPolicy(hang_timeout=0.1), 0.1, id="shortest hang"),
        pytest.param(RecyclePolicy(requests=1), HealthPolicy(hang_timeout=30.0), 1.0, id="both"),
    ],
)
def test_the_boards_are_looked_at_as_seldom_as_will_do(
    recycle: RecyclePolicy, health: HealthPolicy, every: float | None
) -> None:
    """An idle machine is to rest."""
    assert replace(POLICY, recycle=recycle, health=health).look_every == every


@pytest.mark.parametrize(
    ("most", "watermark", "every"), [(0, 0.9, 1.0), (2, 0.0, 0.25), (2, 0.9, 0.25), (0, 0.0, None)]
)
def test_load_is_looked_at_more_often_than_memory(most: int, watermark: float, every: float | None) -> None:
    """A burst is to be met within a second."""
    assert replace(POLICY, scale=ScalePolicy(most=most), watermark=watermark).look_every == every
