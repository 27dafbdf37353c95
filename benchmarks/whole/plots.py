"""From a chart to SVG. Pure: the same chart gives the same bytes.

Colours are classes, so that a page's style sheet decides, and `STYLE` has those for light and dark. Which
server is which is said by words, and which percentile by the shape of its mark, never by colour alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from benchmarks.whole.scales import Scale, figure, linear, logarithmic, points

if TYPE_CHECKING:
    from benchmarks.whole.values import Chart, Point, Row

#: Blue and grey differ in lightness as well, so that they do for every eye and on paper.
STYLE: Final = """
svg.plot{--page:#fff;--ink:#1a1d21;--soft:#58626e;--grid:#dfe4ea;--ours:#0072b2;--peer:#8793a0;--edge:#1a1d21}
@media(prefers-color-scheme:dark){
svg.plot{--page:#14171b;--ink:#e6e9ed;--soft:#a4afbb;--grid:#333b45;--ours:#56b4e9;--peer:#6e7a87;--edge:#e6e9ed}}
svg.plot{font:13px system-ui,sans-serif;width:100%;max-width:800px;height:auto;display:block}
svg.plot text{fill:var(--ink)}svg.plot .soft{fill:var(--soft)}svg.plot .group,svg.plot .own{font-weight:600}
svg.plot .grid{stroke:var(--grid)}svg.plot .span{stroke:var(--edge);stroke-width:1.5;fill:none}
svg.plot .peer{fill:var(--peer);stroke:var(--peer)}svg.plot .ours{fill:var(--ours);stroke:var(--ours)}
svg.plot .line{stroke-width:2;fill:none}svg.plot .range{stroke-width:9;opacity:.28}
""".strip()
_OURS: Final = "srvctl"
_WIDTH: Final = 800
_LEFT: Final = 195  #: where bars begin
_RIGHT: Final = 605  #: where the longest ends; what is written beside it comes after
_ROW: Final = 26
_BAR: Final = 14
_TOP: Final = 10
_AXIS: Final = 34
_GAP: Final = 8


def svg(chart: Chart, name: str, *, is_alone: bool = False) -> str:
    """Return one plot.

    Args:
        chart: What to draw.
        name: Unique within the page, for the references from the drawing to its title.
        is_alone: It is for a file of its own, and brings its style along.
    """
    rows = _placed(chart)
    bottom = rows[-1][1] + _ROW if rows else _TOP
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "plot",
            "viewBox": f"0 0 {_WIDTH} {bottom + _AXIS}",
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
        },
    )
    ET.SubElement(root, "title", {"id": f"{name}-title"}).text = f"{chart.title}, {chart.unit}"
    ET.SubElement(root, "desc", {"id": f"{name}-desc"}).text = description(chart)
    if is_alone:
        root.set("width", str(_WIDTH))
        ET.SubElement(root, "style").text = STYLE
        # A page that shows it may have a switch for dark of its own, which a file cannot see.
        ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "style": "fill:var(--page)"})
    scale = (logarithmic if chart.is_logarithmic else linear)(points(chart), _LEFT, _RIGHT)
    _axis(root, scale, bottom, chart.unit)
    for row, top in rows:
        if row is None:
            continue
        _row(root, chart, row, top, scale)
    _groups(root, chart, rows)
    return ET.tostring(root, encoding="unicode")


def description(chart: Chart) -> str:
    """Return in words what the plot shows, for those who do not see it."""
    rows = "; ".join(
        f"{row.group + ': ' if row.group else ''}{row.name} "
        + ", ".join(f"{point.label} {_said(point)}".strip() for point in row.points)
        for row in chart.rows
    )
    return f"{chart.about} {rows}."


def _said(point: Point) -> str:
    said = point.text or figure(point.value)
    if point.low is None or point.high is None or point.low == point.high:
        return said
    return f"{said} ({figure(point.low)} to {figure(point.high)})"


def _placed(chart: Chart) -> list[tuple[Row | None, int]]:
    """Return the rows with their upper edges; None where the heading of a group stands."""
    placed: list[tuple[Row | None, int]] = []
    top, group = _TOP, ""
    for row in chart.rows:
        if row.group != group:
            placed.append((None, top))
            top, group = top + _ROW, row.group
        placed.append((row, top))
        top += _ROW
    return placed


def _groups(root: ET.Element, chart: Chart, rows: list[tuple[Row | None, int]]) -> None:
    names = list(dict.fromkeys(row.group for row in chart.rows if row.group))
    tops = [top for row, top in rows if row is None]
    for name, top in zip(names, tops, strict=True):
        _text(root, name, _GAP, top, "group")


def _axis(root: ET.Element, scale: Scale, bottom: int, unit: str) -> None:
    for tick in scale.ticks:
        at = f"{scale.at(tick):.1f}"
        ET.SubElement(root, "line", {"class": "grid", "x1": at, "x2": at, "y1": "4", "y2": str(bottom)})
        label = ET.SubElement(
            root, "text", {"class": "soft", "x": at, "y": str(bottom + 16), "text-anchor": "middle"}
        )
        label.text = f"{tick:,g}"
    end = {"class": "soft", "x": str(_WIDTH - _GAP), "y": str(bottom + 16), "text-anchor": "end"}
    ET.SubElement(root, "text", end).text = unit


def _row(root: ET.Element, chart: Chart, row: Row, top: int, scale: Scale) -> None:
    group = ET.SubElement(root, "g")
    values = ", ".join(f"{point.label} {_said(point)}".strip() for point in row.points)
    ET.SubElement(group, "title").text = f"{row.name}: {values} {chart.unit}"
    is_ours = row.name == _OURS or row.name.startswith((f"{_OURS} ", f"{_OURS}-"))
    kind = "ours" if is_ours else "peer"
    _text(group, row.name, _LEFT - _GAP, top, "own" if is_ours else "", anchor="end")
    draw = _marks if len(row.points) > 1 else _bar
    draw(group, row, top, scale, kind)


def _bar(group: ET.Element, row: Row, top: int, scale: Scale, kind: str) -> None:
    [point] = row.points
    end, middle = scale.at(point.value), top + _ROW / 2
    box = {
        "class": kind,
        "x": str(_LEFT),
        "y": f"{middle - _BAR / 2:g}",
        "width": f"{end - _LEFT:.1f}",
        "height": str(_BAR),
        "rx": "2",
    }
    ET.SubElement(group, "rect", box)
    if point.low is not None and point.high is not None and point.low != point.high:
        low, high = scale.at(point.low), scale.at(point.high)
        path = f"M{low:.1f} {middle:g}H{high:.1f}M{low:.1f} {middle - 4:g}v8M{high:.1f} {middle - 4:g}v8"
        ET.SubElement(group, "path", {"class": "span", "d": path})
        end = max(end, high)
    _text(group, _said(point), end + _GAP, top, "")


def _marks(group: ET.Element, row: Row, top: int, scale: Scale, kind: str) -> None:
    middle = top + _ROW / 2
    places = [scale.at(point.value) for point in row.points]
    path = f"M{places[0]:.1f} {middle:g}H{places[-1]:.1f}"
    ET.SubElement(group, "path", {"class": f"{kind} line", "d": path})
    for point in row.points:
        if point.low is not None and point.high is not None and point.low != point.high:
            span = f"M{scale.at(point.low):.1f} {middle:g}H{scale.at(point.high):.1f}"
            ET.SubElement(group, "path", {"class": f"{kind} range", "d": span})
    for number, at in enumerate(places):
        ET.SubElement(group, "path", {"class": kind, "d": _shape(number, at, middle)})
    said = " · ".join(point.text or figure(point.value) for point in row.points)
    _text(group, said, _RIGHT + 2 * _GAP, top, "")


def _shape(number: int, x: float, y: float) -> str:
    """Return the outline of a mark: a disc, a diamond, a triangle, a square, and so on around."""
    sides = (24, 4, 3, 4)[number % 4]
    turn = (0.0, 0.0, -math.pi / 2, math.pi / 4)[number % 4]
    size = (4.5, 6.0, 6.5, 6.0)[number % 4]
    corners = [
        f"{x + size * math.cos(turn + 2 * math.pi * side / sides):.1f}"
        f" {y + size * math.sin(turn + 2 * math.pi * side / sides):.1f}"
        for side in range(sides)
    ]
    return f"M{'L'.join(corners)}Z"


def _text(root: ET.Element, text: str, x: float, top: int, kind: str, anchor: str = "start") -> None:
    place = {"x": f"{x:.1f}", "y": f"{top + _ROW / 2 + 4.5:g}", "text-anchor": anchor}
    if kind:
        place["class"] = kind
    ET.SubElement(root, "text", place).text = text
