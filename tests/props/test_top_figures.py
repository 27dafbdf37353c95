"""Quantiles and rates of ``srvctl top``, from whatever was counted."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.cli.screen.figures import compare
from srvctl.ipc.quantiles import quantile
from srvctl.ipc.scoreboard import BOUNDS, BUCKETS

SECONDS = st.floats(0.00001, 100)
PARTS = st.floats(0.01, 1)


def counted(values: list[float]) -> list[int]:
    counts = [0] * BUCKETS
    for value in values:
        counts[bisect_left(BOUNDS, value)] += 1
    return counts


@given(st.lists(SECONDS, min_size=1), PARTS)
def test_a_quantile_is_in_the_bucket_of_the_true_one(values: list[float], part: float) -> None:
    true = sorted(values)[max(math.ceil(part * len(values)) - 1, 0)]
    found = quantile(part, BOUNDS, counted(values))
    bucket = bisect_left(BOUNDS, true)
    assert found is not None
    if bucket == len(BOUNDS):
        assert found == BOUNDS[-1]
    else:
        assert (BOUNDS[bucket - 1] if bucket else 0) <= found <= BOUNDS[bucket]


@given(st.lists(SECONDS, min_size=1), PARTS, PARTS)
def test_quantiles_rise(values: list[float], one: float, other: float) -> None:
    low, high = (quantile(part, BOUNDS, counted(values)) for part in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert low <= high


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.just(10**400) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
COUNTS = st.lists(st.integers(0, 2**53) | JSON, min_size=BUCKETS, max_size=BUCKETS)
COUNTERS = st.fixed_dictionaries(
    {},
    optional={
        "slot": st.integers(0, 3) | JSON,
        "pid": st.integers(1, 3) | JSON,
        "requests": st.integers(0, 1000) | JSON,
        "errors": st.integers(0, 1000) | JSON,
        "answered": st.dictionaries(st.sampled_from("0125"), COUNTS | JSON, max_size=2) | JSON,
        "cpu_seconds": st.floats(0, 10) | JSON,
        "uptime": st.floats(0, 10) | JSON,
    },
)
LOOKS = st.fixed_dictionaries(
    {"bounds": st.just(list(BOUNDS)) | JSON},
    optional={
        "pid": st.integers(1, 2) | JSON,
        "uptime": st.floats(0, 100) | JSON,
        "workers": st.lists(COUNTERS | JSON, max_size=3) | JSON,
        "slots": st.dictionaries(st.sampled_from("012"), COUNTERS | JSON, max_size=3) | JSON,
    },
)


@settings(max_examples=400)
@given(st.none() | LOOKS, LOOKS, st.floats(0, 10))
def test_nothing_a_master_says_makes_it_fail_or_count_below_zero(
    before: dict[str, Any] | None, now: dict[str, Any], seconds: float
) -> None:
    figures = compare(before, now, seconds)
    assert before is not None or figures.traffic is None
    for traffic in (figures.traffic, *(worker.traffic for worker in figures.workers)):
        if traffic is not None:
            assert traffic.requests >= 0
            assert traffic.errors >= 0
            assert traffic.p50 is None or traffic.p99 is None or traffic.p50 <= traffic.p99
