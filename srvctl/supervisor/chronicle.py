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
from srvctl.supervisor.state import Phase, workers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.ipc.deaths import Death
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


@dataclass(frozen=True, slots=True)
class _Known:
    """A worker, as it was seen."""

    slot: int
    pid: int | None
    generation: int
    state: WorkerState
    asked_by: str

    def happening(self) -> Happening:
        """Return the event of its having come to be so."""
        does, level = _STATES[self.state]
        why = f" ({printable(self.asked_by)})" if self.asked_by else ""
        text = f"Worker [{self.pid}] of slot {self.slot} {does}{why}."
        return _happening(
            "worker",
            text,
            level,
            slot=self.slot,
            pid=self.pid,
            generation=self.generation,
            state=self.state.value,
        )


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is compared."""

    phase: Phase
    target: int
    generation: int
    reload: tuple[int, str] | None
    error: str
    workers: Mapping[int, _Known]


class Chronicle:
    """Compares what is with what was.

    Args:
        state: The fleet's, where it is begun.
    """

    def __init__(self, state: State) -> None:
        self._seen = _look(state)

    def news(self, state: State) -> Iterator[Happening]:
        """Yield what has happened since the last time."""
        before, now = self._seen, _look(state)
        if before == now:
            return
        self._seen = now
        yield from _about_service(before, now)
        yield from _about_reload(before, now)
        for number, known in now.workers.items():
            old = before.workers.get(number)
            if known.state in _STATES and (old is None or old.state is not known.state):
                yield known.happening()


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


def _look(state: State) -> _Sight:
    reload = state.reload
    return _Sight(
        state.phase,
        state.target,
        state.generation,
        (reload.generation, reload.stage.value) if reload else None,
        reload.error if reload and reload.error else state.reload_error,
        {
            worker.number: _Known(worker.slot, worker.pid, worker.generation, worker.state, worker.asked_by)
            for worker in state.roster
        },
    )


def _about_service(before: _Sight, now: _Sight) -> Iterator[Happening]:
    if now.phase is not before.phase:
        yield _happening("service", _PHASES[now.phase], state=now.phase.value)
    if now.target != before.target:
        yield _happening("scale", f"{workers(now.target).capitalize()} wanted.", target=now.target)


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
