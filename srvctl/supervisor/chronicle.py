"""What has happened to the service, as events for people and programs: what has changed since the last look.

Pure. The fleet need not report anything: what it observes and wants is one value, and two looks at that tell
what came between. Why a worker died is told by who writes deaths down (`of_death`). Called by `assembly`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import printable
from srvctl.ipc.verdicts import is_expected, verdict
from srvctl.supervisor.lifecycle import WorkerState
from srvctl.supervisor.programs.places import PlaceState
from srvctl.supervisor.state import Phase, workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.ipc.deaths import Death
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State

    Happening = dict[str, Any]

_PHASES: Final = {
    Phase.RUNNING: "The service runs.",
    Phase.LEAVING: "The service is stopping, and still accepts (timeouts.drain_delay).",
    Phase.STOPPING: "The service is stopping.",
    Phase.ENDED: "The service has stopped.",
}
_STATES: Final = {
    WorkerState.BOOTING: ("boots", "info"),
    WorkerState.READY: ("serves", "info"),
    WorkerState.HUNG: ("hangs", "error"),
    WorkerState.DRAINING: ("drains", "info"),
    WorkerState.DYING: ("is told to end at once", "warning"),
}
_PROGRAM_STATES: Final = {
    PlaceState.WAITING: ("waits to be started", "info"),
    PlaceState.STARTING: ("starts", "info"),
    PlaceState.RUNNING: ("runs", "info"),
    PlaceState.STOPPING: ("is asked to end", "info"),
    PlaceState.STOPPED: ("is stopped", "info"),
    PlaceState.DONE: ("is done", "info"),
    PlaceState.FAILED: ("has failed for good", "error"),
}


@dataclass(frozen=True, slots=True)
class _Program:
    """A process beside the workers, as it was seen."""

    name: str
    index: int
    pid: int | None
    state: PlaceState
    reason: str

    def happening(self) -> Happening:
        """Return the event of its having come to be so."""
        does, level = _PROGRAM_STATES[self.state]
        has_failed = self.state is PlaceState.WAITING and self.reason
        process = f" [{self.pid}]" if self.pid is not None else ""
        why = f" ({printable(self.reason)})" if self.reason else ""
        return _happening(
            "program",
            f"Program {self.name}:{self.index}{process} {does}{why}.",
            "error" if has_failed else level,
            name=self.name,
            index=self.index,
            pid=self.pid,
            state=self.state.value,
        )


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is compared."""

    phase: Phase
    target: int
    scaled_for: str
    generation: int
    reload: tuple[int, str] | None
    error: str
    programs: Mapping[str, _Program]


class Chronicle:
    """Compares what is with what was.

    Args:
        state: The fleet's, where it is begun.
    """

    def __init__(self, state: State) -> None:
        self._seen = _look(state)
        self._changed = state.roster.follow()
        self._states: dict[int, dict[int, WorkerState]] = {}  #: of the workers, by slot and by number
        self._moved(state)  # which is how it begins, and no news

    def news(self, state: State) -> Iterator[Happening]:
        """Yield what has happened since the last time."""
        before, now = self._seen, _look(state)
        self._seen = now
        if before != now:
            yield from _about_service(before, now)
            yield from _about_reload(before, now)
        for worker in self._moved(state):
            if worker.state in _STATES:
                yield _of_worker(worker)
        if before.programs != now.programs:
            yield from _of_programs(before, now)

    def _moved(self, state: State) -> list[Worker]:
        """Return the workers that are not in the state that they were in the last time, oldest first."""
        found: list[Worker] = []
        for slot in self._changed:
            there, before = state.roster.of(slot), self._states.pop(slot, {})
            found += [worker for worker in there if before.get(worker.number) is not worker.state]
            if there:
                self._states[slot] = {worker.number: worker.state for worker in there}
        self._changed.clear()
        return sorted(found, key=lambda worker: worker.number)


def of_death(death: Death) -> Happening:
    """Return the event of a death."""
    text = f"Worker [{death.pid}] of slot {death.slot} is gone: {printable(verdict(death))}."
    level = "info" if is_expected(death) else "error"
    return _happening(
        "worker", text, level, slot=death.slot, pid=death.pid, generation=death.generation, state="gone"
    )


def of_upgrade(before: str, after: str) -> Happening:
    """Return the event of a master that took over in place."""
    return _happening("upgrade", f"srvctl {after} took over from srvctl {before}.")


def _of_worker(worker: Worker) -> Happening:
    does, level = _STATES[worker.state]
    why = f" ({printable(worker.asked_by)})" if worker.asked_by else ""
    text = f"Worker [{worker.pid}] of slot {worker.slot} {does}{why}."
    return _happening(
        "worker",
        text,
        level,
        slot=worker.slot,
        pid=worker.pid,
        generation=worker.generation,
        state=worker.state.value,
    )


def _of_programs(before: _Sight, now: _Sight) -> Iterator[Happening]:
    for label, program in now.programs.items():
        former = before.programs.get(label)
        is_begun = program.state is not PlaceState.STARTING or program.pid is not None
        if is_begun and (former is None or (former.state, former.pid) != (program.state, program.pid)):
            yield program.happening()


def _look(state: State) -> _Sight:
    reload = state.reload
    return _Sight(
        state.phase,
        state.target,
        state.scaling.why if state.policy.scale.is_wanted else "",
        state.generation,
        (reload.generation, reload.stage.value) if reload else None,
        reload.error if reload and reload.error else state.reload_error,
        {
            place.label: _Program(place.name, place.index, place.pid, place.state, place.reason)
            for place in state.programs
        },
    )


def _about_service(before: _Sight, now: _Sight) -> Iterator[Happening]:
    if now.phase is not before.phase:
        yield _happening("service", _PHASES[now.phase], state=now.phase.value)
    if now.target != before.target:
        why = f": {now.scaled_for}" if now.scaled_for != before.scaled_for else ""
        yield _happening("scale", f"{workers(now.target).capitalize()} wanted{why}.", target=now.target)


def _about_reload(before: _Sight, now: _Sight) -> Iterator[Happening]:
    if now.reload == before.reload:
        return
    if now.reload is not None:
        generation, stage = now.reload
        level = "error" if now.error and now.error != before.error else "info"
        text = now.error if level == "error" else f"Reload to generation {generation}: {stage}."
        yield _happening("reload", printable(text), level, generation=generation, state=stage)
    elif now.generation != before.generation:
        text = f"Reload done: generation {now.generation} serves."
        yield _happening("reload", text, generation=now.generation, state="done")
    elif before.reload is not None:
        generation, _ = before.reload
        text = now.error or f"Reload to generation {generation} was given up."
        yield _happening("reload", printable(text), "error", generation=generation, state="failed")


def _happening(kind: str, text: str, level: str = "info", **about: Any) -> Happening:
    return {"kind": kind, "level": level, "text": text, **about}
