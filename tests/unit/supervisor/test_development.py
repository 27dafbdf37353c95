"""Development: what a saved file brings about, and what is done where a service would end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.ipc.channel import Apology
from srvctl.supervisor.actions import Apologize, Drain, Kill, ReadSettings, Reply, Spawn
from srvctl.supervisor.events import BootFailed, FilesChanged, ScaleAsked, UpgradeAsked, WorkerExited
from tests.support.scene import (
    POLICY,
    READY,
    RELOAD,
    RELOADED,
    RELOADING,
    STOPPING,
    TERM,
    Scene,
    booting,
    died,
    exited,
    serving,
    up,
)

DEVELOPED = replace(POLICY, is_development=True)
SAVED = FilesChanged(("main.py",))
WRONG = Apology("No module named 'shop'.", "Traceback ...")


def failed(worker: int, why: Apology = WRONG) -> BootFailed:
    return BootFailed(worker, why.message, why.details)


def broken() -> Scene:
    """Worker 1 did not come up; worker 2 stands in."""
    scene = booting(1, policy=DEVELOPED)
    assert scene.tell(failed(1), *exited(1)) == [Spawn(2, 0, 1, apology=WRONG)]
    assert scene.tell(*up(2)) == [READY]
    return scene


def test_a_saved_file_is_served_by_a_new_worker_without_reading_the_settings_again() -> None:
    scene = serving(1, policy=DEVELOPED)
    assert scene.tell(SAVED) == [RELOADING, Spawn(2, 0, 2)]
    assert scene.all(ReadSettings) == [ReadSettings(2, anew=False)]
    assert scene.texts[0] == "Detected changes in 'main.py'. Reloading..."
    assert scene.tell(*up(2)) == [Drain(1), RELOADED]


def test_settings_that_are_saved_are_read() -> None:
    scene = serving(1, policy=DEVELOPED)
    scene.tell(FilesChanged(("srvctl.toml",), of_settings=True))
    assert scene.all(ReadSettings) == [ReadSettings(2, anew=True)]


def test_a_line_of_the_log_names_a_few_files() -> None:
    scene = serving(1, policy=DEVELOPED)
    scene.tell(FilesChanged(tuple(f"{letter}.py" for letter in "abcde")))
    assert scene.texts[0] == "Detected changes in 'a.py', 'b.py', 'c.py' and 2 more. Reloading..."


def test_code_that_changes_again_while_it_boots_begins_anew() -> None:
    """Nobody waits for what is old by now; whoever waited for it is told of the newest."""
    scene = serving(1, policy=DEVELOPED)
    scene.tell(replace(RELOAD, client=7))
    scene.tell(*up(2)[:1])
    assert scene.tell(SAVED) == [Kill(2, "TERM"), RELOADING, Spawn(3, 0, 3)]
    assert scene.all(ReadSettings) == [ReadSettings(3, anew=True)]  # what was asked for was not done yet
    assert scene.tell(*exited(2), *up(3)) == [Drain(1), RELOADED]
    assert scene.replies[7].is_ok


def test_the_first_code_need_not_come_up_if_there_is_newer() -> None:
    """It may hang for ever at a breakpoint, or in a loop."""
    scene = booting(1, policy=DEVELOPED)
    assert scene.tell(SAVED) == [Kill(1, "TERM"), RELOADING, Spawn(2, 0, 2)]
    assert scene.tell(*exited(1), *up(2)) == [READY, RELOADED]


@pytest.mark.parametrize("event", [failed(1), died(1)])
def test_what_never_worked_is_stood_in_for(event: BootFailed | WorkerExited) -> None:
    """Where a service would end, the next change is waited for."""
    scene = booting(1, policy=DEVELOPED)
    scene.tell(event, *([] if isinstance(event, WorkerExited) else exited(1)))
    (spawned,) = scene.all(Spawn)
    assert spawned.apology is not None
    assert scene.texts[-1].startswith("Waiting for the next change.") or "event=" in scene.texts[-1]


def test_a_stand_in_goes_when_code_works() -> None:
    scene = broken()
    assert scene.tell(SAVED) == [RELOADING, Spawn(3, 0, 2)]
    assert scene.tell(*up(3)) == [Drain(2), RELOADED]


def test_a_stand_in_shows_what_is_wrong_by_now() -> None:
    scene = broken()
    scene.tell(SAVED, *up(3)[:1])
    other = Apology("invalid syntax", "")
    done = scene.tell(failed(3, other), *exited(3))
    assert Apologize(2, other) in done
    assert not [action for action in done if isinstance(action, Spawn)]
    assert scene.errors == ["Reload failed: invalid syntax. Waiting for the next change."]


def test_new_code_does_not_wait_for_a_stand_in() -> None:
    scene = booting(1, policy=DEVELOPED)
    scene.tell(failed(1), *exited(1), *up(2)[:1])
    assert scene.tell(SAVED) == [Kill(2, "TERM"), RELOADING, Spawn(3, 0, 2)]
    other = Apology("invalid syntax", "")
    assert Spawn(4, 0, 1, apology=other) in scene.tell(*up(3)[:1], failed(3, other), *exited(2, 3))


def test_a_stand_in_that_dies_is_replaced_by_another() -> None:
    scene = broken()
    assert scene.tell(died(2)) == [Spawn(3, 0, 1, apology=WRONG)]


def test_old_code_that_works_answers_on() -> None:
    scene = serving(1, policy=DEVELOPED)
    scene.tell(SAVED, *up(2)[:1], failed(2))
    assert scene.errors == [
        "Reload failed: No module named 'shop'. The old code answers until the next change."
    ]
    assert not scene.all(Drain)
    scene.tell(*exited(2))
    assert scene.serving == [(0, 1)]


def test_code_that_worked_and_cannot_be_started_again_is_stood_in_for() -> None:
    """It died, and what is on the disk by now does not work."""
    scene = serving(1, policy=DEVELOPED)
    scene.tell(died(1))
    scene.after(60.0, *up(2)[:1], failed(2), *exited(2))
    assert scene.after(60.0)[-1:] == [Spawn(3, 0, 1, apology=WRONG)] or scene.worker(3).apology == WRONG


def test_a_stop_is_a_stop() -> None:
    scene = broken()
    assert scene.tell(TERM) == [*STOPPING, Drain(2, last=True)]
    assert scene.tell(SAVED) == []


def test_there_is_one_worker_and_no_upgrade() -> None:
    scene = serving(1, policy=DEVELOPED)
    scene.tell(ScaleAsked("client", 1, client=1), UpgradeAsked("client", client=2))
    assert scene.fleet.state.target == 1
    assert not scene.fleet.is_upgrading
    assert [(reply.client, reply.is_ok) for reply in scene.all(Reply)] == [(1, False), (2, False)]
