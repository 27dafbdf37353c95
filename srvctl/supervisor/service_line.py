"""How everything is, in one line for people: what ``systemctl status`` shows. Pure; part of `notices`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.lifecycle import WorkerState
from srvctl.supervisor.programs.places import PlaceState
from srvctl.supervisor.state import Phase, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.supervisor.programs.places import Place
    from srvctl.supervisor.state import State

_MOST_PROGRAMS: Final = 3  #: that are named
_FEW: Final = 9.95  #: requests in a second, from which on a tenth of one is none of interest


@dataclass(frozen=True, slots=True)
class Figures:
    """What the boards said at the last look.

    Attributes:
        in_flight: Requests that the applications are at work on.
        rate: Requests finished in a second; None as long as there was one look only.
    """

    in_flight: int
    rate: float | None = None

    def __str__(self) -> str:
        flying = f"{self.in_flight} request{'s' * (self.in_flight != 1)} in flight"
        if self.rate is None:
            return flying
        digits = 1 if 0 < self.rate < _FEW else 0
        return f"{flying}, {self.rate:.{digits}f} requests/s"


def line(state: State, figures: Figures | None, *, is_missed: bool = False) -> str:
    """Return the line.

    Args:
        state: The fleet's.
        figures: What is counted; None where nobody looks, or that is left out.
        is_missed: The watchdog is not fed.
    """
    if state.phase in {Phase.STOPPING, Phase.ENDED}:
        return f"Stopping: {_left(state)}"
    served = state.served()
    verb = "serves" if 1 in {served, state.target} else "serve"
    first = f"{served} of {workers(state.target)} {verb}"
    if figures is not None:
        first += f", {figures}"
    opening = {Phase.BOOTING: "Starting: ", Phase.LEAVING: "Stopping soon: "}.get(state.phase, "")
    first = f"{opening}{first}, generation {state.generation}"
    return "; ".join([first, *_troubles(state, is_missed=is_missed)])


def _left(state: State) -> str:
    count = len(state.roster.workers)
    running = sum(place.is_alive for place in state.programs)
    found = [workers(count)] if count else []
    found += [f"{running} program{'s' * (running != 1)}"] if running else []
    return f"{' and '.join(found)} left" if found else "nothing left"


def _troubles(state: State, *, is_missed: bool) -> Iterator[str]:
    """Yield what is out of the ordinary."""
    if state.reload is not None:
        yield f"generation {state.reload.generation} is on its way: {state.reload.stage.value}"
    if state.is_upgrading:
        yield "trying whether the installed srvctl can take over"
    hung = state.roster.count(WorkerState.HUNG)
    if hung:
        yield f"{workers(hung)} {'hangs' if hung == 1 else 'hang'}"
    if is_missed:
        yield "too few workers beat, so the watchdog is not fed"
    yield from _programs(state)
    if state.reload_error and state.reload is None:  # else another one may mend it
        yield state.reload_error.rstrip(".")
    if state.upgrade_error:
        yield state.upgrade_error.rstrip(".")


def _programs(state: State) -> Iterator[str]:
    """Yield which programs do not run though they should."""
    failed = [place for place in state.programs if _has_failed(place)]
    for place in failed[:_MOST_PROGRAMS]:
        label = state.programs.label_of(place)
        does = "failed" if place.state is PlaceState.FAILED else "fails"
        yield f"program {label} {does}" + (f" ({place.reason})" if place.reason else "")
    if len(failed) > _MOST_PROGRAMS:
        yield f"{len(failed) - _MOST_PROGRAMS} more programs fail"


def _has_failed(place: Place) -> bool:
    """Return whether it will not be started again, or is about to be."""
    is_to_come = place.state in {PlaceState.WAITING, PlaceState.STARTING}
    return place.state is PlaceState.FAILED or (is_to_come and place.failures > 0)
