"""What a client of the control socket is told about how everything is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from srvctl.ipc.scoreboard import BOUNDS, BUCKETS
from srvctl.supervisor.actions import Report
from srvctl.supervisor.events import Looked, MetricsAsked, SettingsRefused, StatusAsked
from srvctl.supervisor.fleet import Phase
from srvctl.supervisor.status import completed
from srvctl.supervisor.tally import CAUSES, Tally
from tests.support.scene import RELOAD, TERM, Scene, booting, exited, forked, reading, serving, up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.ipc.scoreboard import Reading


def status(
    scene: Scene, boards: Mapping[int, Reading | None] | None = None, *, has_all: bool = False
) -> dict[str, Any]:
    """Ask, and return what is told; it must be fit for JSON."""
    scene.tell(MetricsAsked(7) if has_all else StatusAsked(7))
    (report,) = scene.all(Report)
    assert report.client == 7
    assert report.has_all_figures == has_all
    told = completed(report.status, boards or {}, Tally(), has_all_figures=has_all)
    found = json.loads(json.dumps(told))
    assert isinstance(found, dict)
    return found


def test_a_service_at_rest() -> None:
    """Its workers, with what their boards say now."""
    scene = serving()
    scene.now += 12.5
    scene.tell(Looked({1: reading(scene.now), 2: None}))
    board = reading(scene.now, begun=9, finished=7, errors=1, connections=4, lag=0.25, rss=5_000_000)
    found = status(scene, {1: board, 2: None})
    assert found["state"] == "running"
    assert (found["generation"], found["target"]) == (1, 2)
    assert found["reload"] == {"state": "idle", "generation": None, "error": ""}
    assert found["restarts"] == dict.fromkeys(CAUSES, 0)
    assert found["reloads"] == {"succeeded": 0, "failed": 0}
    assert found["log"] == {"lost": 0}
    assert found["connections_skew"] == 1.0  # of two workers that are ready, one has all
    first, second = found["workers"][:2]
    assert first == {
        "slot": 0,
        "pid": 1001,
        "generation": 1,
        "state": "ready",
        "uptime": 12.5,
        "requests": 7,
        "in_flight": 2,
        "connections": 4,
        "websockets": 0,
        "waiting": 0,
        "errors": 1,
        "cut": 0,
        "cpu": 0.0,
        "cpu_seconds": 0.0,
        "loop_lag": 0.25,
        "rss": 5_000_000,
        "leaves_because": "",
    }
    assert second["requests"] == 0
    assert second["leaves_because"] == "nonsense on its board"


def test_every_figure_there_is() -> None:
    """Durations, and what each slot has counted since the beginning."""
    scene = serving()
    counts = (3, *[0] * (BUCKETS - 1))
    board = replace(reading(scene.now, begun=4, finished=3), answered={"2": counts}, seconds={"2": 0.5})
    found = status(scene, {1: board}, has_all=True)
    assert found["bounds"] == list(BOUNDS)
    assert found["workers"][0]["answered"] == {"2": list(counts)}
    assert found["slots"]["0"]["requests"] == 3
    assert found["slots"]["0"]["seconds"] == {"2": 0.5}
    assert "1" not in found["slots"]


def test_a_service_that_boots() -> None:
    """A worker that is not forked yet has no pid, and has been up for no time."""
    scene = Scene(count=1)
    scene.tell(*forked(99))
    assert [(w["state"], w["pid"], w["uptime"]) for w in status(scene)["workers"]] == [("forking", None, 0.0)]
    assert status(booting())["state"] == "booting"


def test_a_reload_in_progress() -> None:
    """Which, and how far it has come."""
    scene = serving()
    scene.tell(RELOAD)
    assert status(scene)["reload"] == {"state": "canary", "generation": 2, "error": ""}


def test_a_service_that_stops() -> None:
    """It still answers."""
    scene = serving()
    scene.tell(TERM)
    assert status(scene)["state"] == Phase.STOPPING.value


def test_the_failure_of_the_last_reload_stays_to_be_seen() -> None:
    """Until another one has succeeded."""
    scene = serving()
    scene.settings = None
    scene.tell(RELOAD, SettingsRefused(2, "no such key"))
    failed = "Reload failed: the settings cannot be used. The old workers go on."
    assert status(scene)["reload"] == {"state": "idle", "generation": None, "error": failed}
    scene.settings = scene.policy
    scene.tell(RELOAD, *up(3), *up(4), *exited(1, 2))
    assert status(scene)["reload"]["error"] == ""
