"""What the master does for one worker does not depend on how many others there are.

Each worker causes some events. If every event has all workers asked something, n workers cost n² questions.
Counted are calls of functions, not seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import srvctl
from srvctl.supervisor.chronicle import Chronicle
from srvctl.supervisor.events import RecycleAsked, ReloadAsked, ScaleAsked, StopAsked
from srvctl.supervisor.fleet import Fleet, FleetPolicy
from srvctl.supervisor.notices import Manager
from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from srvctl.supervisor.events import Event

_OURS = str(Path(srvctl.__file__).parent)
_FEW, _MANY = 16, 64
#: What is more than chance; one question to all workers after every event would make it 1.5 and more.
_GROWTH = 1.1


class Service(Kernel):
    """A world whose master does all that it does for each event: tells news, and looks for what is due."""

    def __init__(self, count: int, manager: Manager) -> None:
        super().__init__(FleetPolicy(count, boot=6.0, drain=4.0, term=1.0, preload=True))
        self.fleet = Fleet(self.policy, lambda: 0.0, manager)
        self.chronicle = Chronicle(self.fleet.state)

    def _dispatch(self, event: Event) -> None:
        super()._dispatch(event)
        assert all(self.chronicle.news(self.fleet.state))
        self.fleet.next_deadline()

    def takes_in(self, event: Event) -> int:
        """Return how many functions the master has called by the time that everything is at rest again."""
        calls = 0

        def count(frame: FrameType, what: str, _: object) -> None:
            nonlocal calls
            calls += what == "call" and frame.f_code.co_filename.startswith(_OURS)

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            self.happen(event)
            self.rest()
        finally:
            sys.setprofile(before)
        return calls


EVENTS: dict[str, Callable[[Service, int], Event]] = {
    "reload": lambda service, _: ReloadAsked("SIGHUP", service.ask()),
    "recycle": lambda service, _: RecycleAsked("operator", "all", service.ask()),
    "scale": lambda _, count: ScaleAsked("operator", count=2 * count),
    "stop": lambda service, _: StopAsked("SIGTERM", client=service.ask()),
}


@pytest.mark.parametrize("manager", [Manager(), Manager(listens=True)], ids=["alone", "systemd"])
@pytest.mark.parametrize("event", EVENTS)
def test_each_worker_costs_the_same(event: str, manager: Manager) -> None:
    """Whatever happens to all of them, and whoever is told of it."""
    costs = []
    for count in (_FEW, _MANY):
        service = Service(count, manager)
        service.start()
        service.rest()
        costs.append(service.takes_in(EVENTS[event](service, count)) / count)
    few, many = costs
    assert many <= _GROWTH * few
