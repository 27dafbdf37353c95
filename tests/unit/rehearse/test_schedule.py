"""Each request has its time, whatever became of those before it."""

from __future__ import annotations

import pytest

from srvctl.rehearse.acts import Act
from srvctl.rehearse.judging import Limits
from srvctl.rehearse.schedule import Schedule, kinds
from srvctl.rehearse.wishes import Wishes


def test_what_was_missed_is_due_at_its_own_time() -> None:
    schedule = Schedule(10, start=100.0)
    assert schedule.take(100.0) == [(0, 100.0)]
    assert schedule.next_due == pytest.approx(100.1)
    assert schedule.take(100.05) == []
    late = schedule.take(100.35)  # a load that stood still for a while
    assert [number for number, _ in late] == [1, 2, 3]
    assert [due for _, due in late] == pytest.approx([100.1, 100.2, 100.3])
    schedule.halt()
    assert schedule.take(200.0) == []


def test_three_of_four_clients_keep_their_connection() -> None:
    assert kinds(8) == [True, True, True, False] * 2
    assert kinds(1) == [True]


def test_headers_of_the_users_replace_the_usual_ones() -> None:
    wishes = Wishes((Act.STEADY,), 1.0, 50.0, 4, ("/",), ("host: shop.example",), 1.0, 10.0, Limits())
    head = wishes.load(8000).head
    assert head.startswith("host: shop.example\r\n")
    assert head.lower().count("host:") == 1
    assert "Accept: */*\r\n" in head
