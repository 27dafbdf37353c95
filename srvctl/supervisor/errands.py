"""What clients of the control socket want of single workers, or of their number, and wait for. Pure.

Part of `fleet`: it wants something here, `succession` brings it about, and `answer` says when it is so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.actions import Dump, Progress, Reply, ShowDump
from srvctl.supervisor.events import DumpAsked, WorkerKillAsked, WorkerStopAsked
from srvctl.supervisor.lifecycle import RETIRABLE, Step
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.state import UP, workers
from srvctl.supervisor.succession import is_meant, nobody

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.supervisor.crew import Crew
    from srvctl.supervisor.events import AboutOne, ScaleAsked
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State

#: Seconds a worker has to write its stacks, which takes it a hundredth of that if it gets a CPU at all.
_TO_WRITE: Final = 0.3


@dataclass(slots=True)
class Errand:
    """Somebody waits until every slot is served, and nobody is left who is to go.

    Attributes:
        client: Who waits.
        message: What it is told then.
        leaving: Numbers of the workers that are to be gone by then.
        told: What it was told last.
    """

    client: int
    message: str
    leaving: list[int] = field(default_factory=list)
    told: str = ""


class Errands:
    """All of them.

    Args:
        state: The fleet's.
        crew: Takes the steps.
    """

    def __init__(self, state: State, crew: Crew) -> None:
        self._state = state
        self._crew = crew
        self._errands: list[Errand] = []
        self._dumps: list[tuple[float, int, int]] = []  #: when it is to be there, clients, workers

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {
            "errands": [
                {"client": e.client, "message": e.message, "leaving": e.leaving, "told": e.told}
                for e in self._errands
            ],
            "dumps": [list(dump) for dump in self._dumps],
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on with those of another fleet."""
        self._errands = [unpacked(Errand, errand) for errand in values["errands"]]
        self._dumps = [(due, client, worker) for due, client, worker in values["dumps"]]

    def deadlines(self) -> Iterator[float]:
        """Yield when something is to be there."""
        yield from (due for due, _, _ in self._dumps)

    def drop(self) -> None:
        """Give everything up, because the service stops."""
        for client in (*(e.client for e in self._errands), *(client for _, client, _ in self._dumps)):
            self._refuse(client, "The service is stopping.")
        self._errands.clear()
        self._dumps.clear()

    # -- what is wanted --------------------------------------------------------------------------------

    def scale(self, asked: ScaleAsked) -> None:
        """Have another number of workers."""
        state = self._state
        if state.phase not in UP:
            self._refuse(asked.client, "The service is stopping.")
            return
        if state.policy.is_development:
            text = "There is one worker in development (reload.enabled)."
            state.orders.warning(f"Received {asked.by}. {text}")
            self._refuse(asked.client, text)
            return
        count = max(1, state.target + asked.change if asked.count is None else asked.count)
        policy = state.policy.scale
        if policy.clamp(count) != count:
            text = (
                f"The number of workers follows the load, from {policy.least} (workers.min) to {policy.most} "
                f"(workers.max); {count} is not between them."
            )
            state.orders.warning(f"Received {asked.by}. {text}")
            self._refuse(asked.client, text)
            return
        state.target = count
        state.orders.info(f"Received {asked.by}, scaling to {workers(state.target)}.")
        until = ", from where their number follows the load" if policy.is_wanted else ""
        self._wait(asked.client, f"Scaled to {workers(state.target)}{until}.")

    def about_one(self, asked: AboutOne) -> None:
        """Stop, kill or question a worker."""
        state = self._state
        if state.phase not in UP:
            self._refuse(asked.client, "The service is stopping.")
            return
        found = [worker for worker in state.roster if is_meant(worker, asked.target)]
        if not found:
            self._refuse(asked.client, nobody(asked.target, state.roster))
            return
        match asked:
            case WorkerStopAsked():
                self._stop(asked, found)
            case WorkerKillAsked():
                self._kill(asked, found)
            case DumpAsked():
                self._dump(asked, found)

    def _stop(self, asked: WorkerStopAsked, found: list[Worker]) -> None:
        leaving = [worker for worker in found if worker.state in RETIRABLE]
        if not leaving:
            text = f"Worker [{found[0].pid}] is {found[0].state.value} already; `srvctl worker kill` ends it."
            self._refuse(asked.client, text)
            return
        for worker in leaving:
            self._state.orders.info(f"Received {asked.by}, draining worker [{worker.pid}].")
            self._crew.retire(worker, asked.by)
        self._wait(asked.client, f"Stopped {_named(leaving)}; the slot is served again.", leaving)

    def _kill(self, asked: WorkerKillAsked, found: list[Worker]) -> None:
        leaving = [worker for worker in found if worker.may(Step.KILL)]
        if not leaving:
            self._refuse(asked.client, "The worker has no process yet.")
            return
        for worker in leaving:
            self._state.orders.warning(f"Received {asked.by}, killing worker [{worker.pid}].")
            self._crew.kill(worker, asked.by)
        self._wait(asked.client, f"Killed {_named(leaving)}; the slot is served again.", leaving)

    def _dump(self, asked: DumpAsked, found: list[Worker]) -> None:
        worker = next((worker for worker in found if worker.is_ready), found[0])
        self._state.orders.give(Dump(worker.number, anew=True))
        if asked.client is not None:
            self._dumps.append((self._state.now + _TO_WRITE, asked.client, worker.number))

    def _wait(self, client: int | None, message: str, leaving: list[Worker] | None = None) -> None:
        if client is not None:
            self._errands.append(Errand(client, message, [worker.number for worker in leaving or ()]))

    # -- what came of it -------------------------------------------------------------------------------

    def answer(self) -> None:
        """Tell those who waited for what is there now."""
        state = self._state
        for errand in list(self._errands):
            trouble = self._trouble()
            if trouble:
                self._errands.remove(errand)
                self._refuse(errand.client, trouble)
            elif self._is_done(errand):
                self._errands.remove(errand)
                state.orders.give(Reply(errand.client, is_ok=True, message=errand.message))
            else:
                self._tell(errand)
        for dump in list(self._dumps):
            due, client, worker = dump
            if due <= state.now:
                self._dumps.remove(dump)
                if worker in state.roster.workers:
                    state.orders.give(ShowDump(client, worker))
                else:
                    self._refuse(client, "The worker ended before it had written its stacks.")

    def _is_done(self, errand: Errand) -> bool:
        roster = self._state.roster
        is_gone = not any(number in roster.workers for number in errand.leaving)
        has_surplus = any(worker.slot >= self._state.target for worker in roster)
        return is_gone and not has_surplus and self._state.served() == self._state.target

    def _trouble(self) -> str:
        """Return why some slot is not served for now; empty where nothing is wrong."""
        state = self._state
        for slot in state.slots:
            if state.roster.slot(slot).not_before > state.now and not state.roster.holders(slot):
                return f"The workers of slot {slot} do not come up, and it waits; `srvctl why` tells more."
        return ""

    def _tell(self, errand: Errand) -> None:
        served = self._state.served()
        leaving = sum(worker.slot >= self._state.target for worker in self._state.roster)
        leaving += sum(number in self._state.roster.workers for number in errand.leaving)
        text = f"{served} of {workers(self._state.target)} serving"
        text += f", {leaving} still to go." if leaving else "."
        if text != errand.told:
            errand.told = text
            progress = {"done": served, "of": self._state.target}
            self._state.orders.give(Progress(errand.client, text, progress))

    def _refuse(self, client: int | None, text: str) -> None:
        if client is not None:
            self._state.orders.give(Reply(client, is_ok=False, message=text))


def _named(found: list[Worker]) -> str:
    return ", ".join(f"worker [{worker.pid}]" for worker in found)
