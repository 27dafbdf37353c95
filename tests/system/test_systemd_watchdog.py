"""WatchdogSec= of the shipped unit on a real systemd: who is killed, and who is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.machine_service import PATIENT, Instance, running
from tests.support.server_waits import FACTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine import Machine

# The first of these tests may have to build the machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

#: Of what is to be killed: all of it is over before the patience of a test.
CLOSELY = 6.0 * FACTOR
#: Of what is to be left alone: a master that gets no CPU for some seconds is not late.
PERIOD = 9.0 * FACTOR


@pytest.fixture(scope="module")
def blog(machine: Machine) -> Iterator[Instance]:
    """An instance that systemd watches closely."""
    unit = f"WatchdogSec={CLOSELY}\nTimeoutAbortSec=2"
    with running(machine, "blog", 8001, unit=unit, workers=3) as blog:
        yield blog


@pytest.fixture(scope="module")
def calm(machine: Machine) -> Iterator[Instance]:
    """One that it watches less closely."""
    settings = f"{PATIENT}\nhealth.hang_timeout = 600\n"
    unit = f"WatchdogSec={PERIOD}"
    with running(machine, "calm", 8002, unit=unit, workers=3, settings=settings) as calm:
        yield calm


def has_been_restarted(blog: Instance, cursor: str, old: int, before: int) -> None:
    """Wait until systemd has killed the service for its silence, and it serves again."""
    blog.machine.wait_show(blog.unit, "NRestarts", lambda count: int(count) > before)
    blog.machine.wait_show(blog.unit, "ActiveState", "active")
    assert "Watchdog timeout" in blog.journal(cursor)
    assert blog.master != old
    blog.machine.wait_until(lambda: len(blog.workers()) == 3, "three workers serve again")
    assert blog.get() == "1"


def restarts(blog: Instance) -> int:
    return int(blog.show("NRestarts"))


def test_who_is_well_is_left_alone(calm: Instance) -> None:
    """Also idle, with nobody asking, for three of its periods."""
    master, before = calm.master, restarts(calm)
    time.sleep(3 * PERIOD)  # nothing is to happen, and nothing tells that it did not
    assert (calm.master, calm.state, restarts(calm)) == (master, "active", before)


def test_a_master_that_hangs_is_killed_and_started_again(blog: Instance) -> None:
    cursor, master, before = blog.machine.cursor(), blog.master, restarts(blog)
    blog.kill("STOP", master)
    has_been_restarted(blog, cursor, master, before)


def test_workers_that_all_hang_are_a_service_that_hangs(blog: Instance) -> None:
    """The master is well, but nobody serves; its own remedy would come after health.hang_timeout."""
    cursor, master, before = blog.machine.cursor(), blog.master, restarts(blog)
    blog.kill("STOP", *blog.workers())
    has_been_restarted(blog, cursor, master, before)


def test_a_worker_that_hangs_is_the_business_of_the_master(calm: Instance) -> None:
    """As long as more than half of them live, systemd hears of it in the status only."""
    master, before = calm.master, restarts(calm)
    [hung, *_] = calm.workers()
    calm.kill("STOP", hung)
    time.sleep(3 * PERIOD)  # as above
    assert (calm.master, calm.state, restarts(calm)) == (master, "active", before)
    calm.kill("CONT", hung)
