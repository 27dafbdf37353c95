"""Axes and drawings: what is drawn is what was measured, and is said in words as well."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.whole.plots import svg
from benchmarks.whole.scales import figure, linear, logarithmic
from benchmarks.whole.values import Chart, Point, Row
from tests.support.bench_results import bars, latencies

SVG = "{http://www.w3.org/2000/svg}"
FIGURES = st.lists(st.floats(min_value=0.001, max_value=1e7), min_size=1, max_size=20)


def drawn(chart: Chart) -> ET.Element:
    return ET.fromstring(svg(chart, "part-chart"))


def texts(root: ET.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


@given(FIGURES)
def test_a_linear_axis_begins_at_nothing_and_keeps_proportions(figures: list[float]) -> None:
    scale = linear(figures, 100, 500)
    assert scale.at(0) == 100
    assert all(100 <= scale.at(one) <= 500.001 for one in figures)
    assert scale.at(max(figures)) - 100 == pytest.approx(2 * (scale.at(max(figures) / 2) - 100))
    assert scale.ticks[0] == 0
    assert 2 <= len(scale.ticks) <= 7
    assert all(scale.at(tick) <= 500.001 for tick in scale.ticks)


@given(FIGURES)
def test_a_logarithmic_axis_has_every_figure_between_round_ones(figures: list[float]) -> None:
    scale = logarithmic(figures, 100, 500)
    assert all(99.999 <= scale.at(one) <= 500.001 for one in figures)
    assert all(scale.at(one) <= scale.at(two) for one, two in pairwise(sorted(figures)))
    assert len(scale.ticks) <= 11


def test_axes_without_figures_are_axes() -> None:
    assert linear([], 0, 10).ticks[0] == 0
    assert linear([0.0], 0, 10).at(0.0) == 0
    assert logarithmic([], 0, 10).at(1) >= 0


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (3, "3"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_figures_have_the_digits_that_mean_something(value: float, said: str) -> None:
    assert figure(value) == said


def test_bars_are_as_long_as_their_figures_and_have_their_range() -> None:
    root = drawn(bars(srvctl=20, uvicorn=40))
    lengths = [float(one.attrib["width"]) for one in root.iter(f"{SVG}rect")]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.01)
    assert [one.attrib["class"] for one in root.iter(f"{SVG}rect")] == ["ours", "peer"]
    assert len([one for one in root.iter(f"{SVG}path") if one.attrib["class"] == "span"]) == 2
    assert "20 (18 to 22)" in texts(root)


def test_a_single_round_has_no_range() -> None:
    chart = Chart("cpu", "CPU", "µs", "", (Row("srvctl", (Point("", 1.0, 1.0, 1.0),)),))
    assert not list(drawn(chart).iter(f"{SVG}path"))


def test_percentiles_are_told_apart_by_the_shape_of_their_marks() -> None:
    root = drawn(latencies(srvctl=(1.0, 10.0)))
    line, first, second = (one.attrib["d"] for one in root.iter(f"{SVG}path"))
    assert line.startswith("M")
    assert first.count("L") != second.count("L")
    assert "1 · 10" in texts(root)


def test_the_drawing_is_said_in_words() -> None:
    root = drawn(bars(srvctl=20, uvicorn=40))
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], desc.attrib["id"]]
    assert desc.text == "Less is better. srvctl 20 (18 to 22); uvicorn 40 (36 to 44)."


def test_rows_of_a_group_stand_below_its_name() -> None:
    rows = tuple(Row(name, (Point("", 0, text="0 of 5"),), group) for group in "ab" for name in ("x", "y"))
    assert texts(drawn(Chart("faults", "", "", "", rows)))[-2:] == ["a", "b"]
    assert len(texts(drawn(Chart("faults", "", "", "", rows)))) > 10


def test_a_drawing_for_a_file_brings_its_style_and_a_name_cannot_break_it() -> None:
    chart = Chart("cpu", "<b>", "µs", "a & b", (Row("<script>", (Point("", 1.0),)),))
    alone = svg(chart, "x", is_alone=True)
    assert "prefers-color-scheme" in alone
    assert "<script>" not in alone
    assert "style" not in svg(chart, "x")
