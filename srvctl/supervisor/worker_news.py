"""What the news of a worker mean: it exists, serves, fails, hangs, drains, is gone. Pure; part of `fleet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.supervisor.actions import Record
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Examined,
    Forked,
    Probed,
    SpawnFailed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.lifecycle import Step, WorkerState
from srvctl.supervisor.state import Phase

if TYPE_CHECKING:
    from srvctl.supervisor.crew import Crew
    from srvctl.supervisor.ending import Ending
    from srvctl.supervisor.events import AboutWorker
    from srvctl.supervisor.failures import Failures
    from srvctl.supervisor.reloader import Reloader
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State
    from srvctl.supervisor.watch import Watch


class WorkerNews:
    """Draws the consequences.

    Args:
        state: The fleet's.
        crew: Takes the steps.
        watch: Judges what is seen.
        reloader: Is told how its workers fare.
        ending: Counts what was served.
        failures: Draws the consequences of a failure.
    """

    def __init__(
        self,
        state: State,
        crew: Crew,
        watch: Watch,
        reloader: Reloader,
        ending: Ending,
        failures: Failures,
    ) -> None:
        self._state = state
        self._crew = crew
        self._watch = watch
        self._reloader = reloader
        self._ending = ending
        self._failures = failures

    def take(self, worker: Worker, event: AboutWorker) -> None:
        """Take in what happened to a worker, or what was seen of it."""
        match event:
            case Forked(pid=pid):
                self._crew.forked(worker, pid)
            case SpawnFailed(reason=reason):
                if self._state.phase is not Phase.STOPPING:  # its siblings fail alike: one error is enough
                    self._state.orders.error(f"Could not start a worker: {reason}.")
                self._exited(worker, WorkerExited(worker.number, reason))
            case WorkerExited():
                self._exited(worker, event)
            case ChannelBroken(reason=reason):
                self._channel_broken(worker, reason)
            case Examined():
                policy = self._state.policy_for(worker.generation)
                blocked = self._watch.examined(worker, event, self._state.now, policy)
                if blocked:
                    self._hung(worker, blocked)
            case Probed():
                policy = self._state.policy_for(worker.generation)
                wrong = self._watch.probed(worker, event, self._state.now, policy)
                if wrong is not None:
                    self._reloader.worker_probed(worker, wrong)
            case _:
                self._hear(worker, event)

    def _hear(self, worker: Worker, event: WorkerReady | BootFailed | WorkerDraining) -> None:
        """Take in what a worker says of itself, unless it comes too late to matter."""
        match event, worker.state:
            case WorkerReady(), WorkerState.BOOTING:
                self._crew.ready(worker)
                self._state.was_ever_ready = True
                self._reloader.worker_ready(worker)
            case BootFailed(message=message, details=details), WorkerState.BOOTING if not worker.explained:
                worker.explained = True
                if not self._state.is_new(worker.generation):  # else the failure of the reload says it
                    self._failures.tell(message, details)
                self._failures.of_boot(worker, message, details)
            case WorkerDraining(), WorkerState.READY:
                text = f"Worker [{worker.pid}] drains by itself; slot {worker.slot} gets a new one."
                self._state.orders.info(text)
                worker.asked_by = "itself, or a signal"
                self._crew.draining(worker)
            case WorkerDraining(), WorkerState.HUNG:
                self._state.orders.warning(f"Worker [{worker.pid}] came to itself; it finishes its requests.")
                self._crew.draining(worker)
            case _:
                pass

    def _hung(self, worker: Worker, blocked: float) -> None:
        wait = self._crew.count_failure(worker)
        when = f"in {wait:.1f} s" if wait else "now"
        self._state.orders.error(
            f"Worker [{worker.pid}] has been blocked for {blocked:.1f} s (health.hang_timeout); "
            f"slot {worker.slot} gets a new one {when}."
        )
        self._crew.hang(worker, f"hang: its loop was blocked for {blocked:.1f} s")
        if self._state.is_new(worker.generation):
            self._reloader.fail("a new worker hangs")

    def _channel_broken(self, worker: Worker, reason: str) -> None:
        self._state.orders.error(f"Worker [{worker.pid}] broke its channel ({reason}); it has to go.")
        if worker.state is WorkerState.BOOTING:
            self._failures.of_boot(worker, "a new worker broke its channel")
        elif worker.is_ready:
            self._crew.count_failure(worker)
            if self._state.is_new(worker.generation):
                self._reloader.fail("a new worker broke its channel")
        self._crew.retire_by_signal(worker, f"it broke its channel ({reason})")

    def _exited(self, worker: Worker, event: WorkerExited) -> None:
        state = worker.state
        self._state.roster.move(worker, Step.EXITED)
        self._state.roster.remove(worker)
        self._ending.count(event)
        if worker.pid is not None and worker.forked_at is not None:
            self._state.orders.give(
                _record(worker, worker.pid, state, event.cause, self._state.now - worker.forked_at)
            )
        if self._state.phase is Phase.STOPPING:
            return
        match state:
            case WorkerState.FORKING:
                self._failures.of_boot(worker, f"a new worker could not be started: {event.cause}")
            case WorkerState.BOOTING:
                if not worker.explained:
                    text = f"Worker [{worker.pid}] ended before it was ready: {event.cause}."
                    self._state.orders.error(text)
                    self._failures.of_boot(worker, f"a new worker ended before it was ready: {event.cause}")
            case WorkerState.READY:
                self._died(worker, event.cause)
            case _:
                pass  # it was expected; the ledger's line tells of it

    def _died(self, worker: Worker, cause: str) -> None:
        wait = self._crew.count_failure(worker)
        when = f"in {wait:.1f} s" if wait else "now"
        self._state.orders.error(
            f"Worker [{worker.pid}] died ({cause}); slot {worker.slot} gets a new one {when}."
        )
        if self._state.is_new(worker.generation):
            self._reloader.fail(f"a new worker died: {cause}")

    def too_late(self, worker: Worker) -> None:
        """Take in that a worker's state has lasted too long."""
        policy = self._state.policy_for(worker.generation)
        match worker.state:
            case WorkerState.FORKING:
                self._state.roster.limit(worker, None)  # its mold's end will tell
                if self._state.molds.has_mold(worker.generation):  # else it has got its due already
                    limit = f"{policy.boot:g} s (timeouts.boot)"
                    self._failures.of_mold(worker.generation, f"No worker was forked within {limit}.")
            case WorkerState.BOOTING:
                limit = f"{policy.boot:g} s (timeouts.boot)"
                self._crew.kill(worker, f"boot: not ready within {limit}")
                if self._state.phase is not Phase.STOPPING and not worker.explained:
                    self._state.orders.error(
                        f"Worker [{worker.pid}] was not ready within {limit}; killing it."
                    )
                    self._failures.of_boot(worker, f"a new worker was not ready within {limit}")
            case WorkerState.HUNG:
                self._crew.press(worker)
            case WorkerState.DRAINING:
                limit = f"{policy.drain:g} s"
                self._state.orders.warning(f"Worker [{worker.pid}] did not end within {limit}; killing it.")
                worker.asked_by += f"; it did not end within {limit}"
                self._crew.kill(worker, "")
            case _:
                self._crew.kill(worker, "it did not obey SIGTERM")


def _record(worker: Worker, pid: int, state: WorkerState, cause: str, uptime: float) -> Record:
    return Record(
        worker=worker.number,
        pid=pid,
        slot=worker.slot,
        generation=worker.generation,
        state=state.value,
        cause=cause,
        asked_by=worker.asked_by,
        uptime=uptime,
    )
