"""How a service ends: who asks for it, what is given up for it, and when everything is gone. Pure.

Part of `fleet`, which tells it what happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import ExitCode
from srvctl.supervisor.actions import Announce, CloseListeners, Describe, Exit, Milestone
from srvctl.supervisor.lifecycle import RETIRABLE
from srvctl.supervisor.state import UP, Phase, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.supervisor.crew import Crew
    from srvctl.supervisor.events import StopAsked, WorkerExited
    from srvctl.supervisor.programs.supervision import Programs
    from srvctl.supervisor.state import State

#: Seconds in which a second request to stop is the echo of the first: a launcher that passes signals on
#: (timeout, make, a container's init) sends again what the terminal sent to the whole process group.
_ECHO: Final = 0.1
_KEY: Final = "SIGINT"


class Ending:
    """The end, from the first word of it.

    Args:
        state: The fleet's.
        crew: Takes the steps.
        programs: The processes beside the workers.
        give_up: Tells everybody who still waits for something else that the end comes first.
    """

    def __init__(self, state: State, crew: Crew, programs: Programs, give_up: Callable[[], None]) -> None:
        self._state = state
        self._crew = crew
        self._programs = programs
        self._give_up = give_up
        self._exit_code = ExitCode.OK
        self._asked_at = float("-inf")
        self._leave_at = float("-inf")  #: when the workers are asked to drain, after a stop was asked for
        self._served = self._cut = 0  #: requests, by workers that are gone

    @property
    def deadline(self) -> float | None:
        """When the workers are asked to drain, while srvctl still accepts."""
        return self._leave_at if self._state.phase is Phase.LEAVING else None

    def asked(self, event: StopAsked) -> None:
        """Begin to end, or hurry."""
        state = self._state
        if state.phase in UP:
            self._asked_at = state.now
            self._leave(event)
        if event.immediately or state.now - self._asked_at > _ECHO:
            if state.phase is Phase.LEAVING:
                self.begin(ExitCode.OK)
            number = workers(len(state.roster.workers))
            state.orders.warning(f"Received {event.by}, ending {number} at once.")
            for worker in state.roster:
                self._crew.kill(worker, f"{event.by}, at once")
            self._programs.kill_all()

    def _leave(self, event: StopAsked) -> None:
        state = self._state
        is_known = state.was_ever_ready and not event.immediately  # to load balancers
        delay = state.policy.drain_delay if is_known else 0.0
        self._give_up()
        self._leave_at = state.now + delay
        if delay:
            state.orders.info(
                f"Received {event.by}, stopping; accepting for {delay:g} s (timeouts.drain_delay)."
            )
            state.enter(Phase.LEAVING)
            state.orders.give(Announce(Milestone.STOPPING))
        else:
            hint = " Press CTRL+C again to end at once." if self._is_for_person(event) else ""
            state.orders.info(f"Received {event.by}, stopping.{hint}")
            self.begin(ExitCode.OK)

    def _is_for_person(self, event: StopAsked) -> bool:
        """Return whether somebody has pressed a key and may have to wait."""
        return event.by == _KEY and self._state.policy.is_development and bool(self._state.roster.workers)

    def begin(self, code: ExitCode, why: str = "") -> None:
        """Have every worker drain.

        Args:
            code: What the master ends with.
            why: The service never came up; empty where that is not the reason.
        """
        state = self._state
        self._give_up()
        if state.phase is not Phase.LEAVING:
            state.orders.give(Announce(Milestone.STOPPING))
        if why:
            state.orders.give(Describe(f"Could not start: {why}"))
        state.enter(Phase.STOPPING)
        self._exit_code = code
        state.orders.give(CloseListeners())
        state.molds.end_all()

    def count(self, event: WorkerExited) -> None:
        """Remember what a worker that is gone has served."""
        self._served, self._cut = self._served + event.served, self._cut + event.cut

    def advance(self) -> None:
        """Take the steps that are due now."""
        state = self._state
        if self.deadline is not None and self.deadline <= state.now:
            self.begin(ExitCode.OK)
        if state.phase is not Phase.STOPPING:
            return
        if any(map(state.roster.count, RETIRABLE)):
            for worker in state.roster:
                self._crew.retire(worker, "stop", last=True)
        if not state.roster.workers and state.molds.are_gone and self._programs.are_gone:
            state.enter(Phase.ENDED)
            if state.was_ever_ready:
                state.orders.info(f"Stopped: served {self._served}, cut {self._cut}.")
            state.orders.give(Exit(self._exit_code))

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON; before anybody asked for the end."""
        return {"served": self._served, "cut": self._cut}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on where `export` was called."""
        self._served, self._cut = values["served"], values["cut"]
