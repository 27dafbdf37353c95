"""All decisions of the master: an event and the time go in, actions come out.

Desired state (how many workers, of which generation, whether to stop) and observed state (workers, molds) are
separate; after every event `_reconcile` compares them and asks for what is missing. A reload or a stop is
therefore never a procedure that must run to its end: the next event is always obeyed at once.

Must not know processes, sockets, signals or clocks. Called by `master` only. `state` says what its parts are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import Action, Announce, Milestone, Reply, Report
from srvctl.supervisor.autoscaling import Autoscaling
from srvctl.supervisor.crew import Crew
from srvctl.supervisor.development import Development
from srvctl.supervisor.ending import Ending
from srvctl.supervisor.errands import Errands
from srvctl.supervisor.events import (
    AboutMold,
    AboutOne,
    Asked,
    DumpAsked,
    Event,
    FilesChanged,
    Looked,
    MetricsAsked,
    MoldExited,
    MoldFailed,
    MoldForked,
    MoldReady,
    MoldRefused,
    ProgramAsked,
    ProgramExited,
    ProgramForked,
    ProgramReady,
    ProgramRefused,
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    SettingsRead,
    SettingsRefused,
    Started,
    StatusAsked,
    StopAsked,
    TimePassed,
    UpgradeAsked,
    Upgraded,
    UpgradeRefused,
    WorkerKillAsked,
    WorkerStopAsked,
)
from srvctl.supervisor.failures import Failures
from srvctl.supervisor.notices import Manager, Notices
from srvctl.supervisor.policy import FleetPolicy
from srvctl.supervisor.programs.supervision import Programs
from srvctl.supervisor.reloader import Reloader
from srvctl.supervisor.state import SERVING, UP, Phase, State
from srvctl.supervisor.status import snapshot
from srvctl.supervisor.succession import Succession
from srvctl.supervisor.upgrade_wish import UpgradeWish
from srvctl.supervisor.watch import Watch
from srvctl.supervisor.watermark import Watermark
from srvctl.supervisor.worker_news import WorkerNews

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Fleet", "FleetPolicy", "Phase"]


class Fleet:
    """The pure machine behind the master.

    Args:
        policy: What to aim at.
        chance: Gives a random number from 0 to 1, for jitter.
        manager: The service manager.
    """

    def __init__(
        self, policy: FleetPolicy, chance: Callable[[], float], manager: Manager | None = None
    ) -> None:
        self.state = State(policy, chance, target=policy.count)
        self.state.molds.want(1, preload=policy.preload)
        self._crew = Crew(self.state)
        manager = manager or Manager()
        self._watch = Watch(self.state.roster, self.state.orders, manager.look_every)
        self._watermark = Watermark(self.state)
        self._autoscaling = Autoscaling(self.state, self._watermark)
        self._reloader = Reloader(self.state, self._watch)
        self._programs = Programs(self.state)
        self._succession = Succession(self.state, self._crew, self._programs)
        self._errands = Errands(self.state, self._crew)
        self._upgrade = UpgradeWish(self.state)
        self._notices = Notices(self.state, manager)
        self._ending = Ending(self.state, self._crew, self._programs, self._give_up)
        self._failures = Failures(self.state, self._crew, self._reloader, self._ending)
        self._development = Development(self.state, self._crew, self._reloader)
        self._worker_news = WorkerNews(
            self.state, self._crew, self._watch, self._reloader, self._ending, self._failures
        )

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
        deadlines = [min(state.roster.limits.values(), default=None)]
        if state.phase in SERVING:
            deadlines += [*state.molds.deadlines(), *self._succession.deadlines()]
        if state.phase in UP:
            deadlines += [self._watch.next_look, state.reload.until if state.reload else None]
        deadlines += [*self._errands.deadlines(), *self._programs.deadlines()]
        deadlines += [self._ending.deadline, self._notices.deadline]
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
            "watermark": self._watermark.export(),
            "autoscaling": self._autoscaling.export(),
            "reloader": self._reloader.export(),
            "succession": self._succession.export(),
            "errands": self._errands.export(),
            "upgrade": self._upgrade.export(),
            "last_failure": self._failures.export(),
            "ending": self._ending.export(),
            "programs": self._programs.export(),
            "notices": self._notices.export(),
        }

    @classmethod
    def restore(
        cls,
        values: Mapping[str, Any],
        policy: FleetPolicy,
        chance: Callable[[], float],
        manager: Manager | None = None,
    ) -> Self:
        """Return a fleet that goes on where another one was exported.

        Args:
            values: What `export` returned.
            policy: What to aim at, as before.
            chance: As for a new fleet.
            manager: The service manager.

        Raises:
            KeyError: Something is missing.
            TypeError: As before.
            ValueError: Something has a value that this version does not know.
        """
        fleet = cls(policy, chance, manager)
        fleet.state.restore(values["state"])
        fleet._crew.restore(values["crew"])
        fleet._watch.restore(values["watch"])
        fleet._reloader.restore(values["reloader"])
        fleet._succession.restore(values["succession"])
        if "errands" in values:  # an earlier srvctl has none
            fleet._errands.restore(values["errands"])
        if "autoscaling" in values:
            fleet._watermark.restore(values["watermark"])
            fleet._autoscaling.restore(values["autoscaling"])
        fleet._upgrade.restore(values["upgrade"])
        fleet._failures.restore(values["last_failure"])
        fleet._ending.restore(values["ending"])
        if "programs" in values:  # nor has it these
            fleet._programs.restore(values["programs"])
            fleet._notices.restore(values["notices"])
        return fleet

    # -- what happened ---------------------------------------------------------------------------------

    def _observe(self, event: Event) -> None:
        match event:
            case Started() | TimePassed():
                pass  # reconciling does it all
            case Looked():
                self._looked(event)
            case FilesChanged():
                self._development.files_changed(event)
            case SettingsRead():
                self._reloader.settings_read(event)
            case SettingsRefused(generation=generation, message=message):
                self._reloader.settings_refused(generation, message)
            case MoldForked() | MoldRefused() | MoldReady() | MoldFailed() | MoldExited():
                self._observe_mold(event)
            case ProgramForked() | ProgramRefused() | ProgramReady() | ProgramExited():
                self._programs.take(event)
            case (
                StopAsked()
                | ReloadAsked()
                | ScaleAsked()
                | RecycleAsked()
                | WorkerStopAsked()
                | WorkerKillAsked()
                | DumpAsked()
                | ProgramAsked()
                | UpgradeAsked()
                | Upgraded()
                | UpgradeRefused()
                | StatusAsked()
                | MetricsAsked()
            ):
                self._obey(event)
            case _:
                worker = self.state.roster.workers.get(event.worker)
                if worker is not None:  # else: last words of one that is reaped already
                    self._worker_news.take(worker, event)

    def _looked(self, seen: Looked) -> None:
        self._watch.looked(seen.readings, self.state.now, self.state.policy_for)
        self._watermark.looked(seen.memory)
        self._autoscaling.looked(seen.readings)
        self._notices.looked()

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
                self._failures.of_mold(generation, message, details)
            case MoldRefused(generation=generation, reason=reason):
                text = f"Could not start the process that workers are forked from: {reason}."
                self._failures.of_mold(generation, text)
            case MoldExited(generation=generation, cause=cause):
                what = f"The process that workers of generation {generation} are forked from ended"
                if molds.is_importing(generation):
                    what = "Importing the application ended the process"
                if molds.exited(generation):
                    self._failures.of_mold(generation, f"{what}: {cause}.")

    # -- what is wanted --------------------------------------------------------------------------------

    def _obey(self, event: Asked | Upgraded | UpgradeRefused) -> None:
        match event:
            case StopAsked():
                self._ending.asked(event)
                self._reply(event.client, is_ok=True, message="Stopping.")
            case ReloadAsked():
                self._reloader.asked(event)
            case ProgramAsked():
                self._programs.asked(event)
            case UpgradeAsked():
                self._upgrade.asked(event)
            case Upgraded():
                self._upgrade.done(event)
            case UpgradeRefused():
                self._upgrade.refused(event)
            case StatusAsked(client=client):
                self.state.orders.give(Report(client, snapshot(self.state)))
            case MetricsAsked(client=client):
                self.state.orders.give(Report(client, snapshot(self.state), has_all_figures=True))
            case _:
                self._obey_about_workers(event)

    def _obey_about_workers(self, event: ScaleAsked | RecycleAsked | AboutOne) -> None:
        match event:
            case ScaleAsked():
                self._errands.scale(event)
            case RecycleAsked():
                self._recycle_asked(event)
            case _:
                self._errands.about_one(event)

    def _give_up(self) -> None:
        """Tell everybody who still waits that the end comes first."""
        self._reloader.drop()
        self._succession.drop()
        self._errands.drop()
        self._programs.drop()
        self._upgrade.drop()

    def _recycle_asked(self, event: RecycleAsked) -> None:
        wrong = "The service is stopping." if self.state.phase not in UP else self._succession.recycle(event)
        if wrong:
            self._reply(event.client, is_ok=False, message=wrong)

    def _reply(self, client: int | None, *, is_ok: bool, message: str) -> None:
        if client is not None:
            self.state.orders.give(Reply(client, is_ok, message))

    # -- comparing the two -----------------------------------------------------------------------------

    def _reconcile(self) -> None:
        self._programs.advance()
        self._end_in_vain()
        self._ending.advance()
        if self.state.phase in SERVING:
            self._serve()
            self._programs.advance()  # of new settings, and of what comes after the workers
        self._notices.advance()

    def _end_in_vain(self) -> None:
        """End a service whose first workers wait for a program that does not come up."""
        why = self._programs.failure
        if why and self.state.phase is Phase.BOOTING and not self.state.policy.is_development:
            self.state.orders.error(why)
            self._ending.begin(ExitCode.NEVER_UP, why)

    def _serve(self) -> None:
        state = self.state
        self._reloader.advance()
        state.molds.make(state.now, lambda generation: state.policy_for(generation).boot)
        self._succession.arrange()
        self._errands.answer()
        self._development.apologize()
        if state.phase in UP:
            self._watch.plan(state.now, state.policy, is_idle=self._autoscaling.is_idle)
            self._note_milestones()

    def _note_milestones(self) -> None:
        state = self.state
        if state.phase is Phase.BOOTING and state.served() == state.target:
            state.enter(Phase.RUNNING)
            state.orders.give(Announce(Milestone.READY))
        before = state.reload
        self._reloader.conclude()
        if state.reload is not before:  # the next one began, or this one's end changed what is wanted
            self._succession.arrange()

    def _enforce_deadlines(self) -> None:
        for mold in self.state.molds:
            if mold.deadline is not None and mold.deadline <= self.state.now:
                limit = f"{self.state.policy_for(mold.generation).boot:g} s (timeouts.boot)"
                self._failures.of_mold(mold.generation, f"The application was not imported within {limit}.")
        for worker in self.state.roster.overdue(self.state.now):
            self._worker_news.too_late(worker)
