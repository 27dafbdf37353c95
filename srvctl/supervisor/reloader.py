"""Brings new code and settings in as a transaction: all slots get them, or none keeps them. Pure.

Advanced by events and by time, never a procedure: whatever else happens is obeyed in the middle of it. Part
of `fleet`, which tells it what happened; `succession` reads how far it is and starts the workers.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.channel import Apology
from srvctl.supervisor.actions import (
    Announce,
    Commit,
    Discard,
    Milestone,
    Progress,
    ReadSettings,
    Reply,
)
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.reloading import OUTDATED, WATCHING, Reload, Stage, Waiting
from srvctl.supervisor.state import UP, Phase, State, workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.events import ReloadAsked, SettingsRead
    from srvctl.supervisor.policy import FleetPolicy
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.watch import Watch


_SAVED: Final = "news of a saved file"


class Reloader:
    """At most one reload, and one that waits.

    Args:
        state: The fleet's.
        watch: Probes the first worker.
    """

    def __init__(self, state: State, watch: Watch) -> None:
        self._state = state
        self._watch = watch
        self._waiting: Waiting | None = None
        self._generations_used = state.generation

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON; between two reloads."""
        waiting = asdict(self._waiting) if self._waiting is not None else None
        return {"generations_used": self._generations_used, "waiting": waiting}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's reloader."""
        self._generations_used = values["generations_used"]
        waiting = values.get("waiting")
        self._waiting = unpacked(Waiting, waiting) if waiting is not None else None

    # -- what was asked --------------------------------------------------------------------------------

    def asked(self, asked: ReloadAsked) -> None:
        """Begin a reload, or remember that one is wanted after this."""
        state = self._state
        clients = [asked.client] if asked.client is not None else []
        if state.phase not in UP:
            state.orders.info(f"Received {asked.by}, but already stopping.")
            self._reply(clients, is_ok=False, message="The service is stopping.")
        elif state.reload is not None or state.is_upgrading or self._is_booting_well():
            state.orders.info(f"Received {asked.by}, reloading again after this.")
            self._wait(asked.by, clients, anew=True)
        else:
            self._begin(asked.by, clients, anew=True)

    def code_changed(self, *, anew: bool) -> None:
        """Begin a reload for what was saved just now; one that is not through yet brings older code.

        Args:
            anew: Read the settings, too.
        """
        reload = self._state.reload
        if reload is not None and reload.stage not in OUTDATED:
            self._wait(_SAVED, [], anew=anew)
            return
        clients: list[int] = []
        if reload is not None:
            clients, anew = reload.clients, anew or reload.anew
            self._abandon(reload)
        self._begin(_SAVED, clients, anew=anew)

    def drop(self) -> None:
        """Give up everything, because the service stops."""
        state = self._state
        clients = self._waiting.clients if self._waiting is not None else []
        self._waiting = None
        if state.reload is not None:
            clients = state.reload.clients + clients
            self._abandon(state.reload)
        self._reply(clients, is_ok=False, message="The reload was given up: the service is stopping.")

    def _is_booting_well(self) -> bool:
        """Return whether the first workers are on their way and none has failed, which new code may help."""
        state = self._state
        has_failed = any(slot.failures for slot in state.roster.slots.values()) or any(
            mold.failures for mold in state.molds
        )
        return state.phase is Phase.BOOTING and not has_failed

    def _wait(self, by: str, clients: list[int], *, anew: bool) -> None:
        if self._waiting is None:
            self._waiting = Waiting(by, anew=anew)
        self._waiting.clients += clients
        self._waiting.anew |= anew

    def _abandon(self, reload: Reload) -> None:
        state = self._state
        state.molds.end(reload.generation)
        state.orders.give(Discard(reload.generation))
        state.reload = None

    def _begin(self, by: str, clients: list[int], *, anew: bool) -> None:
        state = self._state
        self._generations_used += 1
        state.reload = Reload(self._generations_used, began=state.now, clients=clients, anew=anew)
        state.reload.until = state.now + state.policy.boot
        state.orders.give(Announce(Milestone.RELOADING))
        if by is not _SAVED:  # `development` has said it
            text = f"Received {by}, reloading: generation {state.reload.generation} is on its way."
            state.orders.info(text)
        state.orders.give(ReadSettings(state.reload.generation, anew))

    # -- what happened ---------------------------------------------------------------------------------

    def settings_read(self, event: SettingsRead) -> None:
        """Go on with the new settings."""
        state, reload = self._state, self._at(Stage.READING, event.generation)
        if reload is None:
            if event.generation != state.generation and (
                state.reload is None or event.generation != state.reload.generation
            ):
                state.orders.give(Discard(event.generation))  # given up before they were read
            return
        reload.policy = event.policy
        for note in event.notes:
            state.orders.warning(note)
            self._tell(note)
        state.molds.want(reload.generation, preload=event.policy.preload)
        self._enter(reload, Stage.MOLDING)

    def settings_refused(self, generation: int, message: str) -> None:
        """Fail for wrong settings."""
        if self._at(Stage.READING, generation) is not None:
            self.fail("the settings cannot be used", message)

    def worker_ready(self, worker: Worker) -> None:
        """Probe the first worker, or watch it."""
        reload = self._state.reload
        if reload is None or not self._state.is_new(worker.generation) or reload.stage is not Stage.CANARY:
            return
        health = self._state.policy_for(worker.generation).health
        reload.canary = worker.slot
        if health.path:
            self._enter(reload, Stage.PROBING)
            self._watch.probe_now(worker, health, self._state.now)
            reload.until = worker.health.probe_due
        else:
            self._bake(reload)

    def worker_probed(self, worker: Worker, wrong: str) -> None:
        """Go on when the first worker is well."""
        reload = self._state.reload
        if reload is None or not self._state.is_new(worker.generation):
            return
        if wrong:
            self.fail(f"the health probe of a new worker failed: {wrong}")
        elif reload.stage is Stage.PROBING:
            self._bake(reload)

    def fail(self, why: str, details: str = "") -> None:
        """Go back, from wherever the reload is."""
        state, reload = self._state, self._state.reload
        if reload is None or reload.stage is Stage.RESTORING:
            return
        replaced = state.served(reload.generation)
        if reload.stage in WATCHING:
            replaced = 0  # beside it, the old worker serves on
        can_go_back = state.molds.has_mold(state.generation)
        text = f"Reload failed: {why.rstrip('.')}. The old workers go on."
        if state.policy.is_development:
            text = f"Reload failed: {why.rstrip('.')}. {self._wait_for_next_change(why, details)}"
        elif replaced and can_go_back:
            text += f" {replaced} of {state.target} go back to the old code."
        elif replaced:
            # This reload took the last workers of some that were tolerated before; they never get another.
            state.tolerated &= {worker.generation for worker in state.roster}
            state.tolerated.add(reload.generation)
            text += f" {replaced} of {state.target} workers already run the new code."
        reload.error, reload.details = text, details
        state.orders.error(text, details)
        state.molds.end(reload.generation)
        state.orders.give(Discard(reload.generation))
        self._begin_anew()
        self._enter(reload, Stage.RESTORING)
        reload.until = state.now + state.policy.boot

    def _wait_for_next_change(self, why: str, details: str) -> str:
        """Show what is wrong, unless old code is there to answer; return what happens meanwhile."""
        if self._state.has_code_that_works():
            return "The old code answers until the next change."
        self._state.apology = Apology(why, details)
        return "Waiting for the next change."

    # -- what follows ----------------------------------------------------------------------------------

    def advance(self) -> None:
        """Take the steps that are due now."""
        reload = self._state.reload
        if reload is None:
            return
        is_over = reload.until is not None and reload.until <= self._state.now
        match reload.stage:
            case Stage.READING if is_over:
                self.fail(f"its settings could not be read within {self._state.policy.boot:g} s")
            case Stage.MOLDING if self._state.molds.can_fork(reload.generation):
                self._begin_anew()
                self._choose_canary(reload)
                self._enter(reload, Stage.CANARY)
            case Stage.CANARY | Stage.PROBING | Stage.BAKING if reload.canary >= self._state.target:
                reload.canary = 0  # the first worker is scaled away; another one is
                self._enter(reload, Stage.CANARY)
            case Stage.PROBING if is_over:
                self.fail("the health probe of its first worker was not answered")
            case Stage.PROBING | Stage.BAKING if not self._state.roster.is_served(
                reload.canary, reload.generation
            ):
                self.fail("its first worker left")
            case Stage.BAKING if is_over:
                self._enter(reload, Stage.ROLLING)

    def conclude(self) -> None:
        """Notice the end, and begin the reload that waits for it."""
        reload = self._state.reload
        if reload is not None and reload.stage is Stage.ROLLING:
            if self._note_replaced(reload) == self._state.target:
                self._commit(reload)
        elif reload is not None and reload.stage is Stage.RESTORING:
            is_over = reload.until is not None and reload.until <= self._state.now
            if is_over or self._is_restored(reload):
                self._end(reload, Milestone.RELOAD_FAILED, reload.error, reload.details)
        is_free = self._state.reload is None and not self._state.is_upgrading
        if self._waiting is not None and is_free and not self._is_booting_well():
            waiting, self._waiting = self._waiting, None
            self._begin(waiting.by, waiting.clients, anew=waiting.anew)

    def _begin_anew(self) -> None:
        """Forget how the slots fared: that was with other code."""
        for slot in self._state.roster.slots.values():
            slot.failures, slot.not_before = 0, 0.0

    def _choose_canary(self, reload: Reload) -> None:
        """Let an empty slot go first: nothing is risked there; last one whose worker still boots."""
        roster = self._state.roster
        reload.canary = min(
            self._state.slots, key=lambda slot: (bool(roster.holders(slot)), not roster.is_served(slot))
        )

    def _bake(self, reload: Reload) -> None:
        policy = self._state.policy_for(reload.generation)
        self._enter(reload, Stage.BAKING)
        reload.until = self._state.now + policy.bake

    def _is_restored(self, reload: Reload) -> bool:
        if reload.generation in self._state.tolerated:
            return True
        if self._state.served(reload.generation):
            return False
        return not any(
            worker.holds_slot and worker.generation == reload.generation for worker in self._state.roster
        )

    def _commit(self, reload: Reload) -> None:
        state = self._state
        text = f"Reload done: generation {reload.generation} runs in {workers(state.target)}."
        for mold in state.molds:
            if mold.generation != reload.generation:
                state.molds.end(mold.generation)
        state.generation = reload.generation
        state.tolerated.clear()
        state.apology = None
        if reload.policy is not None:
            self._obey_count(reload.policy)
            state.policy = reload.policy
        state.orders.give(Commit(reload.generation))
        state.orders.info(text)
        self._end(reload, Milestone.RELOADED, text)

    def _obey_count(self, policy: FleetPolicy) -> None:
        """Have as many workers as new settings say; as many as before where the load says how many."""
        state, before = self._state, self._state.target
        if policy.scale.is_wanted:
            state.target = policy.scale.clamp(before)
        elif policy.count != state.policy.count or state.policy.scale.is_wanted:
            state.target = policy.count
        else:
            return
        if state.target != before or not policy.scale.is_wanted:
            state.orders.info(f"Scaling to {workers(state.target)}, as the settings say.")

    def _end(self, reload: Reload, milestone: Milestone, text: str, details: str = "") -> None:
        self._state.reload = None
        is_ok = milestone is Milestone.RELOADED
        self._state.reload_error = "" if is_ok else text
        self._state.orders.give(Announce(milestone, "" if is_ok else text))
        data = {"generation": self._state.generation, "seconds": round(self._state.now - reload.began, 3)}
        self._reply(reload.clients, is_ok=is_ok, message=text, details=details, data=data)

    def _enter(self, reload: Reload, stage: Stage) -> None:
        reload.enter(stage)
        self._tell(f"Generation {reload.generation}: {stage.value}.")

    def _note_replaced(self, reload: Reload) -> int:
        """Tell how many slots are served by the new generation, and return it."""
        replaced = self._state.served(reload.generation)
        if replaced != reload.replaced:
            reload.replaced = replaced
            text = f"Generation {reload.generation}: {replaced} of {self._state.target} workers."
            self._tell(text, {"done": replaced, "of": self._state.target})
        return replaced

    def _at(self, stage: Stage, generation: int) -> Reload | None:
        reload = self._state.reload
        return reload if reload and reload.stage is stage and reload.generation == generation else None

    def _tell(self, text: str, data: Mapping[str, object] | None = None) -> None:
        if self._state.reload is not None:
            for client in self._state.reload.clients:
                self._state.orders.give(Progress(client, text, data))

    def _reply(
        self,
        clients: list[int],
        *,
        is_ok: bool,
        message: str,
        details: str = "",
        data: Mapping[str, object] | None = None,
    ) -> None:
        for client in clients:
            self._state.orders.give(Reply(client, is_ok, message, details, data))
