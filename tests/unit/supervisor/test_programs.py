"""Programs beside the workers, as the fleet decides about them: order, readiness, ends, reloads, wishes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import ExitCode
from srvctl.settings.groups import ProgramSettings
from srvctl.supervisor.actions import Exit, SignalProgram, Spawn, StartProgram
from srvctl.supervisor.events import (
    ProgramAsked,
    ProgramExited,
    ProgramForked,
    ProgramReady,
    ProgramRefused,
    Started,
)
from srvctl.supervisor.fleet import Fleet, Phase
from srvctl.supervisor.status import snapshot
from tests.support.scene import INT, POLICY, QUIT, RELOAD, TERM, Scene, exited, up

if TYPE_CHECKING:
    from typing import Any, Literal

    from srvctl.supervisor.events import Event


def program(name: str = "queue", **values: Any) -> ProgramSettings:
    return ProgramSettings(name=name, command=("run", name), **values)


def stage(*programs: ProgramSettings, after: tuple[str, ...] = (), count: int = 1) -> Scene:
    return Scene(count, policy=replace(POLICY, programs=programs, workers_after=after))


def began(*processes: int) -> list[Event]:
    return [ProgramForked(process, 3000 + process) for process in processes]


def ready(*processes: int) -> list[Event]:
    """Forked, and after all are forked, ready."""
    return [*began(*processes), *map(ProgramReady, processes)]


def gone(process: int, cause: str = "exit code 1") -> Event:
    return ProgramExited(process, cause, is_success=cause == "exit code 0")


def asked(
    verb: Literal["start", "stop", "restart"], name: str = "queue", client: int | None = 7
) -> ProgramAsked:
    return ProgramAsked("srvctl program", verb, name, client)


def states(scene: Scene) -> dict[str, str]:
    return {place.label: place.state.value for place in scene.fleet.state.programs}


def running(*programs: ProgramSettings) -> Scene:
    """A service that serves, with all its programs."""
    scene = stage(*programs)
    scene.tell(Started(), *up(1))
    numbers = range(1, 1 + sum(one.count for one in programs))
    scene.tell(*ready(*numbers))
    assert set(states(scene).values()) == {"running"}
    return scene


# -- starting ----------------------------------------------------------------------------------------------


def test_programs_start_beside_the_workers_each_of_its_processes_once() -> None:
    scene = stage(program(count=2), program("cache"))
    done = scene.tell(Started())
    assert [action for action in done if isinstance(action, StartProgram)] == [
        StartProgram(1, "queue", 0),
        StartProgram(2, "queue", 1),
        StartProgram(3, "cache", 0),
    ]
    assert [action for action in done if isinstance(action, Spawn)] != []
    assert scene.tell(*ready(1, 2, 3)) == []
    assert "Started program queue:1 [3002]" in scene.texts or "Started program cache [3003]" in scene.texts
    assert states(scene) == {"queue:0": "running", "queue:1": "running", "cache:0": "running"}


def test_a_program_waits_for_what_it_comes_after_and_that_is_what_says_it_is_ready() -> None:
    scene = stage(program("web", after=("cache",)), program("cache", ready="notify"))
    assert StartProgram(1, "cache", 0) in scene.tell(Started())
    assert scene.tell(*began(1)) == []
    assert scene.tell(ProgramReady(1)) == [StartProgram(2, "web", 0)]


def test_a_program_after_the_workers_waits_for_the_first_ones() -> None:
    scene = stage(program(after=("workers",)))
    assert not [action for action in scene.tell(Started()) if isinstance(action, StartProgram)]
    scene.tell(*up(1))
    assert scene.all(StartProgram) == [StartProgram(1, "queue", 0)]


def test_workers_wait_for_the_programs_they_come_after_but_not_when_they_are_replaced() -> None:
    scene = stage(program("cache", ready="fd:3"), after=("cache",))
    assert scene.tell(Started()) == [StartProgram(1, "cache", 0)]
    assert scene.tell(*began(1)) == []
    assert scene.tell(ProgramReady(1)) == [Spawn(1, 0, 1)]
    scene.tell(*up(1))
    scene.tell(gone(1))
    assert scene.tell(*exited(1)) == [Spawn(2, 0, 1)]


def test_a_task_is_done_when_it_has_ended_well() -> None:
    scene = stage(program("migrate", ready="exit", restart="on-failure"), after=("migrate",))
    scene.tell(Started(), *began(1))
    assert states(scene) == {"migrate:0": "starting"}
    assert scene.tell(gone(1, "exit code 0")) == [Spawn(1, 0, 1)]
    assert states(scene) == {"migrate:0": "done"}


@pytest.mark.parametrize("restart", ["on-failure", "never"])
def test_a_task_that_fails_ends_a_service_whose_workers_wait_for_it(
    restart: Literal["on-failure", "never"],
) -> None:
    scene = stage(
        program("base", ready="exit", restart=restart), program("task", after=("base",)), after=("task",)
    )
    scene.tell(Started())
    for process in range(1, 2 if restart == "never" else 4):
        assert scene.fleet.state.phase is Phase.BOOTING
        scene.tell(*began(process))
        scene.tell(gone(process))
        if process < 3 and restart != "never":
            scene.after(60.0)
    assert scene.all(Exit) == [Exit(ExitCode.NEVER_UP)]
    assert "Program base, which the workers wait for, failed: exit code 1." in scene.errors


def test_a_program_that_is_not_ready_in_time_is_ended_and_tried_again() -> None:
    scene = stage(program(ready="notify", start_timeout=5.0, stop_timeout=2.0))
    scene.tell(Started(), *up(1), *began(1))
    assert scene.after(5.0) == [SignalProgram(1, "TERM")]
    assert scene.after(2.0) == [SignalProgram(1, "KILL", to_group=True)]
    scene.tell(gone(1, "killed by SIGKILL"))
    assert "not ready within 5 s (start_timeout)" in scene.texts[0]
    assert scene.all(StartProgram) == [
        StartProgram(2, "queue", 0)
    ]  # the first failure is tried again at once


def test_one_that_says_ready_while_it_is_asked_to_end_is_not() -> None:
    scene = stage(program(ready="notify", start_timeout=5.0))
    scene.tell(Started(), *up(1), *began(1))
    scene.after(5.0)
    scene.tell(ProgramReady(1))
    assert states(scene) == {"queue:0": "stopping"}


# -- ends --------------------------------------------------------------------------------------------------


def test_a_program_that_dies_is_started_again_the_second_time_after_a_while() -> None:
    scene = running(program())
    assert scene.tell(gone(1)) == [StartProgram(2, "queue", 0)]
    scene.tell(*ready(2))
    assert scene.tell(gone(2)) == []
    assert scene.texts == ["Program queue [3002] ended: exit code 1. Another one starts in 0.5 s."]
    assert states(scene) == {"queue:0": "waiting"}
    assert scene.after(0.5) == [StartProgram(3, "queue", 0)]


def test_a_program_that_cannot_be_run_never_ran() -> None:
    """There is a process before it is known whether its program can be run."""
    scene = running(program())
    scene.tell(asked("restart"), gone(1, "exit code 0"), *began(2))
    assert scene.replies == {}
    assert states(scene) == {"queue:0": "starting"}
    scene.tell(gone(2, "run is not found on the PATH"))
    assert scene.replies[7].message == "Program queue was not restarted: run is not found on the PATH."


def test_a_program_that_could_not_be_started_is_tried_again_too() -> None:
    scene = stage(program())
    scene.tell(Started(), *up(1), ProgramRefused(1, "no process can be made"))
    assert scene.all(StartProgram)[-1] == StartProgram(2, "queue", 0)


@pytest.mark.parametrize(
    ("restart", "cause", "state"),
    [
        ("always", "exit code 0", "starting"),
        ("on-failure", "exit code 0", "done"),
        ("on-failure", "killed by SIGSEGV", "starting"),
        ("never", "exit code 0", "done"),
        ("never", "exit code 2", "failed"),
    ],
)
def test_whether_it_is_started_again(
    restart: Literal["always", "on-failure", "never"], cause: str, state: str
) -> None:
    scene = running(program(restart=restart))
    scene.tell(gone(1, cause))
    assert states(scene) == {"queue:0": state}


# -- a stop ------------------------------------------------------------------------------------------------


def test_a_stop_goes_the_other_way_round() -> None:
    scene = stage(program("front", after=("web",)), program("web"), program("base"), after=("base",))
    scene.tell(Started(), *ready(1, 2))
    scene.tell(*up(1))
    scene.tell(*ready(3))
    by_name = {place.name: place.process for place in scene.fleet.state.programs}
    scene.tell(TERM)
    assert scene.all(SignalProgram) == [SignalProgram(by_name["front"], "TERM")]
    scene.tell(gone(by_name["front"], "exit code 0"))
    assert scene.all(SignalProgram) == [SignalProgram(by_name["web"], "TERM")]
    scene.tell(gone(by_name["web"], "exit code 0"))
    assert scene.all(SignalProgram) == []
    scene.tell(*exited(1))
    assert scene.all(SignalProgram) == [SignalProgram(by_name["base"], "TERM")]
    assert scene.tell(gone(by_name["base"], "exit code 0")) == [Exit(ExitCode.OK)]


def test_one_that_does_not_obey_is_killed_with_its_group_and_delays_the_end_no_longer() -> None:
    scene = running(program(stop_signal="INT", stop_timeout=3.0))
    scene.tell(TERM, *exited(1))
    assert scene.all(SignalProgram) == [SignalProgram(1, "INT")]
    assert scene.after(3.0) == [SignalProgram(1, "KILL", to_group=True)]
    assert scene.tell(gone(1, "killed by SIGKILL")) == [Exit(ExitCode.OK)]


def test_a_hurried_stop_kills_programs_too() -> None:
    scene = running(program())
    scene.tell(QUIT)
    assert scene.all(SignalProgram) == [SignalProgram(1, "KILL", to_group=True)]
    scene = running(program())
    scene.tell(INT)
    scene.after(1.0, INT)
    assert SignalProgram(1, "KILL", to_group=True) in scene.all(SignalProgram)


# -- a reload ----------------------------------------------------------------------------------------------


def reloaded(scene: Scene, *programs: ProgramSettings) -> None:
    """Reload to these settings, up to the end of it."""
    before = max(scene.fleet.state.roster.workers)
    scene.settings = replace(scene.policy, programs=programs)
    scene.tell(RELOAD)
    scene.tell(*up(before + 1))
    scene.tell(*exited(before))


def test_a_reload_adds_removes_and_renews() -> None:
    scene = running(program("same"), program("other"), program("less"))
    reloaded(scene, program("same"), program("other", stop_timeout=1.0), program("more"))
    signals = [action for action in scene.done if isinstance(action, SignalProgram)]
    assert signals == []  # they came with the commit, before the old worker was gone
    assert states(scene) == {
        "same:0": "running",
        "other:0": "stopping",
        "less:0": "stopping",
        "more:0": "starting",
    }
    scene.tell(gone(2, "exit code 0"), gone(3, "exit code 0"))
    assert states(scene) == {"same:0": "running", "other:0": "starting", "more:0": "starting"}


def test_fewer_processes_of_one_program_are_wanted() -> None:
    scene = running(program(count=3))
    reloaded(scene, program(count=1))
    # The count is a setting like any other, so that the first is renewed.
    assert set(states(scene).values()) == {"stopping"}
    scene.tell(*(gone(process, "exit code 0") for process in (1, 2, 3)))
    assert states(scene) == {"queue:0": "starting"}


@pytest.mark.parametrize(
    ("on_reload", "state", "signals"),
    [
        ("keep", "running", []),
        ("restart", "stopping", [SignalProgram(1, "TERM")]),
        ("HUP", "running", [SignalProgram(1, "HUP")]),
    ],
)
def test_new_code_may_concern_a_program(
    on_reload: Literal["keep", "restart", "HUP"], state: str, signals: list[SignalProgram]
) -> None:
    scene = running(program(on_reload=on_reload))
    scene.tell(RELOAD)
    scene.tell(*up(2))
    assert scene.all(SignalProgram) == signals
    assert states(scene) == {"queue:0": state}


def test_a_reload_that_fails_changes_no_program() -> None:
    scene = running(program())
    scene.settings = replace(scene.policy, programs=())
    scene.tell(RELOAD)
    scene.tell(*[*up(2)[:1], *exited(2)])
    assert scene.all(SignalProgram) == []
    assert states(scene) == {"queue:0": "running"}


def test_a_program_that_is_removed_and_comes_back_while_it_ends_is_started_again() -> None:
    scene = running(program(stop_timeout=60.0))
    reloaded(scene)
    assert states(scene) == {"queue:0": "stopping"}
    reloaded(scene, program())
    scene.tell(gone(1, "exit code 0"))
    assert states(scene) == {"queue:0": "starting"}


# -- wishes ------------------------------------------------------------------------------------------------


def test_stop_and_start_answer_when_it_is_done() -> None:
    scene = running(program())
    assert scene.tell(asked("stop")) == [SignalProgram(1, "TERM")]
    assert scene.replies == {}
    scene.tell(gone(1, "exit code 0"))
    assert scene.replies[7].is_ok
    assert states(scene) == {"queue:0": "stopped"}
    assert scene.after(100.0) == []
    scene.tell(asked("start", client=8))
    assert scene.all(StartProgram) == [StartProgram(2, "queue", 0)]
    scene.tell(*ready(2))
    assert (scene.replies[8].is_ok, scene.replies[8].message) == (True, "Program queue is started.")


def test_start_of_what_runs_is_answered_at_once() -> None:
    scene = running(program(count=2))
    scene.tell(asked("start"))
    assert scene.replies[7].is_ok


def test_start_of_what_runs_in_part_waits_for_the_rest() -> None:
    scene = running(program(count=2))
    scene.tell(asked("stop", "queue:1"), gone(2, "exit code 0"))
    scene.tell(asked("start", client=8))
    assert scene.replies == {}
    scene.tell(*ready(3))
    assert scene.replies[8].is_ok


def test_restart_waits_for_the_new_one_to_be_ready() -> None:
    scene = running(program())
    scene.tell(asked("restart"))
    scene.tell(gone(1, "exit code 0"))
    assert scene.replies == {}
    scene.tell(*ready(2))
    assert scene.replies[7].is_ok
    assert snapshot(scene.fleet.state)["programs"] == [
        {
            "name": "queue",
            "index": 0,
            "pid": 3002,
            "state": "running",
            "uptime": 0.0,
            "restarts": 1,
            "reason": "",
        }
    ]


def test_restart_that_fails_says_why() -> None:
    scene = stage(program(ready="notify"))
    scene.tell(Started(), *up(1), *began(1), ProgramReady(1))
    scene.tell(asked("restart"), gone(1, "exit code 0"), *began(2))
    scene.tell(gone(2, "exit code 3"))
    assert (scene.replies[7].is_ok, scene.replies[7].message) == (
        False,
        "Program queue was not restarted: exit code 3.",
    )


def test_who_asks_for_a_program_that_is_none_is_told_which_there_are() -> None:
    scene = running(program(), program("cache"))
    scene.tell(asked("stop", "que"))
    assert scene.replies[7].message == "There is no program 'que'; there are: queue, cache."


def test_who_still_waits_hears_of_the_end() -> None:
    scene = running(program())
    scene.tell(asked("stop"), TERM)
    assert not scene.replies[7].is_ok
    scene.tell(asked("start", client=9))
    assert scene.replies[9].message == "The service is stopping."


# -- an upgrade in place -----------------------------------------------------------------------------------


def test_another_fleet_goes_on_with_programs_and_wishes() -> None:
    scene = running(program(count=2), program("cache", ready="notify", start_timeout=9.0))
    scene.tell(asked("restart", "queue:1"))
    values = json.loads(json.dumps(scene.fleet.export()))
    before = snapshot(scene.fleet.state)["programs"]
    scene.fleet = Fleet.restore(values, scene.policy, chance=lambda: 0.0)
    assert snapshot(scene.fleet.state)["programs"] == before
    scene.tell(gone(2, "exit code 0"))
    assert scene.all(StartProgram) == [StartProgram(4, "queue", 1)]
    scene.tell(*ready(4))
    assert scene.replies[7].is_ok
