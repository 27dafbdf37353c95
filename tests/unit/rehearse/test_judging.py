"""From counts to a verdict: what is excused, what is broken, what is doubtful."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from srvctl.cli.rehearse_text import as_object, as_table
from srvctl.errors import ExitCode
from srvctl.rehearse.acts import Act
from srvctl.rehearse.judging import Limits, Result, doubtful, failing, judge, remark
from srvctl.rehearse.rehearsal import Report
from srvctl.rehearse.tally import Loss, Lost, Tally
from srvctl.rehearse.wishes import Wishes

WISHES = Wishes((Act.KILL,), 1.0, 50.0, 4, ("/",), (), 1.0, 10.0, Limits())


def tally_of(
    *statuses: int, lost: int = 0, port: int = 4000, seconds: float = 0.01, lag: float = 0.001
) -> Tally:
    tally = Tally(due=len(statuses) + lost)
    for status in statuses:
        tally.answer(f"/{status}", status, seconds, late_after=1.0)
        tally.lag.add(lag)
    for _ in range(lost):
        tally.lose(Lost(Loss.RESET, port, "/", 1.0, 2.0))
        tally.lag.add(lag)
    return tally


def test_only_what_was_lost_at_the_killed_worker_is_excused() -> None:
    tally = tally_of(200, lost=2, port=4000)
    tally.lose(Lost(Loss.CLOSED, 4001, "/", 1.0, 2.0))
    assert tally.lost_at({4000}) == 2
    kill = Result(Act.KILL, 1.0, tally, excused=2)
    verdict = judge([kill], Limits(), frozenset())
    assert verdict.broken == ("kill: 1 lost, and 0 allowed",)
    assert verdict.exit_code is ExitCode.REFUSED
    assert judge([kill], Limits(lost=1), frozenset()).exit_code is ExitCode.OK


def test_failures_of_paths_that_fail_anyway_do_not_count() -> None:
    steady = Result(Act.STEADY, 1.0, tally_of(200, 500))
    reload = Result(Act.RELOAD, 1.0, tally_of(200, 500))
    worse = Result(Act.RECYCLE, 1.0, tally_of(200, 500, 503))
    baseline = failing(steady.tally)
    assert judge([steady, reload], Limits(), baseline).broken == ()
    assert judge([steady, worse], Limits(), baseline).broken == ("recycle: 1 failed, and 0 allowed",)
    assert judge([worse], Limits(), failing(None)).broken == ("recycle: 2 failed, and 0 allowed",)


def test_times_are_limited_only_where_that_is_asked_for() -> None:
    slow = Result(Act.STEADY, 1.0, tally_of(200, seconds=2.0))
    assert judge([slow], Limits(), frozenset()).broken == ()
    broken = judge([slow], Limits(late=0, p99=1.5), frozenset()).broken
    assert broken == (
        "steady: 1 late, and 0 allowed",
        "steady: 2.000 p99 in seconds, and 1.5 allowed",
    )


def test_what_did_not_happen_is_broken_and_what_was_not_tried_is_not() -> None:
    failed = Result(Act.RELOAD, 1.0, tally_of(200), problem="the reload failed: no")
    skipped = Result(Act.HANG, obstacle="health.hang_timeout is 0")
    silent = Result(Act.STEADY, 1.0, Tally())
    verdict = judge([failed, skipped, silent], Limits(), frozenset())
    assert verdict.broken == ("reload: the reload failed: no", "steady: no request was answered")
    assert verdict.tried == 2


def test_a_load_that_was_late_itself_says_so() -> None:
    assert doubtful(tally_of(200)) == ""
    assert "late by 2" in doubtful(tally_of(200, lag=0.2))
    held_back = tally_of(200, 200)
    held_back.held_back = 1
    assert "--connections" in doubtful(held_back)
    assert doubtful(None) == doubtful(Tally()) == ""


def test_answers_that_are_probably_not_meant_are_remarked() -> None:
    assert "404" in remark(tally_of(404, 404, 200), frozenset())
    assert remark(tally_of(404, 200, 200), frozenset()) == ""
    assert "/500" in remark(tally_of(200), frozenset({"/500"}))


def test_an_instance_that_does_not_listen_any_more_loses_nothing() -> None:
    tally = Tally(due=1)
    tally.turn_away()
    assert (tally.due, tally.turned_away, tally.lost) == (0, 1, 0)


@pytest.mark.parametrize("lost", [0, 3])
def test_table_and_object_say_the_same(lost: int) -> None:
    tally = tally_of(*[200] * 5, lost=lost)
    assert Tally.from_json(json.loads(json.dumps(tally.as_json()))) == tally
    results = (
        Result(Act.KILL, 1.0, tally, back=0.25),
        Result(Act.HANG, obstacle="there are no signals"),
    )
    verdict = judge(results, Limits(), frozenset())
    report = Report(results, verdict, 2, WISHES.asked, (), "the log")
    table, told = as_table(report), json.loads(json.dumps(as_object(report, WISHES)))
    row = next(line.split() for line in table.splitlines() if line.startswith("kill"))
    assert row[:6] == ["kill", "1.0", str(5 + lost), str(lost), "0", "0"]
    assert "250 ms" in table
    assert "not tried: there are no signals" in table
    assert table.endswith(verdict.sentence)
    assert told["ok"] is not bool(lost)
    assert told["acts"][0]["lost"] == lost
    assert told["acts"][1] == {
        **told["acts"][1],
        "tried": False,
        "obstacle": "there are no signals",
    }
    assert ("connection reset" in table) is bool(lost)
    assert replace(verdict, broken=()).exit_code is ExitCode.OK
