"""All decisions of the master: an event and the time go in, actions come out.

Desired state (how many workers, of which generation, whether to stop) and observed state (workers, molds) are
separate; after every event `_reconcile` compares them and asks for what is missing. A reload or a stop is
therefore never a procedure that must run to its end: the next event is always obeyed at once.

Must not know processes, sockets, signals or clocks. Called by `master` only. `state` says what its parts are.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import (
    Action,
    Announce,
    CloseListeners,
    Exit,
    Milestone,
    Record,
    Reply,
    Upgrade,
)
from srvctl.supervisor.crew import Crew
from srvctl.supervisor.events import (
    AboutMold,
    AboutWorker,
    Asked,
    BootFailed,
    ChannelBroken,
    Event,
    Examined,
    Forked,
    Looked,
    MoldExited,
    MoldFailed,
    MoldForked,
    MoldReady,
    MoldRefused,
    Probed,
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    SettingsRead,
    SettingsRefused,
    SpawnFailed,
    Started,
    StatusAsked,
    StopAsked,
    TimePassed,
    UpgradeAsked,
    Upgraded,
    UpgradeRefused,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.lifecycle import Step, WorkerState
from srvctl.supervisor.policy import FleetPolicy
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.reloader import Reloader
from srvctl.supervisor.state import SERVING, UP, Phase, State, workers
from srvctl.supervisor.status import snapshot
from srvctl.supervisor.succession import Succession
from srvctl.supervisor.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.supervisor.roster import Worker

__all__ = ["Fleet", "FleetPolicy", "Phase"]

#: Seconds in which a second request to stop is the echo of the first: a launcher that passes signals on
#: (timeout, make, a container's init) sends again what the terminal sent to the whole process group.
_ECHO: Final = 0.1


class Fleet:
    """The pure machine behind the master.

    Args:
        policy: What to aim at.
        chance: Gives a random number from 0 to 1, for jitter.
    """

    def __init__(self, policy: FleetPolicy, chance: Callable[[], float]) -> None:
        self.state = State(policy, chance, target=policy.count)
        self.state.molds.want(1, preload=policy.preload)
        self._crew = Crew(self.state)
        self._watch = Watch(self.state.roster, self.state.orders)
        self._reloader = Reloader(self.state, self._watch)
        self._succession = Succession(self.state, self._crew)
        self._exit_code = ExitCode.OK
        self._stop_asked_at = float("-inf")
        self._leave_at = float("-inf")  #: when the workers are asked to drain, after a stop was asked for
        self._upgrade: UpgradeAsked | None = None
        self._last_failure = ("", "")
        self._served = self._cut = 0  #: requests, by workers that are gone

    def __repr__(self) -> str:
        state = self.state
        roster = " ".join(f"{w.slot}:{w.state.value}/g{w.generation}" for w in state.roster)
        stage = f" {state.reload.stage.name.lower()} g{state.reload.generation}" if state.reload else ""
        return f"<Fleet {state.phase.value}{stage} {roster or 'no workers'}>"

    # -- the interface ---------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take in one event and return what is to be done about it, in order.

        Args:
            event: What happened.
            now: Monotonic time in seconds; never smaller than at the last call.
        """
        if self.state.phase is Phase.ENDED:
            return []
        self.state.now = now
        self._observe(event)
        self._enforce_deadlines()
        self._reconcile()
        return self.state.orders.take()

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which `TimePassed` is due, or None."""
        state = self.state
        deadlines = [worker.deadline for worker in state.roster]
        if state.phase in SERVING:
            deadlines += [*state.molds.deadlines(), *self._succession.deadlines()]
        if state.phase in UP:
            deadlines += [self._watch.next_look, state.reload.until if state.reload else None]
        if state.phase is Phase.LEAVING:
            deadlines.append(self._leave_at)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # -- an upgrade in place ---------------------------------------------------------------------------

    @property
    def is_upgrading(self) -> bool:
        """Whether the installed srvctl is wanted in place of this one, and nothing came between."""
        return self.state.is_upgrading and self.state.phase is Phase.RUNNING

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON; while `is_upgrading`, and between two events."""
        return {
            "state": self.state.export(),
            "crew": self._crew.export(),
            "watch": self._watch.export(),
            "reloader": self._reloader.export(),
            "succession": self._succession.export(),
            "upgrade": asdict(self._upgrade) if self._upgrade is not None else None,
            "last_failure": self._last_failure,
            "served": self._served,
            "cut": self._cut,
        }

    @classmethod
    def restore(cls, values: Mapping[str, Any], policy: FleetPolicy, chance: Callable[[], float]) -> Self:
        """Return a fleet that goes on where another one was exported.

        Args:
            values: What `export` returned.
            policy: What to aim at, as before.
            chance: As for a new fleet.

        Raises:
            KeyError: Something is missing.
            TypeError: As before.
            ValueError: Something has a value that this version does not know.
        """
        fleet = cls(policy, chance)
        fleet.state.restore(values["state"])
        fleet._crew.restore(values["crew"])
        fleet._watch.restore(values["watch"])
        fleet._reloader.restore(values["reloader"])
        fleet._succession.restore(values["succession"])
        if values["upgrade"] is not None:
            fleet._upgrade, fleet.state.is_upgrading = unpacked(UpgradeAsked, values["upgrade"]), True
        message, details = values["last_failure"]
        fleet._last_failure = (message, details)
        fleet._served, fleet._cut = values["served"], values["cut"]
        return fleet

    # -- what happened ---------------------------------------------------------------------------------

    def _observe(self, event: Event) -> None:
        match event:
            case Started() | TimePassed():
                pass  # reconciling does it all
            case Looked(readings=readings):
                self._watch.looked(readings, self.state.now, self.state.policy_for)
            case SettingsRead():
                self._reloader.settings_read(event)
            case SettingsRefused(generation=generation, message=message):
                self._reloader.settings_refused(generation, message)
            case MoldForked() | MoldRefused() | MoldReady() | MoldFailed() | MoldExited():
                self._observe_mold(event)
            case (
                StopAsked()
                | ReloadAsked()
                | ScaleAsked()
                | RecycleAsked()
                | UpgradeAsked()
                | Upgraded()
                | UpgradeRefused()
                | StatusAsked()
            ):
                self._obey(event)
            case _:
                worker = self.state.roster.workers.get(event.worker)
                if worker is not None:  # else: last words of one that is reaped already
                    self._observe_worker(worker, event)

    def _observe_worker(self, worker: Worker, event: AboutWorker) -> None:
        match event:
            case Forked(pid=pid):
                self._crew.forked(worker, pid)
            case SpawnFailed(reason=reason):
                if self.state.phase is not Phase.STOPPING:  # its siblings fail alike: one error is enough
                    self.state.orders.error(f"Could not start a worker: {reason}.")
                self._exited(worker, WorkerExited(worker.number, reason))
            case WorkerExited():
                self._exited(worker, event)
            case ChannelBroken(reason=reason):
                self._channel_broken(worker, reason)
            case Examined():
                policy = self.state.policy_for(worker.generation)
                blocked = self._watch.examined(worker, event, self.state.now, policy)
                if blocked:
                    self._hung(worker, blocked)
            case Probed():
                policy = self.state.policy_for(worker.generation)
                wrong = self._watch.probed(worker, event, self.state.now, policy)
                if wrong is not None:
                    self._reloader.worker_probed(worker, wrong)
            case _:
                self._hear(worker, event)

    def _hear(self, worker: Worker, event: WorkerReady | BootFailed | WorkerDraining) -> None:
        """Take in what a worker says of itself, unless it comes too late to matter."""
        match event, worker.state:
            case WorkerReady(), WorkerState.BOOTING:
                self._crew.ready(worker)
                self.state.was_ever_ready = True
                self._reloader.worker_ready(worker)
            case BootFailed(message=message, details=details), WorkerState.BOOTING if not worker.explained:
                worker.explained = True
                if not self.state.is_new(worker.generation):  # else the failure of the reload says it
                    self._tell_failure(message, details)
                self._boot_failed(worker, message, details)
            case WorkerDraining(), WorkerState.READY:
                text = f"Worker [{worker.pid}] drains by itself; slot {worker.slot} gets a new one."
                self.state.orders.info(text)
                worker.asked_by = "itself, or a signal"
                self._crew.draining(worker)
            case WorkerDraining(), WorkerState.HUNG:
                self.state.orders.warning(f"Worker [{worker.pid}] came to itself; it finishes its requests.")
                self._crew.draining(worker)
            case _:
                pass

    def _hung(self, worker: Worker, blocked: float) -> None:
        wait = self._crew.count_failure(worker)
        when = f"in {wait:.1f} s" if wait else "now"
        self.state.orders.error(
            f"Worker [{worker.pid}] has been blocked for {blocked:.1f} s (health.hang_timeout); "
            f"slot {worker.slot} gets a new one {when}."
        )
        self._crew.hang(worker, f"hang: its loop was blocked for {blocked:.1f} s")
        if self.state.is_new(worker.generation):
            self._reloader.fail("a new worker hangs")

    def _channel_broken(self, worker: Worker, reason: str) -> None:
        self.state.orders.error(f"Worker [{worker.pid}] broke its channel ({reason}); it has to go.")
        if worker.state is WorkerState.BOOTING:
            self._boot_failed(worker, "a new worker broke its channel")
        elif worker.is_ready:
            self._crew.count_failure(worker)
            if self.state.is_new(worker.generation):
                self._reloader.fail("a new worker broke its channel")
        self._crew.retire_by_signal(worker, f"it broke its channel ({reason})")

    def _exited(self, worker: Worker, event: WorkerExited) -> None:
        state = worker.state
        worker.take(Step.EXITED)
        self.state.roster.remove(worker)
        self._served, self._cut = self._served + event.served, self._cut + event.cut
        self._record(worker, state, event.cause)
        if self.state.phase is Phase.STOPPING:
            return
        match state:
            case WorkerState.FORKING:
                self._boot_failed(worker, f"a new worker could not be started: {event.cause}")
            case WorkerState.BOOTING:
                if not worker.explained:
                    text = f"Worker [{worker.pid}] ended before it was ready: {event.cause}."
                    self.state.orders.error(text)
                    self._boot_failed(worker, f"a new worker ended before it was ready: {event.cause}")
            case WorkerState.READY:
                self._died(worker, event.cause)
            case _:
                pass  # it was expected; the ledger's line tells of it

    def _died(self, worker: Worker, cause: str) -> None:
        wait = self._crew.count_failure(worker)
        when = f"in {wait:.1f} s" if wait else "now"
        self.state.orders.error(
            f"Worker [{worker.pid}] died ({cause}); slot {worker.slot} gets a new one {when}."
        )
        if self.state.is_new(worker.generation):
            self._reloader.fail(f"a new worker died: {cause}")

    def _record(self, worker: Worker, state: WorkerState, cause: str) -> None:
        if worker.pid is None or worker.forked_at is None:
            return
        self.state.orders.give(
            Record(
                worker=worker.number,
                pid=worker.pid,
                slot=worker.slot,
                generation=worker.generation,
                state=state.value,
                cause=cause,
                asked_by=worker.asked_by,
                uptime=self.state.now - worker.forked_at,
            )
        )

    def _tell_failure(self, message: str, details: str) -> None:
        """Log why nothing comes up; a slot that fails all night repeats itself, its traceback does not."""
        is_repeated = self.state.was_ever_ready and (message, details) == self._last_failure and details != ""
        self._last_failure = (message, details)
        if is_repeated:
            self.state.orders.error(f"{message} (as before)")
        else:
            self.state.orders.error(message, details)

    def _boot_failed(self, worker: Worker, why: str, details: str = "") -> None:
        if not self.state.was_ever_ready:
            self._begin_stop(ExitCode.NEVER_UP)
        elif self.state.is_new(worker.generation):
            self._reloader.fail(why, details)
        else:
            self._crew.count_failure(worker)

    # -- what happened to molds ------------------------------------------------------------------------

    def _observe_mold(self, event: AboutMold) -> None:
        molds = self.state.molds
        match event:
            case MoldForked(generation=generation, pid=pid):
                molds.forked(generation, pid)
            case MoldReady() | MoldFailed() | MoldRefused() if not molds.is_importing(event.generation):
                pass  # last words of one that was given up
            case MoldReady(generation=generation, objection=""):
                molds.ready(generation, self.state.now)
            case MoldReady(generation=generation, objection=objection):
                molds.unsuitable(generation)
                self.state.orders.warning(f"preload is not possible: {objection}")
            case MoldFailed(generation=generation, message=message, details=details):
                self._mold_failed(generation, message, details)
            case MoldRefused(generation=generation, reason=reason):
                text = f"Could not start the process that workers are forked from: {reason}."
                self._mold_failed(generation, text)
            case MoldExited(generation=generation, cause=cause):
                if molds.exited(generation):
                    text = (
                        f"The process that workers of generation {generation} are forked from ended: {cause}."
                    )
                    self._mold_failed(generation, text)

    def _mold_failed(self, generation: int, message: str, details: str = "") -> None:
        """Have another one; without one, workers that serve go on, and none that ends is replaced."""
        state = self.state
        if state.reload is not None and state.reload.generation == generation:
            self._reloader.fail(message, details)
            return
        self._tell_failure(message, details)
        if not state.was_ever_ready:
            self._begin_stop(ExitCode.NEVER_UP)
            return
        wait = state.molds.lost(generation, state.now, state.policy.backoff, state.chance())
        when = f"in {wait:.1f} s" if wait else "now"
        state.orders.warning(
            f"The code of generation {generation} is imported anew {when}, as it is on disk by then."
        )

    # -- what is wanted --------------------------------------------------------------------------------

    def _obey(self, event: Asked | Upgraded | UpgradeRefused) -> None:
        match event:
            case StopAsked():
                self._stop_asked(event)
            case ReloadAsked():
                self._reloader.asked(event)
            case ScaleAsked():
                self._scale_asked(event)
            case RecycleAsked():
                self._recycle_asked(event)
            case UpgradeAsked():
                self._upgrade_asked(event)
            case Upgraded():
                self._upgraded(event)
            case UpgradeRefused():
                self._upgrade_refused(event)
            case StatusAsked(client=client):
                self._reply(client, is_ok=True, message=self.state.phase.value, data=snapshot(self.state))

    def _stop_asked(self, event: StopAsked) -> None:
        state = self.state
        if state.phase in UP:
            self._stop_asked_at = state.now
            is_known = state.was_ever_ready and not event.immediately  # to load balancers
            delay = state.policy.drain_delay if is_known else 0.0
            self._drop_requests()
            self._leave_at = state.now + delay
            if delay:
                state.orders.info(
                    f"Received {event.by}, stopping; accepting for {delay:g} s (timeouts.drain_delay)."
                )
                state.phase = Phase.LEAVING
                state.orders.give(Announce(Milestone.STOPPING))
            else:
                state.orders.info(f"Received {event.by}, stopping.")
                self._begin_stop(ExitCode.OK)
        self._reply(event.client, is_ok=True, message="Stopping.")
        if event.immediately or state.now - self._stop_asked_at > _ECHO:
            if state.phase is Phase.LEAVING:
                self._begin_stop(ExitCode.OK)
            number = workers(len(state.roster.workers))
            state.orders.warning(f"Received {event.by}, ending {number} at once.")
            for worker in state.roster:
                self._crew.kill(worker, f"{event.by}, at once")

    def _begin_stop(self, code: ExitCode) -> None:
        state = self.state
        self._drop_requests()
        if state.phase is not Phase.LEAVING:
            state.orders.give(Announce(Milestone.STOPPING))
        state.phase = Phase.STOPPING
        self._exit_code = code
        state.orders.give(CloseListeners())
        state.molds.end_all()

    def _drop_requests(self) -> None:
        """Tell everybody who still waits that the end comes first."""
        self._reloader.drop()
        self._succession.drop()
        if self._upgrade is not None:
            self._end_upgrade(is_ok=False, message="The service is stopping.")

    def _scale_asked(self, event: ScaleAsked) -> None:
        if self.state.phase not in UP:
            self._reply(event.client, is_ok=False, message="The service is stopping.")
            return
        self.state.target = max(1, self.state.target + event.change)
        text = f"Received {event.by}, scaling to {workers(self.state.target)}."
        self.state.orders.info(text)
        self._reply(event.client, is_ok=True, message=text)

    def _recycle_asked(self, event: RecycleAsked) -> None:
        wrong = "The service is stopping." if self.state.phase not in UP else self._succession.recycle(event)
        if wrong:
            self._reply(event.client, is_ok=False, message=wrong)

    def _upgrade_asked(self, event: UpgradeAsked) -> None:
        state = self.state
        if self._upgrade is not None or state.phase is not Phase.RUNNING or state.reload is not None:
            text = "Not while the service starts, stops, reloads or upgrades; try again later."
            state.orders.warning(f"Received {event.by}, but cannot upgrade now. {text}")
            self._reply(event.client, is_ok=False, message=text)
            return
        self._upgrade, state.is_upgrading = event, True
        state.orders.info(f"Received {event.by}, trying whether the installed srvctl can take over.")
        state.orders.give(Upgrade())

    def _upgraded(self, event: Upgraded) -> None:
        for note in event.notes:
            self.state.orders.warning(note)
        number = len(self.state.roster.workers)
        live_on = f"{workers(number)} {'lives' if number == 1 else 'live'} on"
        text = f"Upgraded from {event.before} to {event.after}; {live_on}."
        self.state.orders.info(text)
        self._end_upgrade(is_ok=True, message=text, details="\n".join(event.notes))

    def _upgrade_refused(self, event: UpgradeRefused) -> None:
        if self._upgrade is None:
            return  # a stop came before
        text = f"Upgrade failed: {event.reason.rstrip('.')}. This srvctl goes on."
        self.state.orders.error(text, event.details)
        self._end_upgrade(is_ok=False, message=text, details=event.details)

    def _end_upgrade(self, *, is_ok: bool, message: str, details: str = "") -> None:
        client = self._upgrade.client if self._upgrade is not None else None
        self._upgrade, self.state.is_upgrading = None, False
        if client is not None:
            self.state.orders.give(Reply(client, is_ok, message, details))

    def _reply(
        self, client: int | None, *, is_ok: bool, message: str, data: dict[str, object] | None = None
    ) -> None:
        if client is not None:
            self.state.orders.give(Reply(client, is_ok, message, data=data))

    # -- comparing the two -----------------------------------------------------------------------------

    def _reconcile(self) -> None:
        state = self.state
        if state.phase is Phase.LEAVING and self._leave_at <= state.now:
            self._begin_stop(ExitCode.OK)
        if state.phase is Phase.STOPPING:
            self._reconcile_stop()
            return
        self._reloader.advance()
        state.molds.make(state.now, lambda generation: state.policy_for(generation).boot)
        self._succession.arrange()
        if state.phase in UP:
            self._watch.plan(state.now, state.policy)
            self._note_milestones()

    def _note_milestones(self) -> None:
        state = self.state
        if state.phase is Phase.BOOTING and all(state.roster.is_served(slot) for slot in state.slots):
            state.phase = Phase.RUNNING
            state.orders.give(Announce(Milestone.READY))
        before = state.reload
        self._reloader.conclude()
        if state.reload is not before:  # the next one began, or this one's end changed what is wanted
            self._succession.arrange()

    def _reconcile_stop(self) -> None:
        state = self.state
        for worker in state.roster:
            self._crew.retire(worker, "stop", last=True)
        if not state.roster.workers and state.molds.are_gone:
            state.phase = Phase.ENDED
            if state.was_ever_ready:
                state.orders.info(f"Stopped: served {self._served}, cut {self._cut}.")
            state.orders.give(Exit(self._exit_code))

    def _enforce_deadlines(self) -> None:
        for mold in self.state.molds:
            if mold.deadline is not None and mold.deadline <= self.state.now:
                limit = f"{self.state.policy_for(mold.generation).boot:g} s (timeouts.boot)"
                self._mold_failed(mold.generation, f"The application was not imported within {limit}.")
        for worker in self.state.roster:
            if worker.deadline is not None and worker.deadline <= self.state.now:
                self._too_late(worker)

    def _too_late(self, worker: Worker) -> None:
        policy = self.state.policy_for(worker.generation)
        match worker.state:
            case WorkerState.FORKING:
                worker.deadline = None  # its mold's end will tell
                if self.state.molds.has_mold(worker.generation):  # else it has got its due already
                    limit = f"{policy.boot:g} s (timeouts.boot)"
                    self._mold_failed(worker.generation, f"No worker was forked within {limit}.")
            case WorkerState.BOOTING:
                limit = f"{policy.boot:g} s (timeouts.boot)"
                self._crew.kill(worker, f"boot: not ready within {limit}")
                if self.state.phase is not Phase.STOPPING and not worker.explained:
                    self.state.orders.error(
                        f"Worker [{worker.pid}] was not ready within {limit}; killing it."
                    )
                    self._boot_failed(worker, f"a new worker was not ready within {limit}")
            case WorkerState.HUNG:
                self._crew.press(worker)
            case WorkerState.DRAINING:
                limit = f"{policy.drain:g} s"
                self.state.orders.warning(f"Worker [{worker.pid}] did not end within {limit}; killing it.")
                worker.asked_by += f"; it did not end within {limit}"
                self._crew.kill(worker, "")
            case _:
                self._crew.kill(worker, "it did not obey SIGTERM")
