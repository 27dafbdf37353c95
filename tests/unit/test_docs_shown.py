"""How what a page shows is compared with what was printed: the tutorial's test is worth as much as this."""

from __future__ import annotations

import pytest

from tests.support.shown import Shown


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("INFO:     Started worker process [4711]", "INFO:     Started worker process [98]"),
        ("up 4.2 s, srvctl 0.1.0", "up 1 min 12 s, srvctl 1.10.2rc1"),
        ("   0  4711  ready    1      4s   0%  16M", "   0   22  ready  1   1min  100%  1.5G"),
        ("on http://127.0.0.1:8000 (Press", "on http://127.0.0.1:23456 (Press"),
        ("log: /home/ann/.local/srvctl.log (1.2 s).", "log: /tmp/state/srvctl.log (0.9 s)."),
        ("2026-11-23T10:15:24+01:00 (2 s ago)", "2027-01-01T00:00:00-05:00 (0 s ago)"),
        ("(a|b) [c]*", "(a|b) [c]*"),
    ],
)
def test_what_is_of_the_day_may_differ(shown: str, printed: str) -> None:
    assert Shown(23456).matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("generation 2 runs in 2 workers", "generation 2 runs in 3 workers"),
        ("Stopped: served 1, cut 0.", "Stopped: served 1, cut 1."),
        ("on http://127.0.0.1:8000 (Press", "on http://127.0.0.1:8000 (Press"),
        ("process 4711 hung", "process 98 hangs"),
        ("srvctl.toml:8", "srvctl.toml:9"),
        ("78", "2"),
        ("killed by SIGKILL", "killed by SIGKILL from outside"),
    ],
)
def test_what_is_meant_may_not(shown: str, printed: str) -> None:
    assert not Shown(23456).matches(shown, printed)


def test_a_process_stays_the_same_from_page_to_page() -> None:
    shown = Shown(23456)
    assert shown.matches("master 4700, worker 4701, again 4701", "master 9, worker 10, again 10")
    assert shown.real("kill -9 4701; curl :8000 4702") == "kill -9 10; curl :23456 4702"
    assert shown.matches("worker 4701", "worker 10")
    assert not shown.matches("worker 4701", "worker 9")


def test_lines_are_compared_in_order_and_some_may_be_left_out() -> None:
    shown = Shown(23456)
    assert shown.all_match(["a", "...", "d"], ["a", "b", "c", "d"])
    assert shown.all_match(["...", "d"], ["d"])
    assert shown.all_match([], [])
    assert not shown.all_match(["a", "...", "d"], ["a", "d", "e"])
    assert not shown.all_match(["b", "a"], ["a", "b"])
    assert not shown.all_match([], ["a"])
    assert not shown.all_match(["process 4711", "good"], ["process 5", "bad"])
    assert shown.all_match(["process 4711"], ["process 6"]), "what failed is forgotten"
