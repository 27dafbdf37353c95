"""What ``srvctl status`` shows of what a master says, also of what an older or newer one says."""

from __future__ import annotations

from typing import Any

import pytest

from srvctl.cli.status_text import as_text, duration

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
    "workers": [
        {
            "slot": 1,
            "pid": 4102,
            "state": "ready",
            "generation": 2,
            "uptime": 7504,
            "requests": 12345,
            "in_flight": 0,
            "rss": 64 * 2**20,
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
            "rss": 2**20,
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
        "\n"
        "SLOT   PID  STATE     GENERATION     UPTIME  REQUESTS  IN FLIGHT      RSS\n"
        "   0  4101  draining           2  2 h 5 min         9          3  1.0 MiB  reload\n"
        "   0     -  forking            3      0.0 s         0          0        -\n"
        "   1  4102  ready              2  2 h 5 min     12345          0   64 MiB"
    )


def test_a_reload_that_failed_is_told() -> None:
    reload = {"state": "idle", "generation": None, "error": "Reload failed: no module.\x07"}
    assert "  the last reload failed: Reload failed: no module.\\x07\n" in as_text(
        {**STATUS, "reload": reload}
    )


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"workers": 3, "binds": "x", "reload": [], "uptime": "long", "generation": {"a": 1}},
        {"workers": [1, None, {}], "binds": [None]},
        {"workers": [{"slot": "x", "uptime": float("nan"), "rss": float("inf"), "requests": None}]},
        {"name": "\x1b[2J", "state": "\n", "reload": {"state": 3, "error": 4}},
    ],
)
def test_whatever_a_master_says_can_be_shown(status: dict[str, Any]) -> None:
    text = as_text(status)
    assert "\x1b" not in text
    assert "srvctl ?" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599.9, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d 0 h"),
        (10**9, "11574 d 1 h"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
