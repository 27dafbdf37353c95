"""What clients want of single workers, or of their number, and when they are told that it is so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srvctl.supervisor.actions import Drain, Dump, Kill, Progress, ShowDump, Spawn
from srvctl.supervisor.events import (
    DumpAsked,
    ScaleAsked,
    TimePassed,
    WorkerExited,
    WorkerKillAsked,
    WorkerStopAsked,
)
from srvctl.supervisor.fleet import Fleet
from tests.support.scene import TERM, Scene, died, exited, serving, up


def told(scene: Scene) -> list[str]:
    return [progress.text for progress in scene.all(Progress)]


def test_scaling_is_answered_when_the_workers_serve() -> None:
    scene = serving()
    assert scene.tell(ScaleAsked("client", +1, client=7)) == [Spawn(3, 2, 1)]
    assert scene.texts == ["Received client, scaling to 3 workers."]
    assert scene.replies == {}
    assert told(scene) == ["2 of 3 workers serving."]
    assert scene.all(Progress)[0].data == {"done": 2, "of": 3}
    scene.tell(*up(3))
    assert scene.replies[7].is_ok
    assert scene.replies[7].message == "Scaled to 3 workers."


def test_scaling_down_is_answered_when_the_others_are_gone() -> None:
    scene = serving(3)
    assert scene.tell(ScaleAsked("client", client=7, count=1)) == [Drain(2), Drain(3)]
    assert told(scene) == ["1 of 1 worker serving, 2 still to go."]
    scene.tell(*exited(2))
    assert scene.replies == {}
    scene.tell(*exited(3))
    assert scene.replies[7].message == "Scaled to 1 worker."


def test_a_number_that_is_there_already_is_answered_at_once() -> None:
    scene = serving()
    scene.tell(ScaleAsked("client", client=7, count=2))
    assert scene.replies[7].is_ok


def test_scaling_fails_when_a_slot_has_to_wait() -> None:
    """Whoever waits is told, and the fleet goes on trying."""
    scene = serving()
    scene.tell(ScaleAsked("client", +1, client=7), *up(3)[:1], WorkerExited(3, "exit code 1"))
    assert scene.replies == {}  # it is tried again at once
    scene.tell(*up(4)[:1], WorkerExited(4, "exit code 1"))
    assert not scene.replies[7].is_ok
    assert scene.replies[7].message.startswith("The workers of slot 2 do not come up")


def test_a_stop_of_the_service_comes_first() -> None:
    scene = serving()
    scene.tell(ScaleAsked("client", +1, client=7), TERM)
    assert scene.replies[7].message == "The service is stopping."
    scene.tell(ScaleAsked("client", +1, client=8), WorkerKillAsked("client", "slot:0", client=9))
    assert not scene.replies[8].is_ok
    assert not scene.replies[9].is_ok


def test_a_worker_is_drained_and_another_takes_its_place() -> None:
    scene = serving()
    assert scene.tell(WorkerStopAsked("client", "slot:1", client=7)) == [Drain(2), Spawn(3, 1, 1)]
    scene.tell(*up(3))
    assert scene.replies == {}
    scene.tell(*exited(2))
    assert scene.replies[7].message == "Stopped worker [1002]; the slot is served again."


def test_a_worker_that_drains_already_is_not_drained_again() -> None:
    scene = serving()
    scene.tell(WorkerStopAsked("client", "pid:1002"))
    assert scene.tell(WorkerStopAsked("client", "pid:1002", client=7)) == []
    assert not scene.replies[7].is_ok
    assert "draining already" in scene.replies[7].message


def test_a_worker_is_killed_and_another_takes_its_place() -> None:
    scene = serving()
    assert scene.tell(WorkerKillAsked("client", "pid:1001", client=7)) == [Kill(1, "KILL"), Spawn(3, 0, 1)]
    scene.tell(died(1))
    assert scene.errors == []
    scene.tell(*up(3))
    assert scene.replies[7].message == "Killed worker [1001]; the slot is served again."


def test_the_stacks_of_a_worker_are_shown_when_it_had_time_to_write_them() -> None:
    scene = serving()
    assert scene.tell(DumpAsked("client", "slot:0", client=7)) == [Dump(1, anew=True)]
    assert scene.tell(TimePassed()) == []
    due = scene.due()
    assert due is not None
    assert scene.after(due) == [ShowDump(7, 1)]
    assert scene.due() != 0


def test_a_worker_that_ends_meanwhile_shows_none() -> None:
    scene = serving()
    scene.tell(DumpAsked("client", "slot:0", client=7), died(1))
    scene.after(1.0)
    assert not scene.replies[7].is_ok


@pytest.mark.parametrize("ask", [WorkerStopAsked, WorkerKillAsked, DumpAsked])
def test_a_worker_that_there_is_not_is_refused_with_those_there_are(
    ask: type[WorkerStopAsked | WorkerKillAsked | DumpAsked],
) -> None:
    scene = serving()
    assert scene.tell(ask("client", "slot:9", client=7)) == []
    assert scene.replies[7].message == "No worker is slot 9; there are 1001 (slot 0), 1002 (slot 1)."


def test_what_is_waited_for_is_handed_over() -> None:
    """To the program that an upgrade brings."""
    scene = serving()
    scene.tell(ScaleAsked("client", +1, client=7), DumpAsked("client", "slot:0", client=8))
    scene.fleet = Fleet.restore(scene.fleet.export(), replace(scene.policy), chance=lambda: 0.0)
    scene.after(1.0, *up(3))
    assert scene.replies[7].is_ok
    assert scene.all(ShowDump) == [ShowDump(8, 1)]
