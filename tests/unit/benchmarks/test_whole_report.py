"""The report in Markdown and HTML, and the file that both are made of."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.whole import charts, markdown, page, store
from benchmarks.whole.estimates import duration, line, pace
from benchmarks.whole.values import Conditions, Results
from tests.support.bench_results import an_entry, bars, latencies, lost, results

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = results(
    an_entry("http-hello", bars(srvctl=20, uvicorn=40), latencies(srvctl=(1, 5), uvicorn=(2, 9))),
    an_entry("lifecycle-kill", lost("kill", srvctl=(0, "0 of 5,000"), uvicorn=(7, "7 of 5,000"))),
    replace(an_entry("profile-http1"), pictures=("hello-http1.svg",), text="Boxes."),
)


def test_results_come_back_from_their_file() -> None:
    assert Results.from_json(json.loads(store.dumps(WHOLE.as_json()))) == WHOLE


def test_figures_are_kept_as_far_as_they_mean_something() -> None:
    kept = Results.from_json(results(an_entry("a", bars(srvctl=12.345678))).as_json())
    assert kept.entries["a"].charts[0].rows[0].points[0].value == 12.35


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "settings": {}}'])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match="is not what a run of this version wrote"):
        store.load(path)


def test_a_run_that_was_ended_says_what_is_missing() -> None:
    text = markdown.text(replace(WHOLE, planned=(*WHOLE.planned, "memory", "many")))
    assert "**INCOMPLETE**: 3 of 5 parts are there; missing are memory, many." in text
    assert "INCOMPLETE" not in markdown.text(WHOLE)


def test_a_part_that_failed_is_told_in_its_place_and_at_the_top() -> None:
    text = markdown.text(results(an_entry("http-hello", failed="no wrk")))
    assert "**FAILED**: http-hello." in text
    assert "**Failed**: no wrk" in text


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        (Conditions(0.0, 0.1, 0.0), "the hypervisor gave 10% of the CPUs to others"),
        (Conditions(0.0, 0.0, 0.3), "other processes took 30% of the CPUs"),
    ],
)
def test_a_noisy_machine_is_recognised(conditions: Conditions, why: str) -> None:
    text = markdown.text(results(an_entry("http-hello", conditions=conditions), an_entry("memory")))
    assert "**BUSY MACHINE** during 1 of 2 parts" in text
    assert f"**BUSY MACHINE**: {why}." in text


def test_the_report_has_machine_versions_and_every_plot() -> None:
    text = markdown.text(WHOLE)
    assert re.search(r"\| processor +\| abacus", text)
    assert re.search(r"\| srvctl +\| 0.1.0 \(abc\) with uvloop 0.23", text)
    assert re.findall(r"\(plots/(.*?)\.svg\)", text) == list(markdown.plots(WHOLE))
    assert list(markdown.plots(WHOLE)) == [
        "faults",
        "http-hello-cpu",
        "http-hello-latency",
        "lifecycle-kill-lost",
    ]


def test_of_a_killed_worker_counts_what_was_lost_beyond_its_own() -> None:
    """Requests in flight in a process die with it, whoever started it."""
    beyond = replace(lost("kill", srvctl=(0, "0")), key="beyond", title="kill: lost beyond")
    stop = lost("stop", srvctl=(3, "3 of 9"))
    chart = charts.faults(
        [an_entry("lifecycle-kill", lost("kill", srvctl=(4, "4 of 4")), beyond), an_entry("b", stop)]
    )
    assert chart is not None
    assert [(row.group, row.points[0].text) for row in chart.rows] == [
        ("kill: lost beyond", "0"),
        ("stop", "3 of 9"),
    ]
    assert charts.faults([an_entry("memory")]) is None


def test_the_page_needs_nothing_from_anywhere() -> None:
    html = page.html(WHOLE, {"hello-http1.svg": "<svg/>"})
    assert html.count('<svg xmlns="http://www.w3.org/2000/svg"') == 4
    assert not re.findall(r'(?:src|href)="(?!#|data:)', html)
    assert "<script" not in html
    assert "@import" not in html
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in html
    assert "prefers-color-scheme:dark" in html


def test_the_page_shows_what_a_program_printed_as_it_is() -> None:
    entry = replace(an_entry("micro-codec"), text="<b> & **c**", is_plain=True)
    assert "&lt;b&gt; &amp; **c**" in page.html(results(entry), {})


def test_identifiers_of_the_page_are_unique() -> None:
    found = re.findall(r' id="([^"]+)"', page.html(WHOLE, {}))
    assert len(found) == len(set(found)) > 8


def test_a_folder_has_everything_and_nothing_half_written(tmp_path: Path) -> None:
    store.save_pictures(tmp_path, {"hello-http1.svg": "<svg/>"})
    store.save_samples(tmp_path, "http-hello", {"rounds": [1]})
    store.save(tmp_path, WHOLE)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    plots = {f"plots/{name}.svg" for name in markdown.plots(WHOLE)}
    files = {
        "results.json",
        "report.md",
        "report.html",
        "profiles/hello-http1.svg",
        "samples/http-hello.json",
    }
    assert names == files | plots
    assert store.load(tmp_path / "results.json") == WHOLE


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchmarkError, match="cannot be written to: "):
        store.save(tmp_path / "file", WHOLE)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "less than a minute"), (61, "about 1 min"), (350, "about 6 min"), (9000, "about 2.5 h")],
)
def test_times_are_said_as_one_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_progress_says_what_is_left() -> None:
    assert line(3, 9, "http-json", 350) == "== 3 of 9: http-json, about 6 min left"


def test_what_is_left_follows_how_fast_it_went_so_far_within_reason() -> None:
    assert pace([], []) == 1
    assert pace([10, 20], [20, 40]) == 2
    assert pace([10], [10_000]) == 4
    assert pace([10], [0]) == 0.25
