"""Says which worker is to serve each slot: fills, replaces before it takes away, lets go the rest. Pure.

A reload, a way back from one, a worker that is too old, too heavy or unwell, and an operator's wish are all
the same here: a slot whose worker needs a successor. One budget, `max_surge`, is for all of them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from srvctl.supervisor.actions import Reply
from srvctl.supervisor.lifecycle import RETIRABLE, WorkerState
from srvctl.supervisor.reloading import Stage
from srvctl.supervisor.standing import Standing
from srvctl.supervisor.state import UP

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from srvctl.supervisor.crew import Crew
    from srvctl.supervisor.events import RecycleAsked
    from srvctl.supervisor.programs.supervision import Programs
    from srvctl.supervisor.roster import Roster, Worker
    from srvctl.supervisor.state import State


class Need(Enum):
    """What is to be done about a slot; nothing about most of them, most of the time."""

    LESS = "less"  #: somebody is there who has to go
    MORE = "more"  #: nobody serves it, or soon will
    SUCCESSOR = "successor"  #: the one that serves it is to be replaced
    PATIENCE = "patience"  #: a successor is on its way, or on trial


class Succession:
    """Which workers there are to be.

    Args:
        state: The fleet's.
        crew: Takes the steps.
        programs: What workers may have to wait for.
    """

    def __init__(self, state: State, crew: Crew, programs: Programs) -> None:
        self._state = state
        self._crew = crew
        self._programs = programs
        self._needs = Standing(state.roster, self._need_of)
        self._recycled_at = float("-inf")  #: when a limit last caused a replacement
        #: Clients, and the workers they want replaced, in the order in which they will be.
        self._wishes: list[tuple[int, list[int]]] = []

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {"recycled_at": self._recycled_at, "wishes": [list(wish) for wish in self._wishes]}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's succession."""
        self._recycled_at = values["recycled_at"]
        self._wishes = [(client, list(workers)) for client, workers in values["wishes"]]

    def arrange(self) -> None:
        """Ask for what is missing, let go what is too much."""
        self._retire_surplus()
        self._fill()
        if self._state.phase in UP:
            self._replace()
            self._answer_wishes()

    def recycle(self, asked: RecycleAsked) -> str:
        """Have workers replaced that somebody wants replaced; return what is wrong with the wish, or ""."""
        meant = [worker for worker in self._state.roster if is_meant(worker, asked.target)]
        found = [worker for worker in meant if worker.is_ready]
        if not meant:
            return nobody(asked.target, self._state.roster)
        if not found:
            return f"Worker [{meant[0].pid}] is {meant[0].state.value}; only one that serves is replaced."
        for worker in found:
            self._state.roster.mark(worker, asked.by)
            worker.is_wished_away = True
        if asked.client is not None:
            found.sort(key=lambda worker: worker.slot)
            self._wishes.append((asked.client, [worker.number for worker in found]))
        return ""

    def drop(self) -> None:
        """Give up the wishes, because the service stops."""
        for client, _ in self._wishes:
            self._state.orders.give(Reply(client, is_ok=False, message="The service is stopping."))
        self._wishes.clear()

    def deadlines(self) -> Iterator[float]:
        """Yield when a slot need not wait any more, in the future."""
        state = self._state
        for slot in self._slots(Need.MORE):
            not_before = state.roster.slot(slot).not_before
            if not_before > state.now:
                yield not_before
        if len(self._slots(Need.PATIENCE)) >= state.policy.max_surge:
            return  # none of the others would be next
        for slot in self._slots(Need.SUCCESSOR):
            not_before = state.roster.slot(slot).not_before
            if not_before > state.now:
                yield not_before
            elif self._is_spaced(state.roster.holders(slot)[0]):
                yield self._recycled_at + state.policy.recycle.spacing

    # -- what is to be done ----------------------------------------------------------------------------

    def _slots(self, need: Need) -> AbstractSet[int]:
        return self._needs.now(self._state.slots, self._aim()).get(need, frozenset())

    def _aim(self) -> Hashable:
        """Return what, beside its workers, decides on the need of a slot."""
        state, reload = self._state, self._state.reload
        stage = (reload.generation, reload.stage, reload.canary) if reload is not None else None
        return state.generation, frozenset(state.tolerated), stage

    def _need_of(self, slot: int) -> Need | None:
        state = self._state
        if self._who_leave(slot):
            return Need.LESS
        if slot not in state.slots:
            return None
        holders = state.roster.holders(slot)
        if not holders:
            return Need.MORE
        if len(holders) > 1:
            return Need.PATIENCE
        return Need.SUCCESSOR if holders[0].is_ready and self._successor(holders[0]) is not None else None

    # -- too much --------------------------------------------------------------------------------------

    def _retire_surplus(self) -> None:
        """Let go what scaling down or a failed reload left over, and whoever has a successor that serves."""
        for slot in sorted(self._slots(Need.LESS)):
            for worker, why in self._who_leave(slot):
                self._crew.retire(worker, why)

    def _who_leave(self, slot: int) -> list[tuple[Worker, str]]:
        """Return the workers of a slot that are not wanted any more, and why."""
        state, there = self._state, self._state.roster.of(slot)
        if slot not in state.slots:
            return [(worker, "scaled down") for worker in there if worker.state in RETIRABLE]
        found = [(worker, "its reload failed") for worker in there if self._boots_in_vain(worker)]
        serving = [worker for worker in there if worker.is_ready]
        if len(serving) > 1 and not (state.reload and state.reload.watches(slot)):
            stays = max(serving, key=lambda worker: (self._suits(worker), worker.number))
            found += [(worker, self._reason(worker)) for worker in serving if worker is not stays]
        return found

    def _boots_in_vain(self, worker: Worker) -> bool:
        state = self._state
        is_wanted = worker.generation == state.generation or state.is_new(worker.generation)
        return worker.state is WorkerState.BOOTING and not is_wanted

    def _suits(self, worker: Worker) -> bool:
        """Return whether a worker is of the generation that its slot is to be served by."""
        reload = self._state.reload
        if reload is not None and reload.stage is Stage.ROLLING:
            return worker.generation == reload.generation
        return self._state.is_accepted(worker.generation)

    def _reason(self, worker: Worker) -> str:
        if not self._suits(worker):
            return "reload" if self._state.is_accepted(worker.generation) else "its reload failed"
        return worker.leaves_because or "replaced"

    # -- too little ------------------------------------------------------------------------------------

    def _fill(self) -> None:
        if self._is_newer_code_about_to_come() or not self._programs.let_workers_start:
            return
        for slot in sorted(self._slots(Need.MORE)):
            self._spawn(slot, self._generation_for_empty(slot))

    def _is_newer_code_about_to_come(self) -> bool:
        """Return whether, in development, it is not worth starting what is old by now."""
        reload = self._state.reload
        is_near = reload is not None and reload.stage in {Stage.READING, Stage.MOLDING}
        return is_near and self._state.policy.is_development

    def _generation_for_empty(self, slot: int) -> int:
        reload = self._state.reload
        if reload is None or not reload.may_spawn:
            return self._state.generation
        is_next = reload.stage is Stage.ROLLING or (reload.stage is Stage.CANARY and slot == reload.canary)
        return reload.generation if is_next else self._state.generation

    def _replace(self) -> None:
        """Start successors, as many at a time as the surge allows."""
        state = self._state
        reload = state.reload
        surging = len(self._slots(Need.PATIENCE))
        if surging >= state.policy.max_surge:
            return
        slots = sorted(self._slots(Need.SUCCESSOR))
        if reload is not None and reload.stage is Stage.CANARY:
            slots.sort(key=lambda slot: slot != reload.canary)  # before any other replacement
        for slot in slots:
            surging += self._start_successor(slot, state.roster.holders(slot)[0])
            if surging >= state.policy.max_surge:
                return

    def _successor(self, worker: Worker) -> int | None:
        """Return the generation that a worker is to be replaced by; None if it may stay."""
        state = self._state
        reload = state.reload
        if reload is not None and reload.may_spawn:
            if worker.generation == reload.generation:
                return None  # before its reload is done, it must not be judged by the old rules
            if reload.stage is Stage.ROLLING:
                return reload.generation
            if reload.stage is Stage.CANARY and worker.slot == reload.canary:
                return reload.generation
        if worker.leaves_because or not state.is_accepted(worker.generation):
            return state.generation
        return None

    def _start_successor(self, slot: int, worker: Worker) -> bool:
        state = self._state
        generation = self._successor(worker)
        if generation is None or self._is_spaced(worker) or not self._spawn(slot, generation):
            return False
        if generation == worker.generation:
            self._recycled_at = state.now
            state.orders.info(
                f"Worker [{worker.pid}] is to be replaced ({worker.leaves_because}); "
                f"slot {slot} gets a new one first."
            )
        return True

    def _is_spaced(self, worker: Worker) -> bool:
        """Return whether a worker is still to be kept, lest all that are alike be replaced at once."""
        is_by_limit = self._successor(worker) == worker.generation and not worker.is_wished_away
        return is_by_limit and self._state.now < self._recycled_at + self._state.policy.recycle.spacing

    def _spawn(self, slot: int, generation: int) -> bool:
        state = self._state
        if state.roster.slot(slot).not_before > state.now or not state.molds.can_fork(generation):
            return False
        self._crew.spawn(slot, generation)
        return True

    def _answer_wishes(self) -> None:
        """Tell clients whose workers have all been replaced."""
        for wish in list(self._wishes):
            client, workers = wish
            if not any(map(self._serves, reversed(workers))):  # as a rule, the last one tells
                self._wishes.remove(wish)
                self._state.orders.give(Reply(client, is_ok=True, message=f"Replaced {len(workers)}."))

    def _serves(self, number: int) -> bool:
        worker = self._state.roster.workers.get(number)
        return worker is not None and worker.is_ready


def is_meant(worker: Worker, target: str) -> bool:
    """Return whether a worker is one that ``all``, ``slot:N`` or ``pid:N`` names."""
    return target in {"all", f"slot:{worker.slot}", f"pid:{worker.pid}"}


def nobody(target: str, roster: Roster) -> str:
    """Return the sentence for a target that names no worker that is there, with those that are."""
    there = ", ".join(f"{worker.pid} (slot {worker.slot})" for worker in roster if worker.pid is not None)
    return f"No worker is {target.replace(':', ' ')}; there are {there}." if there else "No worker is there."
