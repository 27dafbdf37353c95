"""The rules for processes beside the workers: which is to run now, and what its end means. Pure.

Wanted and observed are compared after every event, as for workers: a program is started when all it comes
after is ready, and started again as its settings say; a stop goes the other way round. Part of `fleet`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from srvctl.settings.program_values import EXIT, STARTED, WORKERS
from srvctl.supervisor.actions import SignalProgram, StartProgram
from srvctl.supervisor.events import ProgramExited, ProgramForked, ProgramReady, ProgramRefused
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.programs.places import Place, PlaceState, Want
from srvctl.supervisor.programs.wishes import Wishes
from srvctl.supervisor.state import SERVING, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.settings.groups import ProgramSettings
    from srvctl.supervisor.events import AboutProgram, ProgramAsked
    from srvctl.supervisor.state import State

#: Processes in a row that may fail while the first workers wait for one of them.
_MOST_TRIES: Final = 3


class Programs:
    """The rules.

    Args:
        state: The fleet's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._wishes = Wishes(state)
        self._processes_made = 0
        self._obeyed = 0  #: the generation whose settings the places are of
        self._settings: dict[tuple[str, int], ProgramSettings] = {}

    # -- what others ask ---------------------------------------------------------------------------------

    @property
    def are_gone(self) -> bool:
        """Whether no process is left."""
        return not any(place.is_alive for place in self._state.programs)

    @property
    def let_workers_start(self) -> bool:
        """Whether what the first workers are to wait for is ready."""
        state = self._state
        return state.phase is not Phase.BOOTING or all(map(self._is_ready, state.policy.workers_after))

    @property
    def failure(self) -> str:
        """Why the first workers wait in vain; empty as long as they may not."""
        if self.let_workers_start:
            return ""
        for place in self._state.programs:
            is_lost = place.state is PlaceState.FAILED or place.failures >= _MOST_TRIES
            if is_lost and place.name in self._awaited_by(self._state.policy.workers_after):
                label = self._state.programs.label_of(place)
                return f"Program {label}, which the workers wait for, failed: {place.reason}."
        return ""

    def deadlines(self) -> Iterator[float]:
        """Yield when something is due."""
        is_serving = self._state.phase in SERVING
        for place in self._state.programs:
            if place.deadline is not None:
                yield place.deadline
            elif is_serving and place.state is PlaceState.WAITING and self._may_start(place):
                yield place.not_before

    # -- what happened -----------------------------------------------------------------------------------

    def take(self, event: AboutProgram) -> None:
        """Take in what happened to a process."""
        place = self._state.programs.by_process(event.process)
        if place is None:
            return
        match event:
            case ProgramForked(pid=pid):
                self._forked(place, pid)
            case ProgramReady() if place.state is PlaceState.STARTING:
                self._ready(place)
            case ProgramReady():
                pass  # it said so before
            case ProgramRefused(reason=reason):
                self._ended(place, reason, is_success=False)
            case ProgramExited(cause=cause, is_success=is_success):
                self._ended(place, cause, is_success=is_success)

    def asked(self, event: ProgramAsked) -> None:
        """Obey somebody who wants a program started, stopped or restarted."""
        for place in self._wishes.take(event):
            if event.verb == "stop":
                self._stop(place, event.by, Want.NOTHING)
            elif event.verb == "restart" and place.is_alive:
                self._stop(place, event.by, Want.START)
            else:
                self._want(place)

    def drop(self) -> None:
        """Tell everybody who still waits that the end comes first."""
        self._wishes.drop()

    # -- what follows ------------------------------------------------------------------------------------

    def advance(self) -> None:
        """Take the steps that are due now."""
        state = self._state
        if state.generation != self._obeyed:
            self._obey_settings()
        for place in state.programs:
            if place.deadline is not None and place.deadline <= state.now:
                self._too_late(place)
        self._wishes.answer()  # before one that has just failed is tried again
        if state.phase in SERVING:
            for place in state.programs:
                is_due = place.state is PlaceState.WAITING and place.not_before <= state.now
                if is_due and self._may_start(place):
                    self._start(place)
        elif state.phase is Phase.STOPPING:
            self._stop_in_order()

    def kill_all(self) -> None:
        """End every process at once."""
        for place in self._state.programs:
            if place.is_alive:
                place.enter(PlaceState.STOPPING)
                place.deadline, place.wants = None, Want.NOTHING
                self._state.orders.give(SignalProgram(place.process, "KILL", to_group=True))

    def _obey_settings(self) -> None:
        """Compare the places with the settings that are accepted now."""
        state = self._state
        before, is_first, self._obeyed = self._settings, self._obeyed == 0, state.generation
        self._settings = wanted = _wanted(state.policy.programs)
        for place in state.programs:
            key = (place.name, place.index)
            if key not in wanted:
                self._stop(place, "its settings are gone", Want.LEAVE)
            elif place.wants is Want.LEAVE:
                place.wants = Want.START
            elif key in before and wanted[key] != before[key]:
                self._renew(place, "its settings have changed")
            elif not is_first:
                self._reload(place, wanted[key].on_reload)
        known = state.programs.places
        state.programs.places = {key: known.pop(key, Place(*key)) for key in wanted} | known

    def _reload(self, place: Place, how: str) -> None:
        """Do what a reload does to a program whose settings are the same."""
        if how == "restart":
            self._renew(place, "reload")
        elif how != "keep" and place.is_alive:
            self._state.orders.give(SignalProgram(place.process, how))

    def _renew(self, place: Place, why: str) -> None:
        if place.is_alive:
            self._stop(place, why, Want.START)
        elif place.state is not PlaceState.STOPPED:  # which somebody wanted
            self._want(place)

    # -- starting ----------------------------------------------------------------------------------------

    def _want(self, place: Place) -> None:
        """Have it started as soon as it may be; nothing where it runs."""
        if place.state is PlaceState.STOPPING:
            place.wants = Want.START
        elif not place.is_alive:
            place.enter(PlaceState.WAITING)
            place.not_before, place.failures = self._state.now, 0

    def _may_start(self, place: Place) -> bool:
        settings = self._settings.get((place.name, place.index))
        return settings is not None and all(map(self._is_ready, settings.after))

    def _is_ready(self, name: str) -> bool:
        if name == WORKERS:
            return self._state.phase is not Phase.BOOTING
        return all(
            place.state in {PlaceState.RUNNING, PlaceState.DONE} for place in self._state.programs.of(name)
        )

    def _awaited_by(self, names: tuple[str, ...]) -> set[str]:
        """Return the programs that these come after, and those themselves."""
        found: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += next((one.after for one in self._state.policy.programs if one.name == name), ())
        return found

    def _start(self, place: Place) -> None:
        settings, state = self._settings[place.name, place.index], self._state
        self._processes_made += 1
        place.restarts += place.process > 0
        place.process, place.pid = self._processes_made, None
        place.forked_at = place.ready_at = None
        place.enter(PlaceState.STARTING)
        place.deadline = state.now + settings.start_timeout
        place.stop_signal, place.stop_timeout = settings.stop_signal, settings.stop_timeout
        state.orders.give(StartProgram(place.process, place.name, place.index))

    def _forked(self, place: Place, pid: int) -> None:
        place.pid, place.forked_at = pid, self._state.now
        if not self._is_ready_by_running(place):
            self._state.orders.info(f"Started program {self._state.programs.label_of(place)} [{pid}]")

    def _ready(self, place: Place) -> None:
        place.enter(PlaceState.RUNNING)
        place.deadline, place.reason, place.ready_at = None, "", self._state.now
        label = f"{self._state.programs.label_of(place)} [{place.pid}]"
        is_start = self._is_ready_by_running(place)
        self._state.orders.info(f"Started program {label}" if is_start else f"Program {label} is ready.")

    def _is_ready_by_running(self, place: Place) -> bool:
        settings = self._settings.get((place.name, place.index))
        return settings is not None and settings.ready == STARTED

    # -- ending ------------------------------------------------------------------------------------------

    def _stop(self, place: Place, why: str, wants: Want) -> None:
        """Ask a process to end; what has none is as if it had ended."""
        if not place.is_alive:
            place.reason, place.wants = why, wants
            self._settle(place)
            return
        place.wants = wants
        if place.state is not PlaceState.STOPPING:
            state = self._state
            place.enter(PlaceState.STOPPING)
            place.reason, place.deadline = why, state.now + place.stop_timeout
            label = f"{state.programs.label_of(place)} [{place.pid}]"
            state.orders.info(f"Program {label} is asked to end (SIG{place.stop_signal}): {why}.")
            state.orders.give(SignalProgram(place.process, place.stop_signal))

    def _stop_in_order(self) -> None:
        """Stop whatever nobody needs any more."""
        state = self._state
        needed = {name for place in state.programs if place.is_alive for name in self._after(place)}
        if state.roster.workers or not state.molds.are_gone:
            needed |= set(state.policy.workers_after)
        for place in state.programs:
            if place.state is PlaceState.WAITING:
                place.enter(PlaceState.STOPPED)
                place.reason = "the service stops"
            elif place.is_alive and place.name not in needed:
                self._stop(place, "the service stops", Want.NOTHING)

    def _after(self, place: Place) -> tuple[str, ...]:
        settings = self._settings.get((place.name, place.index))
        return settings.after if settings is not None else ()

    def _too_late(self, place: Place) -> None:
        label = f"Program {self._state.programs.label_of(place)} [{place.pid}]"
        if place.state is PlaceState.STARTING:
            limit = self._settings[place.name, place.index].start_timeout
            self._stop(place, f"it was not ready within {limit:g} s (start_timeout)", Want.TRY_AGAIN)
            return
        place.deadline = None
        self._state.orders.warning(f"{label} did not end within {place.stop_timeout:g} s, and is killed.")
        self._state.orders.give(SignalProgram(place.process, "KILL", to_group=True))

    def _ended(self, place: Place, cause: str, *, is_success: bool) -> None:
        """A process is gone, or there never was one."""
        is_asked = place.state is PlaceState.STOPPING
        label = f"Program {self._state.programs.label_of(place)}" + (
            f" [{place.pid}]" if place.pid is not None else ""
        )
        place.pid, place.deadline = None, None
        if is_asked and place.wants is not Want.TRY_AGAIN:
            self._state.orders.info(f"{label} ended: {cause}.")
            self._settle(place)
            return
        place.wants = Want.NOTHING
        settings = self._settings[place.name, place.index]
        if not is_asked:
            place.reason = cause
        is_done = is_success and not is_asked and settings.ready == EXIT
        is_final = settings.restart == "never" or (settings.restart == "on-failure" and is_success)
        if is_done or is_final:
            place.enter(PlaceState.DONE if is_success else PlaceState.FAILED)
            tell = self._state.orders.info if is_success else self._state.orders.error
            tell(f"{label} ended: {place.reason}.")
        else:
            self._try_again(place, f"{label} ended: {place.reason}.")

    def _try_again(self, place: Place, text: str) -> None:
        state = self._state
        backoff = state.policy.backoff
        served = state.now - place.ready_at if place.ready_at is not None else 0.0
        place.failures = 1 if served >= backoff.stable_after else place.failures + 1
        wait = backoff.delay(place.failures, state.chance())
        place.enter(PlaceState.WAITING)
        place.not_before = state.now + wait
        state.orders.warning(f"{text} Another one starts {f'in {wait:.1f} s' if wait else 'now'}.")

    def _settle(self, place: Place) -> None:
        """Do what was wanted of a place once it has no process."""
        wants, place.wants = place.wants, Want.NOTHING
        place.enter(PlaceState.STOPPED)
        if wants is Want.LEAVE:
            self._state.programs.places.pop((place.name, place.index), None)
        elif wants is Want.START:
            self._want(place)

    # -- an upgrade in place -----------------------------------------------------------------------------

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON; between two reloads."""
        return {
            "processes_made": self._processes_made,
            "obeyed": self._obeyed,
            "places": [
                {**asdict(place), "state": place.state.value, "wants": place.wants.value}
                for place in self._state.programs
            ],
            "wishes": self._wishes.export(),
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's."""
        self._processes_made, self._obeyed = values["processes_made"], values["obeyed"]
        places = [
            unpacked(Place, {**one, "state": PlaceState(one["state"]), "wants": Want(one["wants"])})
            for one in values["places"]
        ]
        self._state.programs.places = {(place.name, place.index): place for place in places}
        self._settings = _wanted(self._state.policy.programs)
        self._wishes.restore(values["wishes"])


def _wanted(programs: tuple[ProgramSettings, ...]) -> dict[tuple[str, int], ProgramSettings]:
    return {(one.name, index): one for one in programs for index in range(one.count)}
