"""What a client of the control socket is told about how everything is."""

from __future__ import annotations

import json
from typing import Any

from srvctl.supervisor.actions import Reply
from srvctl.supervisor.events import Looked, StatusAsked
from srvctl.supervisor.fleet import Phase
from tests.support.scene import RELOAD, TERM, Scene, booting, forked, reading, serving


def status(scene: Scene) -> dict[str, Any]:
    """Ask, and return what is told; it must be fit for JSON."""
    scene.tell(StatusAsked(7))
    (reply,) = scene.all(Reply)
    assert reply.client == 7
    assert reply.is_ok
    assert reply.message == scene.fleet.state.phase.value
    found = json.loads(json.dumps(reply.data))
    assert isinstance(found, dict)
    return found


def test_a_service_at_rest() -> None:
    """Its workers, with what their boards said last."""
    scene = serving()
    scene.now += 12.5
    board = reading(scene.now, begun=9, finished=7, errors=1, connections=4, lag=0.25, rss=5_000_000)
    scene.tell(Looked({1: board, 2: None}))
    found = status(scene)
    assert found["state"] == "running"
    assert (found["generation"], found["target"]) == (1, 2)
    assert found["reload"] == {"state": "idle", "generation": None, "error": ""}
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
        "errors": 1,
        "loop_lag": 0.25,
        "rss": 5_000_000,
        "leaves_because": "",
    }
    assert second["requests"] == 0
    assert second["leaves_because"] == "nonsense on its board"


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
