"""The number of workers against any load: in its bounds, up at once, down late, never to and fro."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from srvctl.supervisor.autoscale import Autoscale, ScalePolicy, Sight, is_enough, need
from srvctl.supervisor.load import SATURATED, Load, Meter
from tests.support.scene import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds between two looks.
EVERY = 0.25

shares = st.floats(0.0, 1.0)
loads = st.builds(Load, busy=shares, in_flight=st.integers(0, 500), work=st.floats(0.0, 50.0))
sights = st.builds(
    Sight,
    loads=st.lists(loads, max_size=8),
    fresh=st.integers(0, 3),
    blind=st.integers(0, 3),
    in_flight=st.integers(0, 2000),
    rate=st.floats(0.0, 1000.0),
)
policies = st.builds(
    lambda least, more, busy, in_flight, delay: ScalePolicy(least, least + more, busy, in_flight, delay),
    st.integers(1, 5),
    st.integers(0, 20),
    st.sampled_from([0.1, 0.5, 0.7, 0.95]),
    st.sampled_from([0, 1, 32]),
    st.sampled_from([0.0, 1.0, 5.0]),
)


def of_demand(demand: float, workers: int) -> Sight:
    """Return what so many workers show of a load that would keep ``demand`` loops busy."""
    busy = min(demand / workers, 1.0)
    return Sight([Load(busy)] * workers)


@given(
    policy=policies,
    wanted=st.integers(1, 30),
    looks=st.lists(st.tuples(sights, st.booleans(), st.booleans()), max_size=30),
)
def test_it_stays_inside_its_bounds_and_goes_down_by_one(
    policy: ScalePolicy, wanted: int, looks: Sequence[tuple[Sight, bool, bool]]
) -> None:
    """Whatever is seen. Down only where that may be, and after so long a time in which fewer were enough."""
    autoscale, now, calm_since = Autoscale(), 0.0, 0.0
    wanted = policy.clamp(wanted)
    for sight, may_shrink, may_grow in looks:
        now += EVERY
        calm = may_shrink and is_enough(wanted - 1, sight, sight.in_flight, policy)
        if not calm:
            calm_since = now + EVERY
        verdict = autoscale.judge(sight, wanted, now, policy, may_shrink=may_shrink, may_grow=may_grow)
        assert policy.least <= verdict.count <= policy.most
        assert verdict.count >= wanted - 1
        if verdict.count > wanted:
            assert may_grow
        if verdict.count < wanted:
            assert calm
            assert now - calm_since >= policy.delay - 1e-9
        if verdict.count != wanted:
            calm_since = now + EVERY
        wanted = verdict.count


@given(policy=policies, wanted=st.integers(1, 30), sight=sights)
def test_it_grows_at_once_to_what_is_needed(policy: ScalePolicy, wanted: int, sight: Sight) -> None:
    """Two looks that see the same are enough, as far as the bounds allow."""
    wanted = policy.clamp(wanted)
    autoscale = Autoscale()
    for now in (1.0, 1.0 + EVERY):
        verdict = autoscale.judge(sight, wanted, now, policy, may_shrink=False, may_grow=True)
    lasting = need(sight, sight.in_flight, sight.coming, policy).count
    assert verdict.count == max(wanted, policy.clamp(lasting))
    assert verdict.lacks == max(lasting - verdict.count, 0)


@given(policy=policies, start=st.integers(1, 30), demand=st.floats(0.0, 30.0))
def test_under_a_steady_load_it_goes_up_and_then_down_and_then_stays(
    policy: ScalePolicy, start: int, demand: float
) -> None:
    """What comes of it leaves room; one worker fewer would not leave enough of it, or is not allowed."""
    policy = replace(policy, in_flight=0)
    autoscale, wanted, now = Autoscale(), policy.clamp(start), 0.0
    counts = [wanted]
    for _ in range(700):
        now += EVERY
        sight = of_demand(demand, wanted)
        verdict = autoscale.judge(sight, wanted, now, policy, may_shrink=True, may_grow=True)
        if verdict.count != wanted:
            counts.append(verdict.count)
        wanted = verdict.count
    peak = counts.index(max(counts))
    assert counts[: peak + 1] == sorted(counts[: peak + 1])
    assert counts[peak:] == sorted(counts[peak:], reverse=True)
    assert wanted >= min(policy.clamp(math.ceil(demand / policy.busy - 1e-6)), policy.most)
    fewer = of_demand(demand, wanted)
    assert wanted == policy.least or not is_enough(wanted - 1, fewer, 0, policy)


@given(sight=sights, policy=policies)
def test_what_is_not_seen_is_not_taken_for_no_load(sight: Sight, policy: ScalePolicy) -> None:
    """Workers that say nothing make no case for fewer of them, and none at all is not even no load."""
    nothing = replace(sight, loads=[])
    assert not is_enough(100, nothing, 0, policy)
    seen = replace(sight, blind=0)
    assert need(sight, 0, 0.0, policy).count >= need(seen, 0, 0.0, policy).count
    assert need(nothing, 0, 0.0, policy).count == 0


@given(busy=st.lists(shares, min_size=1, max_size=8), policy=policies)
def test_more_load_never_needs_fewer(busy: list[float], policy: ScalePolicy) -> None:
    """For each worker alone, too."""
    less = Sight([Load(share) for share in busy])
    more = Sight([Load(min(share * 1.2 + 0.01, 1.0)) for share in busy])
    assert need(more, 0, 0.0, policy).count >= need(less, 0, 0.0, policy).count
    assert not is_enough(3, more, 0, policy) or is_enough(3, less, 0, policy)


@given(
    beats=st.lists(
        st.tuples(st.floats(0.5, 3.0), shares, st.integers(0, 50), shares, shares), min_size=2, max_size=10
    )
)
def test_a_meter_tells_the_share_of_the_time_since_the_beat_before(
    beats: list[tuple[float, float, int, float, float]],
) -> None:
    """By processor time, or by how late the beat came, less what the worker waited for a CPU."""
    meter, now, used, waited, done = Meter(ready_at=100.0), 100.0, 7.0, 0.0, 0
    meter.take(reading(99.9, finished=1), 100.0)
    for number, (passed, share, requests, lag, wait) in enumerate(beats):
        now += passed
        used += passed * share
        waited += wait
        done += requests
        seen = replace(reading(now, begun=done, finished=done, lag=lag, waited=waited), cpu_seconds=used)
        load = meter.take(seen, now)
        if number == 0:
            assert load is None  # what came before it was ready is no load
            continue
        assert load is not None
        expected = min(max(share, max(lag - wait, 0.0) / passed), 1.0)
        assert math.isclose(load.busy, expected, abs_tol=1e-6)
        assert math.isclose(load.used, passed * share, abs_tol=1e-6)
        assume(load.busy < SATURATED)
        assert load.work == 0


@given(silent=st.floats(0.0, 20.0))
def test_a_beat_that_is_overdue_is_a_loop_that_is_busy(silent: float) -> None:
    """Half a second is between two of them, and a quarter more proves nothing."""
    meter = Meter(ready_at=0.0)
    meter.take(reading(1.0), 1.0)
    meter.take(reading(1.5), 1.5)
    load = meter.take(reading(1.5, begun=9, finished=4), 1.5 + silent)
    assert load is not None
    assert load.busy == (1.0 if silent > 0.75 else 0.0)
    assert load.in_flight == 5
