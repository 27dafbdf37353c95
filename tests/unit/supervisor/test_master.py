"""The master's loop: what it tells the fleet, and when it leaves it alone."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, cast

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import Exit, Look
from srvctl.supervisor.events import Looked, ReloadAsked, Started, StopAsked, TimePassed
from srvctl.supervisor.master import Master

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srvctl.supervisor.actions import Action
    from srvctl.supervisor.events import Event

STOP, RELOAD = StopAsked("SIGTERM"), ReloadAsked("SIGHUP")
EVER = float("inf")


class Fleet:
    """Remembers what it is told; looks at the boards when it is to reload, and ends when it is to stop."""

    def __init__(self, deadlines: Iterable[float | None]) -> None:
        self.told: list[Event] = []
        self._deadlines = iter(deadlines)

    def handle(self, event: Event, _now: float) -> list[Action]:
        self.told.append(event)
        match event:
            case StopAsked():
                return [Exit(ExitCode.OK)]
            case ReloadAsked():
                return [Look()]
            case _:
                return []

    def next_deadline(self) -> float | None:
        return next(self._deadlines)


class Poller:
    """Has something happen in each turn; at the end of each, time has passed."""

    def __init__(self, *turns: list[Event]) -> None:
        self._turns = iter(turns)
        self.deadlines: list[float | None] = []

    def wait(self, deadline: float | None) -> Iterator[Event]:
        self.deadlines.append(deadline)
        yield from next(self._turns)
        yield TimePassed()


class Effects:
    """Sees nothing on no board."""

    def perform(self, _action: Action) -> Event | None:
        return Looked({})


def run(fleet: Fleet, poller: Poller) -> int:
    """Return how often the master said that something is decided, having run to the end."""
    decided = 0

    def count() -> None:
        nonlocal decided
        decided += 1

    master = Master(
        cast("Any", fleet), cast("Any", poller), cast("Any", Effects()), logging.getLogger("x"), decided=count
    )
    assert master.run() is ExitCode.OK
    return decided


def test_turns_that_are_no_concern_of_the_fleet_cost_it_nothing() -> None:
    """Neither is it told, nor asked again when it wants to be."""
    fleet, poller = Fleet([EVER, EVER]), Poller([], [], [], [], [STOP])
    assert run(fleet, poller) == 3
    assert fleet.told == [Started(), TimePassed(), STOP]
    assert poller.deadlines == [EVER] * 5


def test_time_is_told_when_its_deadline_has_come() -> None:
    """And only then is there a next one."""
    past, future = time.monotonic() - 1, time.monotonic() + 3600
    fleet, poller = Fleet([past, past, future]), Poller([], [], [], [STOP])
    run(fleet, poller)
    assert fleet.told == [Started(), TimePassed(), TimePassed(), STOP]
    assert poller.deadlines == [past, past, future, future]


def test_without_a_deadline_time_is_no_news() -> None:
    """Nothing waits for it."""
    fleet = Fleet([None, None])
    run(fleet, Poller([], [], [STOP]))
    assert fleet.told == [Started(), TimePassed(), STOP]


def test_an_event_is_followed_by_time() -> None:
    """The fleet compares what is with what is wanted once more, and says anew how long it can wait."""
    fleet, poller = Fleet([EVER, EVER, None]), Poller([], [RELOAD], [], [], [STOP])
    run(fleet, poller)
    assert fleet.told == [Started(), TimePassed(), RELOAD, Looked({}), TimePassed(), STOP]
    assert poller.deadlines == [EVER, EVER, None, None, None]


def test_time_is_told_again_as_long_as_something_comes_of_it() -> None:
    """What was done about it may have changed what is wanted next."""

    class Busy(Fleet):
        def handle(self, event: Event, now: float) -> list[Action]:
            is_first = TimePassed() not in self.told
            found = super().handle(event, now)
            return [Look()] if isinstance(event, TimePassed) and is_first else found

    fleet = Busy([EVER] * 3)
    run(fleet, Poller([], [], [], [STOP]))
    assert fleet.told == [Started(), TimePassed(), Looked({}), TimePassed(), STOP]
