"""Results of a whole run of benchmarks that never was."""

from __future__ import annotations

from benchmarks.whole.values import Chart, Conditions, Entry, Point, Results, Row

QUIET = Conditions(load_average=0.1, steal_share=0.0, others_share=0.01)


def bars(key: str = "cpu", /, **figures: float) -> Chart:
    """Return a chart of bars that reach 10 % to either side."""
    rows = tuple(
        Row(name, (Point("", one, round(one * 0.9, 4), round(one * 1.1, 4)),))
        for name, one in figures.items()
    )
    return Chart(key, f"Title of {key}", "µs/req", "Less is better.", rows)


def latencies(**figures: tuple[float, float]) -> Chart:
    """Return a chart of p50 and p99."""
    rows = tuple(Row(name, (Point("p50", one), Point("p99", two))) for name, (one, two) in figures.items())
    return Chart("latency", "Latency", "ms", "Less is better.", rows, is_logarithmic=True)


def lost(name: str, **texts: tuple[float, str]) -> Chart:
    """Return a chart of lost requests."""
    rows = tuple(Row(server, (Point("", one, text=text),)) for server, (one, text) in texts.items())
    return Chart("lost", f"{name}: requests lost", "requests", "Less is better.", rows)


def an_entry(name: str, *charts: Chart, conditions: Conditions = QUIET, failed: str = "") -> Entry:
    """Return a part."""
    text = "" if failed else "| a | b |\n| - | - |\n| 1 | 2 |"
    return Entry(name, "something measured", 61.0, conditions, text, charts=charts, failed=failed)


def results(*entries: Entry, planned: tuple[str, ...] = (), quick: bool = False) -> Results:
    """Return a run."""
    return Results(
        settings={"quick": quick, "rounds": 3, "servers": ["srvctl", "uvicorn"]},
        machine={"processor": "abacus", "CPUs": "2", "Python": "CPython 3.11"},
        versions={"srvctl": "0.1.0 (abc) with uvloop 0.23", "uvicorn": "0.54.0", "granian": "not installed"},
        began="2026-01-02 03:04",
        planned=planned or tuple(entry.name for entry in entries),
        entries={entry.name: entry for entry in entries},
    )
