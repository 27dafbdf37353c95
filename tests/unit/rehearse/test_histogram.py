"""Percentiles from buckets: never too low, and too high by no more than a bucket."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from srvctl.rehearse.histogram import Histogram

SECONDS = st.floats(min_value=0.0, max_value=1e5)


def filled(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(st.lists(SECONDS, min_size=1, max_size=200), st.floats(min_value=0.1, max_value=100))
def test_a_percentile_is_right_within_a_bucket(values: list[float], percent: float) -> None:
    true = sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]
    told = filled(values).percentile(percent)
    assert told is not None
    assert true <= told * 1.000001 + 1e-9
    assert told <= max(true * 1.0201, 1e-5)


@given(st.lists(SECONDS, max_size=100))
def test_it_travels_as_json(values: list[float]) -> None:
    histogram = filled(values)
    copy = Histogram.from_json(json.loads(json.dumps(histogram.as_json())))
    assert copy == histogram
    assert (copy.count, copy.most) == (len(values), max(values, default=0.0))


def test_an_empty_one_knows_nothing() -> None:
    assert Histogram().percentile(99) is None
