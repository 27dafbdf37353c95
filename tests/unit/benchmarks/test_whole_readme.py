"""The README's table: made of results, between two markers, and never by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks.errors import BenchmarkError
from benchmarks.whole import markdown, plots, readme, store
from tests.support.bench_results import an_entry, bars, latencies, lost, results

ROOT = Path(__file__).parents[3]
STORED = ROOT / "docs" / "benchmarks"
WHOLE = results(
    an_entry("http-hello", bars(srvctl=20, uvicorn=40.5), latencies(srvctl=(1, 5), uvicorn=(2, 9))),
    an_entry("ws-echo", bars("cpu", **{"srvctl": 3, "uvicorn-websockets-sansio": 6, "uvicorn-wsproto": 9})),
    an_entry("lifecycle-stop", lost("stop", srvctl=(0, "0 of 5"), uvicorn=(3, "3 of 5"))),
)


def test_the_table_has_one_line_for_each_figure_and_a_column_for_each_server() -> None:
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in readme.table(WHOLE).splitlines()
    ]
    assert lines[0] == ["", "srvctl 0.1.0", "uvicorn 0.54.0"]
    assert lines[2:] == [
        ["HTTP/1.1 hello, CPU µs/request", "20", "40.5"],
        ["HTTP/1.1 hello, p99 ms at full load", "5", "9"],
        ["WebSocket echo, CPU µs/message", "3", "6"],
        ["stop under load, requests lost", "0 of 5", "3 of 5"],
    ]


def test_without_figures_there_is_no_table() -> None:
    assert readme.table(results()) == ""


def test_the_table_takes_the_place_of_the_one_before() -> None:
    text = f"above\n{readme.BEGIN}\nold\n{readme.END}\nbelow\n"
    made = readme.inserted(text, readme.block(WHOLE))
    assert made == f"above\n{readme.block(WHOLE)}\nbelow\n"
    assert readme.inserted(made, readme.block(WHOLE)) == made


@pytest.mark.parametrize("text", ["", readme.BEGIN, f"{readme.END}{readme.BEGIN}", readme.END])
def test_a_text_without_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(BenchmarkError, match="has no place for the table; write these lines there"):
        readme.insert(path, WHOLE)
    assert path.read_text() == text


def test_the_command_prints_the_table_or_puts_it_in_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.__main__.signal.signal", lambda *_: None)
    monkeypatch.setattr(command_line, "raise_file_limit", lambda: None)
    store.save(tmp_path, WHOLE)
    target = tmp_path / "README.md"
    target.write_text(f"{readme.BEGIN}{readme.END}")
    source = str(tmp_path / "results.json")
    assert command_line.main(["readme", source]) == 0
    assert capsys.readouterr().out == readme.block(WHOLE) + "\n"
    page = tmp_path / "docs"
    assert command_line.main(["readme", source, "--into", str(target), "--page", str(page)]) == 0
    assert target.read_text() == readme.block(WHOLE)
    assert (page / "report.md").read_text() == (tmp_path / "report.md").read_text()
    assert store.load(page / "results.json") == WHOLE
    assert command_line.main(["readme", str(tmp_path / "nothing.json")]) == 2


def test_the_readmes_table_is_what_the_stored_results_make() -> None:
    """If it fails: python -m benchmarks readme docs/benchmarks/results.json --into README.md."""
    stored = store.load(STORED / "results.json")
    assert stored is not None
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.inserted(text, readme.block(stored)) == text


def test_the_page_of_the_documentation_is_what_the_stored_results_make() -> None:
    stored = store.load(STORED / "results.json")
    assert stored is not None
    assert (STORED / "report.md").read_text(encoding="utf-8") == markdown.text(stored)
    drawn = {
        f"{name}.svg": plots.svg(chart, name, is_alone=True) for name, chart in markdown.plots(stored).items()
    }
    assert {
        path.name: path.read_text(encoding="utf-8").strip() for path in STORED.glob("plots/*.svg")
    } == drawn
