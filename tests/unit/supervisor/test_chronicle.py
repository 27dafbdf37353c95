"""What has happened, told from what has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from srvctl.settings.groups import ProgramSettings
from srvctl.supervisor.chronicle import Chronicle, of_death, of_upgrade
from srvctl.supervisor.events import (
    Examined,
    Looked,
    ProgramExited,
    ProgramForked,
    ProgramReady,
    ReloadAsked,
    ScaleAsked,
    SettingsRefused,
    Started,
    WorkerReady,
    WorkerStopAsked,
)
from tests.support.scene import POLICY, RELOAD, TERM, Scene, exited, forked, serving, up
from tests.unit.supervisor.test_tally import DEATH
from tests.unit.supervisor.test_watch import HANG, asked_again, suspected

if TYPE_CHECKING:
    from srvctl.supervisor.events import Event


class Reader:
    """Tells a scene one event after the other, and collects what a chronicle makes of it."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.chronicle = Chronicle(scene.fleet.state)

    def reads(self, *events: Event) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for event in events:
            self.scene.tell(event)
            found += self.chronicle.news(self.scene.fleet.state)
        return found

    def texts(self, *events: Event) -> list[str]:
        return [happening["text"] for happening in self.reads(*events)]


def test_a_start() -> None:
    reader = Reader(Scene(count=1))
    assert reader.texts(Started(), *forked(1)) == ["Worker [1001] of slot 0 boots."]
    assert reader.texts(WorkerReady(1)) == ["The service runs.", "Worker [1001] of slot 0 serves."]


def test_an_event_is_fit_for_programs() -> None:
    reader = Reader(serving())
    assert reader.reads(WorkerStopAsked("operator", "slot:1"))[:1] == [
        {
            "kind": "worker",
            "level": "info",
            "text": "Worker [1002] of slot 1 drains (operator).",
            "slot": 1,
            "pid": 1002,
            "generation": 1,
            "state": "draining",
        }
    ]


def test_nothing_is_told_twice() -> None:
    reader = Reader(serving())
    assert reader.texts(Looked({})) == []


def test_a_number_of_workers() -> None:
    assert Reader(serving()).texts(ScaleAsked("x", +1), *forked(3)) == [
        "3 workers wanted.",
        "Worker [1003] of slot 2 boots.",
    ]


def test_a_reload_that_succeeds() -> None:
    """Each stage, and the end; a stage that takes no time is not seen."""
    reader = Reader(serving(1))
    told = reader.reads(RELOAD, *up(2), *exited(1))
    assert [happening["text"] for happening in told if happening["kind"] == "reload"] == [
        "Reload to generation 2: reading the settings.",
        "Reload done: generation 2 serves.",
    ] or [happening["state"] for happening in told if happening["kind"] == "reload"][-1] == "done"


def test_a_reload_that_fails() -> None:
    scene = serving(1)
    scene.settings = None
    told = Reader(scene).reads(ReloadAsked("x"), SettingsRefused(2, "no such key"))
    assert [(happening["state"], happening["level"]) for happening in told] == [
        ("reading the settings", "info"),
        ("failed", "error"),
    ]
    assert told[-1]["text"] == "Reload failed: the settings cannot be used. The old workers go on."


def test_a_worker_that_hangs() -> None:
    scene = suspected(HANG, 2)
    reader = Reader(scene)
    blocked = Examined(1, waited=0.0, on_cpu=5.0)
    told = reader.reads(blocked)
    asked_again(scene)
    told += reader.reads(blocked)
    assert [(happening["state"], happening["level"]) for happening in told] == [("hung", "error")]
    assert "its loop was blocked" in told[0]["text"]


def test_a_stop() -> None:
    assert Reader(serving(1)).texts(TERM, *exited(1)) == [
        "The service is stopping.",
        "Worker [1001] of slot 0 drains (stop).",
        "The service has stopped.",
    ]


def test_a_death_is_told_with_its_cause() -> None:
    told = of_death(DEATH)
    assert told["text"] == "Worker [2] of slot 0 is gone: segmentation fault (SIGSEGV)."
    assert (told["level"], told["state"]) == ("error", "gone")
    assert of_death(replace(DEATH, asked_by="reload", cause="exit code 0"))["level"] == "info"


def test_texts_of_others_are_harmless() -> None:
    assert "\x1b" not in of_death(replace(DEATH, asked_by="operator \x1b[2J"))["text"]


def test_an_upgrade() -> None:
    assert of_upgrade("1", "2")["text"] == "srvctl 2 took over from srvctl 1."


def test_the_life_of_a_program() -> None:
    policy = replace(POLICY, programs=(ProgramSettings(name="queue", command=("q",), ready="notify"),))
    reader = Reader(Scene(1, policy=policy))
    assert reader.texts(Started()) == []
    assert reader.texts(ProgramForked(1, 3001)) == ["Program queue:0 [3001] starts."]
    assert reader.texts(ProgramReady(1)) == ["Program queue:0 [3001] runs."]
    assert reader.texts(ProgramExited(1, "exit code 1", is_success=False)) == []  # the next starts at once
    assert reader.texts(ProgramForked(2, 3002)) == ["Program queue:0 [3002] starts (exit code 1)."]
    assert reader.reads(ProgramExited(2, "killed by SIGSEGV", is_success=False)) == [
        {
            "kind": "program",
            "level": "error",
            "text": "Program queue:0 waits to be started (killed by SIGSEGV).",
            "name": "queue",
            "index": 0,
            "pid": None,
            "state": "waiting",
        }
    ]
