"""What ``srvctl status`` shows of what a master says, also of what an older or newer one says."""

from __future__ import annotations

from typing import Any

import pytest

from srvctl.cli.status_text import as_text, program_table, ready, worker_table

STATUS: dict[str, Any] = {
    "name": "shop",
    "app": "shop.web:app",
    "state": "reloading",
    "pid": 4100,
    "generation": 2,
    "uptime": 7505.0,
    "version": "0.1.0",
    "binds": ["http://127.0.0.1:8000", "unix socket /run/shop.sock"],
    "reload": {"state": "baking", "generation": 3, "error": ""},
    "target": 2,
    "restarts": {"oom": 1, "crash": 3, "hang": 0},
    "workers": [
        {
            "slot": 1,
            "pid": 4102,
            "state": "ready",
            "generation": 2,
            "uptime": 7504,
            "requests": 12345,
            "errors": 2,
            "in_flight": 0,
            "connections": 7,
            "cpu": 1.5,
            "loop_lag": 0.0123,
            "rss": 128 * 2**20,
            "pss": 64 * 2**20,
        },
        {"slot": 0, "pid": 0, "state": "forking", "generation": 3, "uptime": 0.04},
        {
            "slot": 0,
            "pid": 4101,
            "state": "draining",
            "generation": 2,
            "uptime": 7504.5,
            "requests": 9,
            "in_flight": 3,
            "pss": 2**20,
            "leaves_because": "reload",
        },
    ],
}


def test_columns_are_aligned() -> None:
    assert as_text(STATUS) == (
        "shop (shop.web:app): reloading, pid 4100, generation 2, up 2 h 5 min, srvctl 0.1.0\n"
        "  http://127.0.0.1:8000\n"
        "  unix socket /run/shop.sock\n"
        "  reload to generation 3: baking\n"
        "  1 of 2 workers are ready\n"
        "\n"
        "SLOT   PID  STATE     GEN  UPTIME   CPU  PSS    REQ  ERR  IN FLIGHT  CONN    LAG\n"
        "   0  4101  draining    2   2h05m    0%   1M      9    0          3     0  0.0ms  reload\n"
        "   0     -  forking     3      0s    0%    -      0    0          0     0  0.0ms\n"
        "   1  4102  ready       2   2h05m  150%  64M  12345    2          0     7   12ms\n"
        "\n"
        "restarts: 3 crash, 1 oom"
    )


@pytest.mark.parametrize(
    ("scale", "line"),
    [
        ({}, ""),
        ({"follows_load": False, "min": 2, "max": 2, "why": ""}, ""),
        (
            {"follows_load": True, "min": 1, "max": 8, "why": "", "held": ""},
            "2 workers are wanted, of 1 to 8 by the load",
        ),
        (
            {"follows_load": True, "min": 1, "max": 8, "why": "loops 90 % busy", "held": ""},
            "2 workers are wanted, of 1 to 8 by the load: loops 90 % busy",
        ),
        (
            {"follows_load": True, "min": 1, "max": 2, "why": "loops 90 % busy", "held": "workers.max"},
            "2 workers are wanted, of 1 to 2 by the load, which needs more (workers.max)",
        ),
    ],
)
def test_how_many_workers_the_load_wants_is_told(scale: dict[str, Any], line: str) -> None:
    lines = as_text({**STATUS, "scale": scale}).splitlines()
    assert [text.strip() for text in lines if "by the load" in text] == ([line] if line else [])


def test_one_worker_is_wanted() -> None:
    scale = {"follows_load": True, "min": 1, "max": 3}
    assert "  1 worker is wanted, of 1 to 3 by the load\n" in as_text({**STATUS, "target": 1, "scale": scale})


def test_sixty_four_workers_fit_into_eighty_columns() -> None:
    worker = {"pid": 10**6, "state": "ready", "generation": 12, "uptime": 90000, "requests": 10**9}
    worker |= {"cpu": 0.99, "pss": 350 * 2**20, "errors": 9, "in_flight": 99, "connections": 999}
    workers = [{**worker, "slot": slot, "loop_lag": slot / 1000} for slot in range(64)]
    lines = worker_table({"workers": workers})
    assert len(lines) == 65
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:]] == [str(slot) for slot in range(64)]


def test_where_nothing_can_be_weighed_it_says_what_is_resident() -> None:
    lines = worker_table({"workers": [{"slot": 0, "rss": 2**20, "pss": None}]})
    assert lines[0].split()[6] == "RSS"
    assert lines[1].split()[6] == "1M"


def test_ready_are_slots_and_not_workers() -> None:
    """While one is replaced there are two in its slot."""
    workers = [{"slot": 0, "state": "ready"}, {"slot": 0, "state": "ready"}, {"slot": 1, "state": "booting"}]
    assert ready({"workers": workers}) == 1


def test_a_reload_that_failed_is_told() -> None:
    reload = {"state": "idle", "generation": None, "error": "Reload failed: no module.\x07"}
    text = as_text({**STATUS, "reload": reload})
    assert text.splitlines()[-1] == "the last reload failed: Reload failed: no module.\\x07"


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"workers": 3, "binds": "x", "reload": [], "uptime": "long", "generation": {"a": 1}},
        {"workers": [1, None, {}], "binds": [None]},
        {"workers": [{"slot": "x", "uptime": float("nan"), "rss": float("inf"), "requests": None}]},
        {"restarts": [], "target": "many"},
        {"restarts": {"\x1b": 3, "x": "y"}, "reload": {"error": "\x1b"}},
        {"name": "\x1b[2J", "state": "\n", "reload": {"state": 3, "error": 4}},
    ],
)
def test_whatever_a_master_says_can_be_shown(status: dict[str, Any]) -> None:
    text = as_text(status)
    assert "\x1b" not in text
    assert "srvctl ?" in text


def test_programs_are_told_below_the_workers_by_number_where_there_are_several() -> None:
    programs = [
        {"name": "redis", "index": 0, "pid": 71, "state": "running", "uptime": 7505.0, "restarts": 0},
        {"name": "queue", "index": 0, "pid": 72, "state": "running", "uptime": 1.5, "restarts": 12},
        {
            "name": "queue",
            "index": 1,
            "pid": None,
            "state": "waiting",
            "restarts": 3,
            "reason": "exit code 1",
        },
    ]
    assert as_text(STATUS | {"programs": programs}).splitlines()[-6:-2] == [
        "PROGRAM  PID  STATE    UPTIME  RESTARTS",
        "redis     71  running   2h05m         0",
        "queue:0   72  running      1s        12",
        "queue:1    -  waiting       -         3  exit code 1",
    ]
    assert program_table({"programs": [{}, "nonsense"]})[1:] == ["?          -  ?           -         0"]
