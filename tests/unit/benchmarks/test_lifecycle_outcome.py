"""Figures, marks and the table, and the code that is reloaded: all without a server."""

from __future__ import annotations

import json
import math
import os
import runpy
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.lifecycle import command, report
from benchmarks.lifecycle.catalog import SCENARIOS
from benchmarks.lifecycle.code import Code, CodeDirectory
from benchmarks.lifecycle.faults import lost_beyond
from benchmarks.lifecycle.outcome import (
    NEVER,
    Combine,
    Figure,
    Outcome,
    Value,
    Verdict,
    books,
    combine,
    remarks,
    shown,
    shown_mark,
    verdict,
)
from benchmarks.lifecycle.scenario import LOST, Pace, Scenario, Stage
from benchmarks.lifecycle.servers import CONTESTANTS, Ability
from benchmarks.lifecycle.service import is_alive, until
from benchmarks.lifecycle.tally import Seen, Tally, Trouble

TIME = Figure("time", "how long", "s", 2.0, combine=Combine.WORST)


def never_run(_stage: Stage) -> Outcome:
    raise AssertionError("nothing is run here")


SCENARIO = Scenario("try", (LOST, TIME), never_run)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Value(0, 20_000), Verdict.PASS),
        (Value(0, 19_999), Verdict.SHORT),
        (Value(1, 30_000), Verdict.FAIL),
        (Value(1, 1), Verdict.FAIL),
    ],
)
def test_nothing_may_be_lost_of_enough(value: Value, said: Verdict) -> None:
    assert verdict(LOST, Outcome({"lost": value})) is said


def test_a_mark_is_an_upper_limit_and_never_is_beyond_all() -> None:
    assert verdict(TIME, Outcome({"time": Value(2.0)})) is Verdict.PASS
    assert verdict(TIME, Outcome({"time": Value(2.01)})) is Verdict.FAIL
    assert verdict(TIME, Outcome({"time": Value(NEVER)})) is Verdict.FAIL
    assert verdict(TIME, Outcome({"time": Value(NEVER)}, is_valid=False)) is Verdict.INVALID
    assert verdict(TIME, Outcome({})) is Verdict.NONE
    assert verdict(replace(TIME, mark=None), Outcome({"time": Value(1)})) is Verdict.NONE


def test_values_and_marks_are_shown_with_units() -> None:
    assert shown(Value(0, 20_134), "") == "0 of 20,134"
    assert shown(Value(1.234), "s") == "1.23 s"
    assert shown(Value(NEVER), "ms") == "never"
    assert shown(None, "s") == "-"
    assert (shown_mark(LOST), shown_mark(TIME)) == ("0 of ≥ 20,000", "≤ 2 s")
    assert shown_mark(replace(TIME, mark=None)) == ""
    assert shown_mark(LOST.named("other", "something else")) == "0"


def test_rounds_are_added_or_the_worst_or_the_median_counts() -> None:
    median = Figure("start", "", "s", combine=Combine.MEDIAN)
    rounds = [
        Outcome({"lost": Value(lost, 10), "time": Value(time), "start": Value(time)}, remarks=("seen",))
        for lost, time in [(0, 3.0), (2, 1.0), (1, NEVER)]
    ]
    whole = combine([*rounds[:2], replace(rounds[2], is_valid=False)], [LOST, TIME, median])
    assert whole.values == {"lost": Value(3, 30), "time": Value(NEVER), "start": Value(3.0)}
    assert not whole.is_valid
    assert whole.remarks == ("seen",) * 3


def test_refused_is_lost_unless_the_server_was_told_to_go() -> None:
    tally = Tally(due=10, answered=4, refused=3, lost=2, wrong=1, retriable=5, late=1, reasons={"reset": 2})
    assert books(tally) == {"lost": Value(6, 10), "retriable": Value(5), "late": Value(1)}
    assert books(tally, may_refuse=True)["lost"] == Value(3, 10)
    assert remarks(tally) == ("3 refused, 2 reset; slowest 0.00 s",)
    assert remarks(Tally(due=10, answered=10)) == ()


def test_a_killed_worker_excuses_only_what_was_in_it() -> None:
    crossing = [Trouble("reset", due=0.9, ended=1.1, worker=0), Trouble("reset", 0.8, 1.0, 0)]
    before_and_after = [Trouble("reset", 0.5, 0.6, 0), Trouble("refused", 1.2, 1.3, 0)]
    late = Trouble("late", 0.9, 2.5, 7)
    tally = Tally(lost=2, troubles=[*crossing, late])
    assert lost_beyond(tally, [1.0], in_flight=2) == 0
    assert lost_beyond(tally, [1.0], in_flight=1) == 1
    tally = Tally(lost=3, refused=1, troubles=[*crossing, *before_and_after, late])
    assert lost_beyond(tally, [1.0], in_flight=2) == 2
    assert lost_beyond(Tally(lost=9000, troubles=crossing), [1.0], in_flight=5) == 8998


def results(outcome: Outcome | None, failure: str = "") -> report.Results:
    at = ("try", "srvctl")
    return report.Results(
        pace=Pace(),
        machine={"CPUs": "2"},
        versions={"srvctl": "1.0", "uvicorn": "2.0"},
        scenarios=(SCENARIO,),
        outcomes={} if outcome is None else {at: outcome},
        failures={at: failure} if failure else {},
        left_out={"granian": "not installed"},
    )


def test_the_table_has_figures_marks_values_and_a_verdict() -> None:
    outcome = Outcome({"lost": Value(0, 20_000), "time": Value(NEVER)}, remarks=("5 late",))
    done = results(outcome)
    lines = report.text(done).splitlines()
    assert lines[2] == "srvctl 1.0, uvicorn 2.0"
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    assert cells[0] == ["scenario", "figure", "mark", "srvctl", "verdict", "uvicorn"]
    assert cells[2] == ["try", "requests lost", "0 of ≥ 20,000", "0 of 20,000", "pass", "-"]
    assert cells[3] == ["", "how long", "≤ 2 s", "never", "FAIL", "-"]
    assert lines[-2:] == ["- try, srvctl: 5 late", "- left out: granian: not installed"]
    assert done.has_failed


def test_a_scenario_that_failed_misses_its_marks() -> None:
    done = results(None, "It exited with code 3.")
    assert done.has_failed
    assert "- try, srvctl: failed: It exited with code 3." in report.text(done)
    assert report.as_json(done)["scenarios"][0]["servers"] == {"srvctl": {"failed": "It exited with code 3."}}


def test_an_invalid_one_neither_passes_nor_fails() -> None:
    done = results(Outcome({"lost": Value(3, 10)}, is_valid=False))
    assert not done.has_failed
    assert "(3 of 10)" in report.text(done)


def test_never_is_null_in_json() -> None:
    whole = json.loads(
        json.dumps(report.as_json(results(Outcome({"time": Value(math.inf)}))), allow_nan=False)
    )
    scenario = whole["scenarios"][0]
    assert scenario["servers"]["srvctl"]["values"]["time"] == {"amount": None, "of": None}
    assert [figure["verdict"] for figure in scenario["figures"]] == ["-", "FAIL"]


def test_each_scenario_has_figures_of_different_keys() -> None:
    for name, scenario in SCENARIOS.items():
        keys = [figure.key for figure in scenario.figures]
        assert len(set(keys)) == len(keys) > 0, name


def test_every_scenario_concerns_srvctl() -> None:
    for scenario in SCENARIOS.values():
        assert scenario.concerns(CONTESTANTS["srvctl"])
    assert not SCENARIOS["upgrade"].concerns(CONTESTANTS["uvicorn"])
    assert not SCENARIOS["reload"].concerns(CONTESTANTS["gunicorn-preload"])
    assert SCENARIOS["memory"].concerns(CONTESTANTS["gunicorn-preload"])


def test_a_server_is_told_what_it_has_words_for() -> None:
    told = {Ability.RELOAD: "", Ability.HANG: "3", Ability.BAKE: "1"}
    ours = CONTESTANTS["srvctl"].command("code:app", 8000, 4, told)
    assert ours[-7:] == ["--workers", "4", "--hang-timeout", "3", "--reload-bake", "1", "--no-access-log"]
    peers = CONTESTANTS["uvicorn"].command("code:app", 8000, 4, told)
    assert peers[-3:] == ["--timeout-worker-healthcheck", "3", "--no-access-log"]


def test_each_revision_is_another_source_and_says_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = CodeDirectory()
    try:
        for name, value in directory.variables.items():
            monkeypatch.setenv(name, value)
        path = Path(directory.variables["PYTHONPATH"].partition(os.pathsep)[0], "lifecycle_code.py")
        sizes = set()
        for number in (1, 2, 3):
            assert directory.write(Code(objects=2)) == number
            sizes.add(path.stat().st_size)
            assert len(runpy.run_path(str(path))["kept"]) == 2
        assert len(sizes) == 3
        directory.write(Code(is_broken=True))
        with pytest.raises(RuntimeError, match="does not import"):
            runpy.run_path(str(path))
    finally:
        directory.close()
    assert not path.parent.exists()


def test_workers_that_never_were_and_zombies_are_not_alive() -> None:
    assert is_alive(os.getpid())
    with subprocess.Popen(["sleep", "60"]) as child:
        assert is_alive(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie, which stays one
        assert not is_alive(child.pid)
    assert not is_alive(child.pid)


def test_waiting_ends_with_the_condition_or_the_time() -> None:
    assert until(lambda: True, 0)
    assert not until(lambda: False, 0, step=0)


def test_the_command_knows_its_scenarios_and_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["lifecycle", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n  {name} " in listed for name in (*SCENARIOS, *CONTESTANTS))
    with pytest.raises(SystemExit):
        program.main(["lifecycle", "--only", "nonsense"])
    assert "nonsense is none of reload, burst" in capsys.readouterr().err


def test_servers_that_are_not_there_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = replace(CONTESTANTS["uvicorn"].server, distribution="no-such-distribution")
    monkeypatch.setattr(command, "CONTESTANTS", {"uvicorn": replace(CONTESTANTS["uvicorn"], server=gone)})
    path = tmp_path / "results.json"
    assert program.main(["lifecycle", "--servers", "uvicorn", "--only", "start", "--json", str(path)]) == 1
    assert "- left out: uvicorn: not installed" in capsys.readouterr().out
    assert json.loads(path.read_text())["left_out"] == {"uvicorn": "not installed"}


def test_who_answered_most_recently_is_what_counts() -> None:
    tally = Tally(workers={1: Seen(0.0, 9.0, 8.9, 3, 2)})
    assert tally.last_other(revision=1) == 8.9
