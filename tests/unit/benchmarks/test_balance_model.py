"""The model of the mixed load: what is known without it, and that evenness is what counts."""

from __future__ import annotations

import pytest

from benchmarks.balance.model import BURNT, QUICK, p99

EVEN, UNEVEN = (10, 10, 10, 10), (2, 6, 12, 20)


def test_nobody_waits_who_is_alone() -> None:
    assert p99((1,), 1, seconds=1000) == pytest.approx(BURNT)


def test_workers_hinder_each_other_where_processors_are_scarce() -> None:
    alone, shared = (p99((1,) * 40, processors, seconds=100) for processors in (40, 1))
    assert alone == pytest.approx(BURNT)
    assert shared > 2 * BURNT


@pytest.mark.parametrize("processors", [2, 4])
def test_the_more_even_the_better(processors: int) -> None:
    any_worker = p99((40,), processors, at_once=4, seconds=200)
    even, uneven, one = (p99(spread, processors, seconds=200) for spread in (EVEN, UNEVEN, (40,)))
    assert QUICK < any_worker < even < uneven < one


def test_the_same_again() -> None:
    assert p99(EVEN, 2, seconds=10, seed=3) == p99(EVEN, 2, seconds=10, seed=3) != p99(EVEN, 2, seconds=10)
