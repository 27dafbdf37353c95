"""How everything is, as plain values for a client of the control socket. Pure.

Two steps: the fleet says what it knows (`snapshot`), and who carries its actions out adds what the boards say
at that moment (`completed`), and what was counted before (`tally`).
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from srvctl.ipc.scoreboard import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.ipc.scoreboard import Reading
    from srvctl.supervisor.programs.places import Place
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State
    from srvctl.supervisor.tally import Tally


def snapshot(state: State) -> dict[str, Any]:
    """Return the service, its reload and its workers; times in seconds, memory in bytes."""
    reload = state.reload
    return {
        "state": state.phase.value,
        "generation": state.generation,
        "target": state.target,
        "scale": _scale(state),
        "reload": {
            "state": reload.stage.name.lower() if reload else "idle",
            "generation": reload.generation if reload else None,
            "error": reload.error if reload and reload.error else state.reload_error,
        },
        "workers": [_worker(worker, state.now) for worker in state.roster],
        "programs": [_program(place, state.now) for place in state.programs],
    }


def _scale(state: State) -> dict[str, Any]:
    scale, told = state.policy.scale, state.scaling
    return {
        "follows_load": scale.is_wanted,
        "min": scale.least if scale.is_wanted else state.target,
        "max": scale.most if scale.is_wanted else state.target,
        "why": told.why if scale.is_wanted else "",
        "held": told.held if scale.is_wanted else "",
        "utilization": round(told.busy, 3),
        "in_flight": told.in_flight,
        "changes": dict(told.changes),
    }


def _program(place: Place, now: float) -> dict[str, Any]:
    return {
        "name": place.name,
        "index": place.index,
        "pid": place.pid,
        "state": place.state.value,
        "uptime": round(now - place.forked_at, 3) if place.is_alive and place.forked_at is not None else 0.0,
        "restarts": place.restarts,
        "reason": place.reason,
    }


def _worker(worker: Worker, now: float) -> dict[str, Any]:
    return {
        "worker": worker.number,
        "slot": worker.slot,
        "pid": worker.pid,
        "generation": worker.generation,
        "state": worker.state.value,
        "uptime": round(now - worker.forked_at, 3) if worker.forked_at is not None else 0.0,
        "leaves_because": worker.leaves_because,
    }


def completed(
    status: Mapping[str, Any],
    readings: Mapping[int, Reading | None],
    tally: Tally,
    *,
    lost_lines: int = 0,
    has_all_figures: bool = False,
) -> dict[str, Any]:
    """Return a snapshot with the figures of its workers, and those of the instance.

    Args:
        status: What `snapshot` returned.
        readings: What the boards say, by number of the worker.
        tally: What was counted of workers that are gone.
        lost_lines: Of the log, that nobody took in time.
        has_all_figures: With the totals of every slot, and with durations.
    """
    workers, alive = [], []
    for known in status["workers"]:
        reading = readings.get(known["worker"])
        figures = _figures(reading, has_all=has_all_figures)
        workers.append({name: value for name, value in known.items() if name != "worker"} | figures)
        if reading is not None:
            alive.append((known["slot"], reading))
    found = {
        **status,
        "workers": workers,
        "connections_skew": _skew([one["connections"] for one in workers if one["state"] == "ready"]),
        "restarts": dict(tally.restarts),
        "reloads": dict(tally.reloads),
        "log": {"lost": lost_lines},
    }
    if has_all_figures:
        found |= {"bounds": BOUNDS, "slots": tally.totals(alive)}
    return found


def _skew(connections: Sequence[int]) -> float:
    """Return the coefficient of variation: 0 where all have the same number, or none has any."""
    if not any(connections):
        return 0.0
    number, mean = len(connections), sum(connections) / len(connections)
    return round(sqrt(sum((one - mean) ** 2 for one in connections) / number) / mean, 4)


def _figures(reading: Reading | None, *, has_all: bool) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "requests": reading.finished if reading else 0,
        "in_flight": reading.in_flight if reading else 0,
        "connections": reading.connections if reading else 0,
        "websockets": reading.websockets if reading else 0,
        "waiting": reading.waiting if reading else 0,
        "errors": reading.errors if reading else 0,
        "cut": reading.cut if reading else 0,
        "cpu": round(reading.cpu, 4) if reading else 0.0,
        "cpu_seconds": round(reading.cpu_seconds, 3) if reading else 0.0,
        "loop_lag": reading.lag if reading else 0.0,
        "rss": reading.rss if reading else 0,
    }
    if has_all:
        figures["loop_lag_max"] = reading.lag_max if reading else 0.0
        figures["answered"] = reading.answered if reading else {}
        figures["seconds"] = reading.seconds if reading else {}
    return figures
