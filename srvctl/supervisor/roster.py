"""What the master knows: one record per worker and per slot, and questions about them.

Observed state only; `fleet` compares it with what is wanted. Knows nothing of processes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from srvctl.ipc.scoreboard import Reading
from srvctl.supervisor.events import Examined
from srvctl.supervisor.lifecycle import HOLDING, Step, WorkerState, after, may
from srvctl.supervisor.portable import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from srvctl.ipc.channel import Apology


@dataclass(slots=True)
class Health:
    """What looking at a worker has shown.

    Attributes:
        reading: What its board said last; None before the first look, or where it made no sense.
        examined: What the kernel said of it the last time it was under suspicion of being blocked.
        weighed_at: When its memory was last measured.
        too_heavy: Measurements in a row that were beyond the limit.
        probe: Number of the probe it has not answered yet; 0 for none.
        probe_due: When it is to be probed, or has not answered in time.
        probe_failures: Probes in a row that failed.
        is_deaf: Its last probe got no answer at all, so that it may not read what it is sent.
        pss: Its memory when it was last examined, in bytes; 0 where the kernel does not say.
    """

    reading: Reading | None = None
    examined: Examined | None = None
    weighed_at: float = float("-inf")
    too_heavy: int = 0
    probe: int = 0
    probe_due: float = 0.0
    probe_failures: int = 0
    is_deaf: bool = False
    pss: int = 0


@dataclass(slots=True)
class Worker:
    """One process as the master sees it; lives once.

    Attributes:
        number: Unique for the life of the master.
        slot: The place it serves, 0…n-1.
        generation: The code it was started with.
        luck: A random number from 0 to 1, its part of every jitter.
        state: Where it is in its life.
        pid: Its process id once it is forked.
        deadline: When (monotonic seconds) its state has lasted too long.
        forked_at: When it was forked.
        ready_at: When it became ready.
        explained: It said itself why it cannot serve; nothing more needs to be logged about that.
        asked_by: Who wanted it to end, and why; empty as long as nobody does.
        leaves_because: Why it is to be replaced; empty where it may stay.
        is_wished_away: A person wants it replaced, so that need not wait for other replacements' sake.
        health: What looking at it has shown so far.
        apology: What it shows, as a stand-in for an application that cannot be served.
    """

    number: int
    slot: int
    generation: int
    luck: float = 0.0
    state: WorkerState = WorkerState.FORKING
    pid: int | None = None
    deadline: float | None = None
    forked_at: float | None = None
    ready_at: float | None = None
    explained: bool = False
    asked_by: str = ""
    leaves_because: str = ""
    is_wished_away: bool = False
    health: Health = field(default_factory=Health)
    apology: Apology | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it serves."""
        return self.state is WorkerState.READY

    @property
    def holds_slot(self) -> bool:
        """Whether it serves its slot or soon will."""
        return self.state in HOLDING

    def may(self, step: Step) -> bool:
        """Return whether this step is possible now."""
        return may(self.state, step)

    def take(self, step: Step) -> None:
        """Move on.

        Raises:
            KeyError: The lifecycle has no such move.
        """
        self.state = after(self.state, step)


@dataclass(slots=True)
class Slot:
    """A place for one worker, and the memory of how its workers fared.

    Attributes:
        failures: Workers in a row that died too soon.
        not_before: When (monotonic seconds) the next worker may be started.
    """

    failures: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class Roster:
    """All workers that are not gone, and all slots ever used.

    An event changes one worker. Were all asked what there is to be done about it, a reload of n workers would
    cost n² steps, so the roster knows who is meant. That is why a worker's state, its deadline and the reason
    to replace it are changed here and nowhere else.

    Attributes:
        workers: By their number, oldest first.
        slots: By their number.
        limits: When (monotonic seconds) the state of a worker has lasted too long, by its number; nothing of
            those whose state may last.
    """

    workers: dict[int, Worker] = field(default_factory=dict)
    slots: dict[int, Slot] = field(default_factory=dict)
    limits: dict[int, float] = field(default_factory=dict, repr=False, compare=False)
    #: The workers of each slot, oldest first.
    _by_slot: dict[int, list[Worker]] = field(default_factory=dict, repr=False, compare=False)
    _counts: Counter[WorkerState] = field(default_factory=Counter, repr=False, compare=False)
    _followers: list[set[int]] = field(default_factory=list, repr=False, compare=False)

    def __iter__(self) -> Iterator[Worker]:
        """Iterate over a snapshot, oldest worker first."""
        return iter(list(self.workers.values()))

    def add(self, worker: Worker) -> None:
        """Take a new worker in; its slot stays the same for life."""
        self.workers[worker.number] = worker
        self._by_slot.setdefault(worker.slot, []).append(worker)
        self._counts[worker.state] += 1
        self.limit(worker, worker.deadline)
        self._changed(worker)

    def remove(self, worker: Worker) -> None:
        """Forget a worker that is gone."""
        del self.workers[worker.number]
        self.limits.pop(worker.number, None)
        self._counts[worker.state] -= 1
        of_slot = self._by_slot[worker.slot]
        # Not list.remove, which compares the records of the workers, field by field.
        of_slot[:] = [other for other in of_slot if other.number != worker.number]
        if not of_slot:
            del self._by_slot[worker.slot]
        self._changed(worker)

    def move(self, worker: Worker, step: Step, until: float | None = None) -> None:
        """Move a worker on in its life.

        Args:
            worker: The worker.
            step: What moves it.
            until: When (monotonic seconds) its new state will have lasted too long.

        Raises:
            KeyError: The lifecycle has no such move.
        """
        before = worker.state
        worker.take(step)
        self._counts[before] -= 1
        self._counts[worker.state] += 1
        self.limit(worker, until)
        self._changed(worker)

    def limit(self, worker: Worker, until: float | None) -> None:
        """Say when a worker's state has lasted too long."""
        worker.deadline = until
        if until is None:
            self.limits.pop(worker.number, None)
        else:
            self.limits[worker.number] = until

    def overdue(self, now: float) -> list[Worker]:
        """Return the workers whose state has lasted too long, oldest first."""
        return [self.workers[number] for number in sorted(self.limits) if self.limits[number] <= now]

    def mark(self, worker: Worker, why: str) -> None:
        """Have a worker replaced."""
        worker.leaves_because = why
        self._changed(worker)

    def follow(self) -> set[int]:
        """Return a set that slots are added to when their workers change; whoever has read it clears it.

        At first all are in it that have workers.
        """
        slots = set(self._by_slot)
        self._followers.append(slots)
        return slots

    def _changed(self, worker: Worker) -> None:
        for follower in self._followers:
            follower.add(worker.slot)

    def slot(self, index: int) -> Slot:
        """Return the slot's record, making it on first use."""
        if index not in self.slots:
            self.slots[index] = Slot()
        return self.slots[index]

    def count(self, state: WorkerState) -> int:
        """Return how many workers are in a state."""
        return self._counts[state]

    @property
    def occupied(self) -> AbstractSet[int]:
        """The slots that have workers, of whatever state."""
        return self._by_slot.keys()

    def of(self, slot: int) -> list[Worker]:
        """Return all workers of a slot, oldest first."""
        return list(self._by_slot.get(slot, ()))

    def holders(self, slot: int) -> list[Worker]:
        """Return the workers that serve a slot or soon will, oldest first."""
        return [worker for worker in self._by_slot.get(slot, ()) if worker.state in HOLDING]

    def is_served(self, slot: int, generation: int | None = None) -> bool:
        """Return whether a ready worker (of a generation, if given) holds the slot."""
        return any(generation in {None, worker.generation} for worker in self.serving(slot))

    def serving(self, slot: int) -> list[Worker]:
        """Return the ready workers of a slot, oldest first."""
        return [worker for worker in self._by_slot.get(slot, ()) if worker.state is WorkerState.READY]

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {
            "workers": [{**asdict(worker), "state": worker.state.value} for worker in self],
            "slots": [[index, asdict(slot)] for index, slot in self.slots.items()],
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on with another fleet's roster."""
        for worker in map(_worker_of, values["workers"]):
            self.add(worker)
        self.slots.update({index: unpacked(Slot, slot) for index, slot in values["slots"]})


def _worker_of(values: Mapping[str, Any]) -> Worker:
    health = unpacked(Health, values.get("health") or {})
    if health.reading is not None:
        health.reading = unpacked(Reading, values["health"]["reading"])
    if health.examined is not None:
        health.examined = unpacked(Examined, values["health"]["examined"])
    return unpacked(Worker, {**values, "state": WorkerState(values["state"]), "health": health})
