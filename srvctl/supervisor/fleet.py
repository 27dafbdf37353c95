"""All decisions of the master: an event and the time go in, actions come out.

Desired state (how many workers, of which generation, whether to stop) and observed state (`Roster`) are
separate; after every event `_reconcile` compares them and asks for what is missing. A reload or a stop is
therefore never a procedure that must run to its end: the next event is always obeyed at once.

Must not know processes, sockets, signals or clocks. Called by `master` only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import (
    Action,
    Announce,
    CloseListeners,
    Drain,
    Exit,
    Kill,
    Log,
    Milestone,
    Severity,
    Spawn,
)
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Event,
    Forked,
    ReloadAsked,
    ScaleAsked,
    SpawnFailed,
    Started,
    StopAsked,
    TimePassed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.lifecycle import Step, WorkerState
from srvctl.supervisor.roster import Roster, Worker

if TYPE_CHECKING:
    from collections.abc import Callable


#: Seconds in which a second request to stop is the echo of the first: a launcher that passes signals on
#: (timeout, make, a container's init) sends again what the terminal sent to the whole process group.
_ECHO: Final = 0.1


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """What the fleet aims at; times in seconds.

    Attributes:
        count: Workers wanted at the start.
        boot: Time a worker has from fork to ready.
        drain: Time a worker has from being asked to drain to its exit.
        term: Time a booting worker has from SIGTERM to its exit.
        max_surge: Workers a reload may start beyond the count at a time.
        backoff: Wait of a slot whose workers die too soon.
    """

    count: int
    boot: float
    drain: float
    term: float
    max_surge: int = 1
    backoff: Backoff = field(default_factory=Backoff)


class Phase(Enum):
    """Where the whole service is in its life."""

    BOOTING = "booting"  #: not every slot has been served yet
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


class Fleet:
    """The pure machine behind the master.

    Args:
        policy: What to aim at.
        chance: Gives a random number from 0 to 1, for jitter.
    """

    def __init__(self, policy: FleetPolicy, chance: Callable[[], float]) -> None:
        self.phase = Phase.BOOTING
        self.target = policy.count
        self.generation = 1  #: the accepted code
        self.rolling_to: int | None = None  #: the generation a reload in progress brings in
        self.roster = Roster()
        self._policy = policy
        self._chance = chance
        self._exit_code = ExitCode.OK
        self._stop_asked_at = float("-inf")
        self._was_ever_ready = False
        self._reload_waits_by: str | None = None  #: who asked while another reload was in progress
        self._generations_used = 1
        self._workers_made = 0
        self._now = 0.0
        self._actions: list[Action] = []

    def __repr__(self) -> str:
        workers = " ".join(f"{w.slot}:{w.state.value}/g{w.generation}" for w in self.roster)
        return f"<Fleet {self.phase.value} {workers or 'no workers'}>"

    # -- the interface ---------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in one event and return what is to be done about it, in order.

        Args:
            event: What happened.
            now: Monotonic time in seconds; never smaller than at the last call.
        """
        if self.phase is Phase.ENDED:
            return []
        self._now = now
        self._observe(event)
        self._enforce_deadlines()
        self._reconcile()
        actions, self._actions = self._actions, []
        return actions

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which `TimePassed` is due, or None."""
        deadlines = [worker.deadline for worker in self.roster if worker.deadline is not None]
        if self.phase in {Phase.BOOTING, Phase.RUNNING}:
            deadlines += [
                slot.not_before
                for index, slot in self.roster.slots.items()
                if index < self.target and not self.roster.holders(index)
            ]
        return min(deadlines, default=None)

    # -- what happened ---------------------------------------------------------------------------------

    def _observe(self, event: Event) -> None:
        match event:
            case Started() | TimePassed():
                pass  # reconciling does it all
            case StopAsked():
                self._stop_asked(event)
            case ReloadAsked(by=by):
                self._reload_asked(by)
            case ScaleAsked():
                self._scale_asked(event)
            case _:
                worker = self.roster.workers.get(event.worker)
                if worker is not None:  # else: last words of one that is reaped already
                    self._observe_worker(worker, event)

    def _observe_worker(
        self,
        worker: Worker,
        event: Forked
        | SpawnFailed
        | WorkerReady
        | BootFailed
        | WorkerDraining
        | ChannelBroken
        | WorkerExited,
    ) -> None:
        match event:
            case Forked(pid=pid):
                worker.pid = pid
                worker.take(Step.FORKED)
                worker.deadline = self._now + self._policy.boot
            case SpawnFailed(reason=reason):
                if self.phase is not Phase.STOPPING:  # its siblings fail alike: one error is enough
                    self._log(Severity.ERROR, f"Could not start a worker: {reason}.")
                self._exited(worker, reason)
            case WorkerReady() if worker.state is WorkerState.BOOTING:
                worker.take(Step.READY)
                worker.ready_at, worker.deadline = self._now, None
                self._was_ever_ready = True
            case BootFailed(message=message, details=details) if worker.state is WorkerState.BOOTING:
                worker.explained = True
                self._log(Severity.ERROR, message, details)
                self._boot_failed(worker)
            case WorkerDraining() if worker.is_ready:
                self._log(
                    Severity.INFO,
                    f"Worker [{worker.pid}] drains by itself; slot {worker.slot} gets a new one.",
                )
                self._draining(worker)
            case ChannelBroken(reason=reason):
                self._channel_broken(worker, reason)
            case WorkerExited(cause=cause):
                self._exited(worker, cause)
            case _:
                pass  # said too late to matter, e.g. ready after it was told to go

    def _channel_broken(self, worker: Worker, reason: str) -> None:
        self._log(Severity.ERROR, f"Worker [{worker.pid}] broke its channel ({reason}); it has to go.")
        if worker.state is WorkerState.BOOTING:
            self._boot_failed(worker)
        elif worker.is_ready:
            self._count_failure(worker)
        self._retire_by_signal(worker)

    def _exited(self, worker: Worker, cause: str) -> None:
        state = worker.state
        worker.take(Step.EXITED)
        self.roster.remove(worker)
        if self.phase is Phase.STOPPING:
            return
        match state:
            case WorkerState.FORKING:
                self._boot_failed(worker)
            case WorkerState.BOOTING:
                if not worker.explained:
                    self._log(Severity.ERROR, f"Worker [{worker.pid}] ended before it was ready: {cause}.")
                    self._boot_failed(worker)
            case WorkerState.READY:
                wait = self._count_failure(worker)
                when = f"in {wait:.1f} s" if wait else "now"
                self._log(
                    Severity.ERROR,
                    f"Worker [{worker.pid}] died ({cause}); slot {worker.slot} gets a new one {when}.",
                )
                if worker.generation == self.rolling_to and self.roster.slot(worker.slot).failures > 1:
                    self._abort_reload()  # code that comes up and dies must not get every slot
            case _:
                self._log(Severity.INFO, f"Worker [{worker.pid}] ended ({cause}).")

    def _boot_failed(self, worker: Worker) -> None:
        if not self._was_ever_ready:
            self._begin_stop(ExitCode.NEVER_UP)
        elif worker.generation == self.rolling_to:
            self._abort_reload()
        else:
            self._count_failure(worker)

    def _count_failure(self, worker: Worker) -> float:
        """Make the worker's slot wait; return for how long."""
        slot = self.roster.slot(worker.slot)
        served = self._now - worker.ready_at if worker.ready_at is not None else 0.0
        slot.failures = 1 if served >= self._policy.backoff.stable_after else slot.failures + 1
        wait = self._policy.backoff.delay(slot.failures, self._chance())
        slot.not_before = self._now + wait
        return wait

    # -- what is wanted --------------------------------------------------------------------------------

    def _stop_asked(self, event: StopAsked) -> None:
        first = self.phase is not Phase.STOPPING
        if first:
            self._log(Severity.INFO, f"Received {event.by}, stopping.")
            self._stop_asked_at = self._now
            self._begin_stop(ExitCode.OK)
        if event.immediately or self._now - self._stop_asked_at > _ECHO:
            self._log(
                Severity.WARNING, f"Received {event.by}, ending {_workers(len(self.roster.workers))} at once."
            )
            for worker in self.roster:
                self._kill(worker)

    def _begin_stop(self, code: ExitCode) -> None:
        self.phase = Phase.STOPPING
        self.rolling_to = self._reload_waits_by = None
        self._exit_code = code
        self._actions += [Announce(Milestone.STOPPING), CloseListeners()]

    def _scale_asked(self, event: ScaleAsked) -> None:
        if self.phase is Phase.STOPPING:
            return
        self.target = max(1, self.target + event.change)
        self._log(Severity.INFO, f"Received {event.by}, scaling to {_workers(self.target)}.")

    def _reload_asked(self, by: str) -> None:
        if self.phase is Phase.STOPPING:
            self._log(Severity.INFO, f"Received {by}, but already stopping.")
        elif self.rolling_to is not None or self._is_booting_well():
            self._log(Severity.INFO, f"Received {by}, reloading again after this.")
            self._reload_waits_by = by
        else:
            self._begin_reload(by)

    def _is_booting_well(self) -> bool:
        """Return whether the first workers are on their way and none has failed, which new code may help."""
        return self.phase is Phase.BOOTING and not any(slot.failures for slot in self.roster.slots.values())

    def _begin_reload(self, by: str) -> None:
        self._generations_used += 1
        self.rolling_to = self._generations_used
        self._reload_waits_by = None
        for slot in self.roster.slots.values():  # new code may be what a failing slot waits for
            slot.failures, slot.not_before = 0, 0.0
        self._actions.append(Announce(Milestone.RELOADING))
        self._log(Severity.INFO, f"Received {by}, reloading: generation {self.rolling_to} is on its way.")

    def _commit_reload(self, generation: int) -> None:
        self.generation, self.rolling_to = generation, None
        self._log(Severity.INFO, f"Reload done: generation {generation} runs in {_workers(self.target)}.")
        self._actions.append(Announce(Milestone.RELOADED))

    def _abort_reload(self) -> None:
        replaced = sum(self.roster.is_served(slot, self.rolling_to) for slot in range(self.target))
        mixed = f" {replaced} of {self.target} workers already run the new code." if replaced else ""
        text = f"Reload failed: the new code does not run. The old workers go on.{mixed}"
        self._log(Severity.ERROR, text)
        self.rolling_to = None  # reconciling retires what still boots for it
        self._actions.append(Announce(Milestone.RELOAD_FAILED, text))

    # -- comparing the two -----------------------------------------------------------------------------

    def _reconcile(self) -> None:
        if self.phase is Phase.STOPPING:
            self._reconcile_stop()
        elif self.phase is not Phase.ENDED:
            self._retire_surplus()
            self._fill_slots()
            self._roll()
            self._note_milestones()

    def _reconcile_stop(self) -> None:
        for worker in self.roster:
            self._retire(worker, last=True)
        if not self.roster.workers:
            self.phase = Phase.ENDED
            self._actions.append(Exit(self._exit_code))

    def _retire_surplus(self) -> None:
        """Let go what scaling down or a failed reload left over, and whoever has a ready successor."""
        for worker in self.roster:
            is_late = not worker.is_ready and worker.generation not in {self.generation, self.rolling_to}
            if worker.slot >= self.target or is_late:
                self._retire(worker)
        for slot in range(self.target):
            ready = [worker for worker in self.roster.holders(slot) if worker.is_ready]
            for worker in ready[:-1]:
                self._retire(worker)

    def _fill_slots(self) -> None:
        for index in range(self.target):
            if not self.roster.holders(index) and self.roster.slot(index).not_before <= self._now:
                self._spawn(index, self.rolling_to or self.generation)

    def _roll(self) -> None:
        """Start replacements for a reload in progress, as many at a time as the surge allows."""
        if self.rolling_to is None:
            return
        coming = {
            worker.slot
            for worker in self.roster
            if worker.generation == self.rolling_to and worker.holds_slot
        }
        surging = sum(not self.roster.is_served(slot, self.rolling_to) for slot in coming)
        for index in range(self.target):
            if surging >= self._policy.max_surge:
                break
            if index not in coming and self.roster.is_served(index):
                self._spawn(index, self.rolling_to)
                surging += 1

    def _note_milestones(self) -> None:
        slots = range(self.target)
        if self.phase is Phase.BOOTING and all(self.roster.is_served(slot) for slot in slots):
            self.phase = Phase.RUNNING
            self._actions.append(Announce(Milestone.READY))
        if self.rolling_to is not None and all(
            self.roster.is_served(slot, self.rolling_to) for slot in slots
        ):
            self._commit_reload(self.rolling_to)
        waits = self._reload_waits_by is not None and self.rolling_to is None and not self._is_booting_well()
        if waits and self._reload_waits_by is not None:
            self._begin_reload(self._reload_waits_by)
            self._fill_slots()
            self._roll()

    def _enforce_deadlines(self) -> None:
        for worker in self.roster:
            if worker.deadline is None or worker.deadline > self._now:
                continue
            match worker.state:
                case WorkerState.BOOTING:
                    limit = f"{self._policy.boot:g} s (timeouts.boot)"
                    self._kill(worker)
                    if self.phase is not Phase.STOPPING and not worker.explained:
                        text = f"Worker [{worker.pid}] was not ready within {limit}; killing it."
                        self._log(Severity.ERROR, text)
                        self._boot_failed(worker)
                case WorkerState.DRAINING:
                    text = f"Worker [{worker.pid}] did not end within {self._policy.drain:g} s; killing it."
                    self._log(Severity.WARNING, text)
                    self._kill(worker)
                case _:
                    self._kill(worker)

    # -- steps on one worker ---------------------------------------------------------------------------

    def _spawn(self, slot: int, generation: int) -> None:
        self._workers_made += 1
        worker = Worker(number=self._workers_made, slot=slot, generation=generation)
        self.roster.add(worker)
        self._actions.append(Spawn(worker.number, slot, generation))

    def _retire(self, worker: Worker, *, last: bool = False) -> None:
        """Let a worker go: a ready one drains, a booting one has nothing to lose. Harmless to repeat."""
        if worker.is_ready:
            self._actions.append(Drain(worker.number, last=last))
            self._draining(worker)
        elif worker.state is WorkerState.BOOTING:
            self._retire_by_signal(worker)

    def _retire_by_signal(self, worker: Worker) -> None:
        if worker.is_ready:
            self._draining(worker)
        elif worker.state is WorkerState.BOOTING:
            worker.take(Step.KILL)
            worker.deadline = self._now + self._policy.term
        else:
            return
        self._actions.append(Kill(worker.number, "TERM"))

    def _draining(self, worker: Worker) -> None:
        worker.take(Step.DRAIN)
        worker.deadline = self._now + self._policy.drain

    def _kill(self, worker: Worker) -> None:
        if worker.may(Step.KILL):
            worker.take(Step.KILL)
            worker.deadline = None
            self._actions.append(Kill(worker.number, "KILL"))

    def _log(self, severity: Severity, text: str, details: str = "") -> None:
        self._actions.append(Log(severity, text, details))


def _workers(count: int) -> str:
    return f"{count} worker" if count == 1 else f"{count} workers"
