"""What ``srvctl top`` makes of two looks at an instance, and how it is laid out in windows of any size."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.cli.screen.figures import compare
from srvctl.cli.screen.layout import View, page, screen
from srvctl.cli.screen.lines import cut, plain, sparkline
from srvctl.cli.screen.worker_rows import SORTS

BOUNDS = [0.001, 0.01, 0.1]


def worker(slot: int, pid: int, requests: int, counts: list[int], **others: object) -> dict[str, Any]:
    found = {"slot": slot, "pid": pid, "generation": 1, "state": "ready", "uptime": 100, "cpu": 0.25}
    found |= {"requests": requests, "errors": 0, "answered": {"2": counts}, "in_flight": 1, "connections": 2}
    return {**found, "loop_lag": 0.002, "pss": 32 * 2**20, "cpu_seconds": requests / 100, **others}


def look(*workers: dict[str, Any], uptime: float, slots: dict[str, Any], **others: object) -> dict[str, Any]:
    found = {"name": "shop", "pid": 7, "version": "0.1.0", "state": "running", "generation": 1, "target": 2}
    found |= {"binds": ["http://127.0.0.1:8000"], "bounds": BOUNDS, "workers": list(workers)}
    return {**found, "uptime": uptime, "slots": slots, **others}


def slot(requests: int, errors: int, counts: list[int]) -> dict[str, Any]:
    return {"requests": requests, "errors": errors, "answered": {"2": counts}}


BEFORE = look(
    worker(0, 70, 100, [100, 0, 0, 0]),
    worker(1, 71, 500, [0, 500, 0, 0]),
    uptime=1000,
    slots={"0": slot(100, 0, [100, 0, 0, 0]), "1": slot(900, 5, [0, 900, 0, 0])},
)
#: Two seconds later; the worker of slot 1 was replaced by one that answered 8, after 12 of its own.
AFTER = look(
    worker(0, 70, 300, [300, 0, 0, 0]),
    worker(1, 72, 8, [0, 0, 8, 0], uptime=1, leaves_because="max_memory: 110 MiB", state="draining"),
    uptime=1002,
    slots={"0": slot(300, 0, [300, 0, 0, 0]), "1": slot(920, 7, [0, 912, 8, 0])},
    restarts={"max_memory": 1, "crash": 0},
)


def test_rates_are_differences_and_a_new_worker_began_with_nothing() -> None:
    figures = compare(BEFORE, AFTER, 2.0)
    assert figures.traffic is not None
    assert (figures.traffic.requests, figures.traffic.errors) == (110.0, 1.0)
    assert figures.traffic.p50 == pytest.approx(0.00055)
    assert figures.traffic.p99 == pytest.approx(0.01 + 0.09 * 5.8 / 8)
    first, second = figures.workers
    assert first.traffic is not None
    assert second.traffic is not None
    assert (first.traffic.requests, second.traffic.requests) == (100.0, 4.0)
    assert first.cpu == pytest.approx(1.0)  # of the seconds it used
    assert second.cpu == 0.25  # as it says itself: what it had used before is not known
    assert (figures.pss, figures.in_flight, figures.connections) == (64 * 2**20, 2, 4)


@pytest.mark.parametrize(
    ("before", "seconds"),
    [
        (None, 2.0),
        (BEFORE, 0.0),
        ({**BEFORE, "pid": 8}, 2.0),  # another master
        ({**BEFORE, "uptime": 5000.0}, 2.0),  # of the same pid, as in a container that was restarted
    ],
)
def test_what_cannot_be_compared_has_no_rates(before: dict[str, Any] | None, seconds: float) -> None:
    figures = compare(before, AFTER, seconds)
    assert figures.traffic is None
    assert [worker.traffic for worker in figures.workers] == [None, None]
    assert figures.workers[0].cpu == 0.25


def test_a_pid_that_another_process_has_by_now_is_a_new_worker() -> None:
    now = {**AFTER, "workers": [worker(0, 71, 8, [0, 0, 8, 0])]}
    (one,) = compare(BEFORE, now, 2.0).workers
    assert one.traffic is not None
    assert one.traffic.requests == 4.0


VIEW = View(
    AFTER, compare(BEFORE, AFTER, 2.0), [{"at": 1, "kind": "worker", "text": "It died.", "level": "error"}]
)


def texts(view: View, width: int, height: int) -> list[str]:
    return [plain(line).rstrip() for line in screen(view, width, height)]


def test_what_it_looks_like() -> None:
    lines = texts(VIEW, 99, 14)
    assert lines[:8] == [
        "shop  running  generation 1  up 16 min 42 s  pid 7  srvctl 0.1.0",
        "http://127.0.0.1:8000",
        "req/s 110   5xx/s 1.0   p50 0.55ms   p99 75ms   in flight 2   connections 4",
        "CPU 125%   PSS 64M   workers ready 1/2   restarts: 1 max_memory",
        "",
        "SLOT  PID  STATE     GEN  UPTIME   CPU  PSS  REQ/S     P50     P99  IN FLIGHT  CONN    LAG",
        "   0   70  ready       1   1m40s  100%  32M    100  0.50ms  0.99ms          1     2  2.0ms",
        "   1   72  draining    1      1s   25%  32M    4.0    55ms    99ms          1     2  2.0ms  max_...",
    ]
    assert lines[-2].endswith("  worker   error: It died.")
    assert lines[-1] == " q quit   s sort (slot)   ? help"


def test_in_a_narrow_window_the_less_important_columns_go() -> None:
    (head,) = [line for line in texts(VIEW, 50, 24) if line.startswith("SLOT")]
    assert head.split() == ["SLOT", "PID", "STATE", "CPU", "PSS", "REQ/S", "P99", "IN", "FLIGHT"]


def test_more_workers_than_lines_are_counted_and_can_be_sorted() -> None:
    many = [worker(n, 100 + n, n, [n, 0, 0, 0], pss=n * 2**20, loop_lag=n / 1000) for n in range(64)]
    metrics = {**AFTER, "workers": many, "target": 64}
    figures = compare(None, metrics, 0)
    lines = texts(View(metrics, figures, [{"at": 1, "kind": "x", "text": "y"}] * 9), 80, 24)
    assert lines[6].split()[0] == "0"
    assert "... and 51 more; s sorts them otherwise" in lines
    assert sum("  x        y" in line for line in lines) == 2  # they have three lines with the blank one
    for sort in set(SORTS) - {"SLOT", "REQ/S", "P99", "CPU"}:
        lines = texts(View(metrics, figures, sort=sort), 80, 24)
        assert lines[6].split()[0] == "63", sort
    assert len(page(View(metrics, figures), 80)) > 64


def test_what_is_wrong_is_said() -> None:
    metrics = {**AFTER, "reload": {"state": "baking", "generation": 2, "error": "no module \x1b"}}
    lines = texts(View(metrics, VIEW.figures, note="not responding; this is 3.0 s old"), 80, 24)
    assert lines[4:7] == [
        "reload to generation 2: baking",
        "the last reload failed: no module \\x1b",
        "not responding; this is 3.0 s old",
    ]


def test_the_help_takes_the_place_of_the_workers() -> None:
    lines = texts(View(AFTER, VIEW.figures, is_help_shown=True), 80, 24)
    assert lines[5].startswith("q       quit")
    assert not any(line.startswith("SLOT") for line in lines)


@given(st.integers(1, 200), st.integers(1, 80), st.booleans(), st.integers(0, 30))
def test_every_window_is_filled_and_nothing_sticks_out(
    width: int, height: int, is_help_shown: bool, workers: int
) -> None:
    metrics = {**AFTER, "workers": [worker(n, n, n, [n, 0, 0, 0]) for n in range(workers)]}
    view = View(metrics, compare(BEFORE, metrics, 1), VIEW.events, [1.0, 2.0], is_help_shown=is_help_shown)
    lines = screen(view, width, height)
    assert len(lines) == height
    assert all(len(plain(line)) <= width for line in lines)


def test_bars_are_of_the_highest() -> None:
    assert sparkline([0, 50, 100], 10) == "▁▅█"
    assert sparkline([0, 50, 100], 2) == "▅█"
    assert sparkline([0, 0], 5) == "▁▁"
    assert sparkline([], 5) == sparkline([1], 0) == ""


def test_a_line_that_is_cut_says_so() -> None:
    assert plain(cut((("abc", "red"), ("defgh", "")), 7)) == "abcd..."
    assert plain(cut((("abcdef", ""),), 2)) == ".."
