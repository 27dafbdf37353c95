"""How everything is, as plain values for a client of the control socket. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State


def snapshot(state: State) -> dict[str, object]:
    """Return the service, its reload and its workers; times in seconds, memory in bytes."""
    reload = state.reload
    return {
        "state": state.phase.value,
        "generation": state.generation,
        "target": state.target,
        "reload": {
            "state": reload.stage.name.lower() if reload else "idle",
            "generation": reload.generation if reload else None,
            "error": reload.error if reload else "",
        },
        "workers": [_worker(worker, state.now) for worker in state.roster],
    }


def _worker(worker: Worker, now: float) -> dict[str, object]:
    reading = worker.health.reading
    return {
        "slot": worker.slot,
        "pid": worker.pid,
        "generation": worker.generation,
        "state": worker.state.value,
        "uptime": round(now - worker.forked_at, 3) if worker.forked_at is not None else 0.0,
        "requests": reading.finished if reading else 0,
        "in_flight": reading.in_flight if reading else 0,
        "connections": reading.connections if reading else 0,
        "errors": reading.errors if reading else 0,
        "loop_lag": reading.lag if reading else 0.0,
        "rss": reading.rss if reading else 0,
        "leaves_because": worker.leaves_because,
    }
