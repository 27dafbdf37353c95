"""How long a slot waits: the row of waits, and its limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.supervisor.backoff import Backoff

seconds = st.floats(0.0, 3600.0)
policies = st.builds(Backoff, first=seconds, cap=seconds, jitter=st.floats(0.0, 1.0))
failures = st.integers(1, 10_000)
chances = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(1, 0.0), (2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0), (6, 8.0), (7, 16.0), (8, 30.0), (9, 30.0)],
)
def test_the_row_of_waits(failures: int, wait: float) -> None:
    """The first failure costs nothing; then the wait doubles up to the cap."""
    assert Backoff().delay(failures, chance=0.0) == wait


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 2.0), (0.5, 2.25), (1.0, 2.5)])
def test_jitter_only_adds(chance: float, wait: float) -> None:
    """Chance makes a wait longer by at most the jitter."""
    assert Backoff().delay(4, chance) == wait


def test_the_first_failure_has_no_jitter() -> None:
    """At once is at once, whatever chance says."""
    assert Backoff().delay(1, chance=1.0) == 0.0


def test_a_million_failures_are_still_only_the_cap() -> None:
    """The power stays finite."""
    assert Backoff().delay(1_000_000, chance=0.0) == 30.0


@given(policies, failures, chances)
def test_no_wait_is_longer_than_the_cap_and_its_jitter(policy: Backoff, failed: int, chance: float) -> None:
    """Whatever the policy, the wait is a number from nothing to the cap and its jitter."""
    assert 0.0 <= policy.delay(failed, chance) <= policy.cap * (1.0 + policy.jitter)


@given(policies, failures, failures, chances)
def test_more_failures_never_wait_less(policy: Backoff, one: int, other: int, chance: float) -> None:
    """With equal luck the wait only grows."""
    fewer, more = sorted((one, other))
    assert policy.delay(fewer, chance) <= policy.delay(more, chance)


@given(policies, failures, chances, chances)
def test_more_chance_never_waits_less(policy: Backoff, failed: int, one: float, other: float) -> None:
    """Jitter is monotone, too."""
    lucky, unlucky = sorted((one, other))
    assert policy.delay(failed, lucky) <= policy.delay(failed, unlucky)
