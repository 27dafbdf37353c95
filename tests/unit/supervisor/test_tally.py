"""What an instance has counted: it never goes down, whatever becomes of its workers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.ipc.deaths import Death
from srvctl.ipc.scoreboard import BUCKETS, Reading
from srvctl.supervisor.tally import CAUSES, Tally, cause_of
from tests.support.scene import reading

DEATH = Death(
    at=0.0,
    master=1,
    worker=1,
    slot=0,
    generation=1,
    pid=2,
    state="ready",
    cause="killed by SIGSEGV",
    asked_by="",
    uptime=1.0,
    oom=False,
    is_measured=True,
    rss=0,
    rss_trend=(),
    lag=0.0,
    lag_max=0.0,
    served=0,
    in_flight=0,
    cut=0,
    stderr=(),
    stack="",
)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({}, "crash"),
        ({"state": "booting"}, "boot"),
        ({"oom": True}, "oom"),
        ({"asked_by": "reload"}, "reload"),
        ({"asked_by": "its reload failed"}, "reload"),
        ({"asked_by": "reload; it did not end within 4 s"}, "reload"),
        ({"asked_by": "max_requests: 100"}, "max_requests"),
        ({"asked_by": "max_lifetime: 60 s"}, "max_lifetime"),
        ({"asked_by": "max_memory: 1 GiB"}, "max_memory"),
        ({"asked_by": "memory_watermark: 91 % of 1 GiB memory are used"}, "memory_watermark"),
        ({"asked_by": "hang: its loop was blocked for 3 s"}, "hang"),
        ({"asked_by": "health probe: status 500"}, "health"),
        ({"asked_by": "scaled down"}, "scale"),
        ({"asked_by": "boot: not ready within 60 s"}, "boot"),
        ({"asked_by": "srvctl recycle (pid 7 of user 0)"}, "operator"),
        ({"asked_by": "itself, or a signal"}, "signal"),
        ({"asked_by": "it broke its channel (…)"}, "other"),
        ({"asked_by": "stop"}, ""),
        ({"asked_by": "stop; it did not end within 4 s"}, ""),
        ({"asked_by": "SIGTERM, at once"}, ""),
        ({"asked_by": "srvctl stop (pid 7 of user 0), at once"}, ""),
    ],
)
def test_each_death_has_one_cause(changes: dict[str, str], cause: str) -> None:
    assert cause_of(replace(DEATH, **changes)) == cause  # type: ignore[arg-type]
    assert cause in {"", *CAUSES}


def board(finished: int, in_flight: int = 0) -> Reading:
    counts = (finished, *[0] * (BUCKETS - 1))
    known = reading(1.0, begun=finished + in_flight, finished=finished)
    return replace(known, answered={"2": counts}, seconds={"2": finished / 4}, cpu_seconds=finished / 2)


def test_what_was_counted_outlives_the_worker() -> None:
    tally = Tally()
    tally.died(DEATH, board(5, in_flight=2))
    totals = tally.totals([(0, board(3, in_flight=1)), (1, board(1))])
    assert totals["0"]["requests"] == 8
    assert totals["0"]["answered"]["2"][0] == 8
    assert totals["0"]["seconds"]["2"] == 2.0
    assert totals["0"]["cpu_seconds"] == 4.0
    assert totals["0"]["cut"] == 2
    assert totals["0"]["restarts"] == 1
    assert totals["1"]["requests"] == 1
    assert tally.restarts["crash"] == 1


def test_a_death_with_the_service_is_no_restart() -> None:
    tally = Tally()
    tally.died(replace(DEATH, asked_by="stop"), None)
    assert not any(tally.restarts.values())


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50), st.booleans()), max_size=30))
def test_totals_never_go_down(steps: list[tuple[int, int, bool]]) -> None:
    """Workers count, die, are replaced; the tally is written down and read back."""
    tally, alive = Tally(), dict.fromkeys(range(3), 0)
    before: dict[str, int] = {}
    for slot, more, dies in steps:
        alive[slot] += more
        if dies:
            tally.died(replace(DEATH, slot=slot), board(alive[slot]))
            alive[slot] = 0
            other = Tally()
            other.restore(json.loads(json.dumps(tally.export())))
            tally = other
        totals = tally.totals([(one, board(count)) for one, count in alive.items()])
        now = {one: found["requests"] for one, found in totals.items()}
        assert all(now[one] >= count for one, count in before.items())
        before = now
    assert sum(before.values()) == (sum(more for _, more, _ in steps) if steps else 0)
