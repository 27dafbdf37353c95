"""The run from part to part: what is told, what is kept, and how it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import __main__ as command_line
from benchmarks.errors import BenchmarkError
from benchmarks.whole import command, store
from benchmarks.whole.parts import Part, Scope
from benchmarks.whole.values import Measured, Results
from tests.support.bench_results import an_entry, bars, results

if TYPE_CHECKING:
    from pathlib import Path

SCOPE = Scope((), rounds=1, seconds=1, requests=1, is_quick=True)


def a_part(name: str, error: BaseException | None = None) -> Part:
    def run(_scope: Scope) -> Measured:
        if error is not None:
            raise error
        return Measured(f"found by {name}", (bars(srvctl=1.0),), samples=[name])

    return Part(name, "about it", lambda _: 60, run)


def run(folder: Path, *parts: Part) -> Results:
    new = results(planned=tuple(part.name for part in parts))
    return command.measure(folder, new, parts, SCOPE)


def stored(folder: Path) -> Results:
    found = store.load(folder / store.RESULTS)
    assert found is not None
    return found


def test_every_part_is_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run(tmp_path, a_part("one"), a_part("two"))
    assert [entry.text for entry in found.in_order] == ["found by one", "found by two"]
    assert stored(tmp_path).entries.keys() == {"one", "two"}
    assert (tmp_path / "samples" / "two.json").read_text() == '[\n "two"\n]\n'
    first, second = capsys.readouterr().err.splitlines()
    assert first == "== 1 of 2: one, about 2 min left"
    assert second.startswith("== 2 of 2: two, ")


def test_a_part_that_fails_is_kept_as_failed_and_the_others_go_on(tmp_path: Path) -> None:
    run(tmp_path, a_part("one", BenchmarkError("no such thing")), a_part("two"))
    assert [entry.failed for entry in stored(tmp_path).in_order] == ["no such thing", ""]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(143)])
def test_what_is_ended_leaves_a_report_of_what_there_is(tmp_path: Path, end: BaseException) -> None:
    with pytest.raises(type(end)):
        run(tmp_path, a_part("one"), a_part("two", end))
    assert stored(tmp_path).missing == ("two",)
    for name in (store.REPORT, store.PAGE):
        assert "1 of 2 parts are there; missing are two" in (tmp_path / name).read_text()


def test_a_run_goes_on_with_what_is_there_and_may_have_more_parts() -> None:
    before = results(an_entry("memory"), planned=("memory", "http-hello"))
    new = results(planned=("http-hello", "ws-echo"))
    found = command.begun(before, new)
    assert found.entries.keys() == {"memory"}
    assert found.planned == ("http-hello", "ws-echo", "memory")
    assert command.begun(None, new) is new


def test_results_of_another_run_are_not_mixed_with() -> None:
    before = results(an_entry("memory"))
    other = replace(before, settings={**before.settings, "rounds": 10})
    with pytest.raises(
        BenchmarkError, match=r"another run \(rounds 3, not 10\); name another one, or say --fresh"
    ):
        command.begun(before, other)
    newer = replace(before, versions={**before.versions, "uvicorn": "0.55.0"})
    with pytest.raises(BenchmarkError, match=r"uvicorn 0.54.0, not 0.55.0"):
        command.begun(before, newer)


def test_the_list_says_how_long_and_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["all", "--list", "--quick", "--only", "http-hello,profile"]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("3 parts, ")
    assert [line.split()[0] for line in others] == ["http-hello", "profile-http1", "profile-http2"]
