"""Steps on one worker: each moves it on in its life, sets its deadline, orders what belongs to it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.actions import Drain, Dump, Kill, Spawn
from srvctl.supervisor.lifecycle import Step, WorkerState
from srvctl.supervisor.roster import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.state import State

#: Seconds a worker whose loop is blocked has to come to itself and drain, before it is sent SIGTERM.
_COME_BACK: Final = 2.0
#: Seconds it then has to obey, before it is killed.
_LAST_CHANCE: Final = 1.0


class Crew:
    """The steps.

    Args:
        state: The fleet's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._workers_made = 0

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"workers_made": self._workers_made}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's crew."""
        self._workers_made = values["workers_made"]

    def spawn(self, slot: int, generation: int) -> None:
        """Ask for a worker."""
        self._workers_made += 1
        state = self._state
        worker = Worker(self._workers_made, slot, generation, luck=state.chance())
        worker.apology = state.apology if generation == state.generation else None
        from_mold = state.molds.has_mold(generation)
        if from_mold:  # the answer comes later, or never
            worker.deadline = state.now + state.policy_for(generation).boot
        state.roster.add(worker)
        state.orders.give(Spawn(worker.number, slot, generation, from_mold, worker.apology))

    def forked(self, worker: Worker, pid: int) -> None:
        """Note that a worker exists."""
        state = self._state
        worker.pid, worker.forked_at = pid, state.now
        state.roster.move(worker, Step.FORKED, state.now + state.policy_for(worker.generation).boot)

    def ready(self, worker: Worker) -> None:
        """Note that a worker serves."""
        worker.ready_at = self._state.now
        self._state.roster.move(worker, Step.READY)

    def retire(self, worker: Worker, why: str, *, last: bool = False) -> None:
        """Let a worker go: a ready one drains, a booting one has nothing to lose. Harmless to repeat.

        Args:
            worker: The worker.
            why: For the ledger.
            last: No other worker takes over its listeners.
        """
        if worker.is_ready and worker.health.is_deaf:
            self.retire_by_signal(worker, why)
        elif worker.is_ready:
            worker.asked_by = why
            self._state.orders.give(Drain(worker.number, last=last))
            self.draining(worker)
        elif worker.state is WorkerState.BOOTING:
            self.retire_by_signal(worker, why)

    def retire_by_signal(self, worker: Worker, why: str) -> None:
        """Let a worker go whose channel cannot be used."""
        if worker.is_ready:
            self.draining(worker)
        elif worker.state is WorkerState.BOOTING:
            self._state.roster.move(worker, Step.KILL, self._state.now + self._state.policy.term)
        else:
            return
        worker.asked_by = why
        self._state.orders.give(Kill(worker.number, "TERM"))

    def draining(self, worker: Worker) -> None:
        """Note that a worker drains."""
        self._state.roster.move(worker, Step.DRAIN, self._state.now + self._state.policy.drain)

    def hang(self, worker: Worker, why: str) -> None:
        """Take out a worker whose loop is blocked.

        What it holds is lost unless it comes to itself, so the message to drain comes first: if it does come
        to itself it accepts nothing more. The signal to write its stacks needs no loop.
        """
        self._state.roster.move(worker, Step.HANG, self._state.now + _COME_BACK)
        worker.asked_by = why
        self._state.orders.give(Drain(worker.number), Dump(worker.number))

    def press(self, worker: Worker) -> None:
        """Tell a worker that hangs to end at once."""
        self._state.roster.move(worker, Step.KILL, self._state.now + _LAST_CHANCE)
        self._state.orders.give(Kill(worker.number, "TERM"))

    def kill(self, worker: Worker, why: str) -> None:
        """Kill a worker, unless it has no process yet."""
        if worker.may(Step.KILL):
            self._state.roster.move(worker, Step.KILL)
            worker.asked_by = worker.asked_by or why
            self._state.orders.give(Kill(worker.number, "KILL"))

    def count_failure(self, worker: Worker) -> float:
        """Make the worker's slot wait; return for how many seconds."""
        state = self._state
        slot, backoff = state.roster.slot(worker.slot), state.policy.backoff
        served = state.now - worker.ready_at if worker.ready_at is not None else 0.0
        slot.failures = 1 if served >= backoff.stable_after else slot.failures + 1
        wait = backoff.delay(slot.failures, state.chance())
        slot.not_before = state.now + wait
        return wait
