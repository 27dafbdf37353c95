"""The tables of phases, of stages, of programs' states: complete, without traps, and obeyed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.settings.groups import ProgramSettings
from srvctl.supervisor.events import ProgramExited, ProgramForked, Started
from srvctl.supervisor.fleet import Fleet
from srvctl.supervisor.programs.places import MOVES, Place, PlaceState
from srvctl.supervisor.reloading import STAGES, Reload, Stage
from srvctl.supervisor.state import PHASES, Phase, State
from tests.support.scene import POLICY, TERM, Scene, up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import Enum


def service(phase: Phase) -> State:
    state = Fleet(POLICY, chance=lambda: 0.0).state
    state.phase = phase
    return state


def reload(stage: Stage) -> Reload:
    return Reload(2, began=0.0, stage=stage, until=1.0)


def place(state: PlaceState) -> Place:
    return Place("one", 0, state=state)


Table = dict[Any, dict[Any, str]]
TABLES: list[tuple[Table, Callable[[Any], Any], str]] = [
    (PHASES, service, "phase"),
    (STAGES, reload, "stage"),
    (MOVES, place, "state"),
]
CELLS = [
    pytest.param(table, make, name, before, after, id=f"{before.name}-{after.name}")
    for table, make, name in TABLES
    for before in table
    for after in type(before)
    if before is not after
]


@pytest.mark.parametrize(("table", "make", "name", "before", "after"), CELLS)
def test_each_cell(table: Table, make: Callable[[Any], Any], name: str, before: Enum, after: Enum) -> None:
    """What the table has is done; what it lacks raises, and changes nothing."""
    one = make(before)
    if after in table[before]:
        one.enter(after)
        assert getattr(one, name) is after
    else:
        with pytest.raises(ValueError, match="cannot be"):
            one.enter(after)
        assert getattr(one, name) is before


@pytest.mark.parametrize("make", [service, place])
def test_to_stay_is_no_move(make: Callable[[Any], Any]) -> None:
    """A stop that is asked for twice, a program that is to start and waits."""
    one = make(Phase.STOPPING if make is service else PlaceState.WAITING)
    one.enter(Phase.STOPPING if make is service else PlaceState.WAITING)


def test_a_stage_lasts_until_something_happens() -> None:
    """The time of the stage before is not that of the next; the first worker may be chosen twice."""
    one = reload(Stage.CANARY)
    one.enter(Stage.CANARY)
    assert one.until is None


@pytest.mark.parametrize(
    ("table", "first"), [(PHASES, Phase.BOOTING), (STAGES, Stage.READING), (MOVES, PlaceState.WAITING)]
)
def test_every_state_is_lived_in(table: Mapping[Any, Mapping[Any, str]], first: Enum) -> None:
    """All are in the table, and can be reached from the first."""
    seen: set[Any] = set()
    ahead: set[Any] = {first}
    while ahead:
        seen |= ahead
        ahead = {after for before in ahead for after in table[before]} - seen
    assert seen == set(table) == set(type(first))


@pytest.mark.parametrize("phase", set(Phase) - {Phase.ENDED})
def test_every_service_can_stop(phase: Phase) -> None:
    """At any time, with nothing between."""
    assert phase is Phase.STOPPING or Phase.STOPPING in PHASES[phase]


@pytest.mark.parametrize("stage", set(Stage) - {Stage.RESTORING})
def test_every_reload_can_go_back(stage: Stage) -> None:
    """Until the last slot is served by the new code."""
    assert Stage.RESTORING in STAGES[stage]


def test_a_service_that_is_not_whole_yet_leaves_as_politely() -> None:
    """One of two workers serves, so load balancers may know it."""
    scene = Scene(2, policy=replace(POLICY, drain_delay=10.0))
    scene.tell(Started(), *up(1), TERM)
    assert scene.fleet.state.phase is Phase.LEAVING


def test_a_program_that_is_late_and_not_to_be_tried_again_has_failed() -> None:
    """It is asked to end first."""
    one = ProgramSettings(name="one", command=("x",), ready="notify", start_timeout=5.0, restart="never")
    scene = Scene(1, policy=replace(POLICY, programs=(one,)))
    scene.tell(Started(), *up(1))
    scene.tell(ProgramForked(1, 3001))
    scene.after(5.0)
    assert [place.state for place in scene.fleet.state.programs] == [PlaceState.STOPPING]
    scene.tell(ProgramExited(1, "killed by SIGTERM", is_success=False))
    assert [place.state for place in scene.fleet.state.programs] == [PlaceState.FAILED]
