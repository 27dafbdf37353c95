"""Facts of the machine the tests run on."""

from __future__ import annotations

import os
import time

import pytest

from benchmarks.machine import busy_seconds, facts
from benchmarks.processes import pinned


def test_each_fact_is_known() -> None:
    assert all(facts().values())


def test_a_cpu_that_works_is_busy() -> None:
    cpu = min(os.sched_getaffinity(0))
    with pinned(cpu):
        before = busy_seconds(cpu)
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        assert busy_seconds(cpu) - before >= 0.15


def test_a_cpu_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="no CPU 99999"):
        busy_seconds(99999)
