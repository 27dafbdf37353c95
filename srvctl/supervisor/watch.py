"""Judges workers by what their boards and the kernel say: blocked, unwell, too old, too heavy. Pure.

Two signals are kept apart. The *beat* comes from the worker's own event loop; when it stays away although the
worker had a CPU to itself for long enough, the loop is blocked, and the worker is taken out. The *probe* is a
request to the application; a worker that fails it serves on until its replacement is ready.

Part of `fleet`, which tells it what was seen, and does what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.actions import Examine, Look, Probe
from srvctl.supervisor.lifecycle import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.ipc.scoreboard import Reading
    from srvctl.supervisor.events import Examined, Probed
    from srvctl.supervisor.orders import Orders
    from srvctl.supervisor.policy import FleetPolicy, HealthPolicy, RecyclePolicy
    from srvctl.supervisor.roster import Roster, Worker

#: Seconds by which the master itself may be late before it takes the machine, and not its workers, for slow.
_LATE: Final = 1.0
#: Seconds between two looks at a worker that is under suspicion.
_SOON: Final = 0.25
#: Seconds between two measurements of a worker's memory, which cost the kernel a walk through its pages.
_WEIGH_EVERY: Final = 5.0
#: Measurements in a row beyond workers.max_memory that make it more than a passing need.
_TOO_HEAVY: Final = 3
#: Seconds a worker has beyond the time of its application to say that a probe failed.
_PROBE_GRACE: Final = 1.0
#: Seconds between two looks at workers that have nothing to do, at least; a burst is still met within one.
_IDLE: Final = 0.5
#: Seconds between two looks at the memory that is used, at least.
_MEMORY_EVERY: Final = 1.0
#: Responses from this status on mean that the application is not well.
_UNWELL: Final = 400


class Watch:
    """What is looked at, and when.

    Args:
        roster: The workers.
        orders: What is to be done.
        at_least_every: Seconds between two looks, at most; None where the policy alone says that.
    """

    def __init__(self, roster: Roster, orders: Orders, at_least_every: float | None = None) -> None:
        self.next_look: float | None = None
        self._roster = roster
        self._orders = orders
        self._at_least_every = at_least_every
        self._trusted_since = float("-inf")  #: beats that stayed away before then say nothing
        self._probes = 0
        self._memory_due = float("-inf")

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {
            "next_look": self.next_look,
            "trusted_since": self._trusted_since,
            "probes": self._probes,
            "memory_due": self._memory_due,
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's watch."""
        self.next_look = values["next_look"]
        self._trusted_since, self._probes = values["trusted_since"], values["probes"]
        self._memory_due = values.get("memory_due", float("-inf"))  # an earlier srvctl has none

    def plan(self, now: float, policy: FleetPolicy, *, is_idle: bool = False) -> None:
        """Look when it is time, and say when the next time is.

        Args:
            now: The time.
            policy: What is to be noticed.
            is_idle: The last look found that nobody has anything to do.
        """
        wanted = policy.look_every
        if wanted is not None and is_idle:
            wanted = max(wanted, _IDLE)
        every = min(filter(None, (wanted, self._at_least_every)), default=None)
        if every is None or not self._roster.count(WorkerState.READY):
            self.next_look = None
        elif self.next_look is None:
            self.next_look = now + every
        elif self.next_look <= now:
            if now - self.next_look > _LATE:  # the machine slept or was starved: nobody could beat
                self._trusted_since = now
            self.next_look = now + every
            with_memory = policy.watermark > 0 and now >= self._memory_due
            if with_memory:
                self._memory_due = now + _MEMORY_EVERY
            self._orders.give(Look(with_memory))

    def looked(
        self, readings: Mapping[int, Reading | None], now: float, policy_for: Callable[[int], FleetPolicy]
    ) -> None:
        """Take in what the boards say; ask the kernel about whoever looks blocked or heavy.

        Args:
            readings: By worker.
            now: The time.
            policy_for: Says by what the workers of a generation are judged.
        """
        for worker in self._roster:
            if worker.number not in readings or not worker.is_ready:
                continue
            reading = worker.health.reading = readings[worker.number]
            if reading is None:  # it cannot be judged any more, but may serve well
                self._have_replaced(worker, "nonsense on its board")
                continue
            policy = policy_for(worker.generation)
            silent = self._silence(worker, now)
            limit = policy.health.hang_timeout
            is_suspect = limit > 0 and silent >= limit
            if not is_suspect:
                worker.health.examined = None
            if is_suspect or self._is_to_weigh(worker, reading, policy.recycle, now):
                self._orders.give(Examine(worker.number))
            if limit and self.next_look is not None:
                due = max(now + limit - silent, now + _SOON)
                self.next_look = min(self.next_look, due)
            self._have_replaced(worker, _reached(worker, policy.recycle, now))
            self._probe(worker, policy.health, now)

    def examined(self, worker: Worker, seen: Examined, now: float, policy: FleetPolicy) -> float:
        """Take in what the kernel says about a worker.

        Returns:
            For how many seconds its loop has been blocked, where that is too long; else 0.
        """
        if not worker.is_ready:
            return 0.0
        worker.health.pss = seen.pss or 0
        if now >= worker.health.weighed_at + _WEIGH_EVERY:  # one under suspicion is examined more often
            self._weigh(worker, seen.pss, policy.recycle, now)
        limit = policy.health.hang_timeout
        reading = worker.health.reading
        waited = reading.waited if reading is not None else 0.0
        blocked = self._silence(worker, now) - max((seen.waited or 0.0) - waited, 0.0)
        if not limit or blocked < limit or seen.is_traced:
            return 0.0
        before, worker.health.examined = worker.health.examined, seen
        return 0.0 if before is None or _is_starved(before, seen) else blocked

    def probe_now(self, worker: Worker, health: HealthPolicy, now: float) -> None:
        """Probe a worker."""
        self._probes += 1
        worker.health.probe = self._probes
        worker.health.probe_due = now + health.timeout + _PROBE_GRACE
        self._orders.give(Probe(worker.number, self._probes, health.path, health.timeout))

    def probed(self, worker: Worker, answer: Probed, now: float, policy: FleetPolicy) -> str | None:
        """Take in the answer to a probe.

        Returns:
            What is wrong, "" if nothing is, None if the answer came too late to count.
        """
        if answer.probe != worker.health.probe:
            return None
        worker.health.is_deaf = False
        wrong = answer.details or f"status {answer.status}"
        if 0 < answer.status < _UNWELL:
            wrong = ""
        self._count_probe(worker, wrong, now, policy.health)
        return wrong

    # -- details ---------------------------------------------------------------------------------------

    def _silence(self, worker: Worker, now: float) -> float:
        """Return for how many seconds a worker has not beaten although it might have."""
        reading = worker.health.reading
        beat = reading.beat if reading is not None and reading.beat is not None else float("-inf")
        return now - max(beat, worker.ready_at or now, self._trusted_since)

    def _is_to_weigh(self, worker: Worker, reading: Reading, recycle: RecyclePolicy, now: float) -> bool:
        """Return whether it is time to ask for the exact memory; what is shared counts less in it."""
        if not recycle.memory or reading.rss <= recycle.memory:
            worker.health.too_heavy = 0
            return False
        return now >= worker.health.weighed_at + _WEIGH_EVERY

    def _weigh(self, worker: Worker, pss: int | None, recycle: RecyclePolicy, now: float) -> None:
        reading = worker.health.reading
        worker.health.weighed_at = now
        if pss is None:
            pss = reading.rss if reading is not None else 0
        if not recycle.memory or pss <= recycle.memory:
            worker.health.too_heavy = 0
            return
        worker.health.too_heavy += 1
        if worker.health.too_heavy >= _TOO_HEAVY:
            self._have_replaced(worker, f"max_memory: {pss / 2**20:.0f} MiB")

    def _probe(self, worker: Worker, health: HealthPolicy, now: float) -> None:
        state = worker.health
        if not health.path:
            state.probe, state.probe_due, state.probe_failures = 0, 0.0, 0
        elif not state.probe_due:
            state.probe_due = now + health.interval * worker.luck  # not all at the same time
        elif state.probe_due > now:
            pass
        elif state.probe and self._trusted_since + _PROBE_GRACE > now:
            pass  # the master slept: the answer may be there and not have been read yet
        elif state.probe:
            state.is_deaf = True
            self._count_probe(worker, "no answer", now, health)
        else:
            self.probe_now(worker, health, now)

    def _count_probe(self, worker: Worker, wrong: str, now: float, health: HealthPolicy) -> None:
        state = worker.health
        state.probe, state.probe_due = 0, now + health.interval
        state.probe_failures = state.probe_failures + 1 if wrong else 0
        if wrong:
            self._orders.warning(
                f"Worker [{worker.pid}] failed its health probe of {health.path}: {wrong} "
                f"({state.probe_failures} of {health.threshold})."
            )
        if state.probe_failures >= health.threshold:
            self._have_replaced(worker, f"health probe: {wrong}")

    def _have_replaced(self, worker: Worker, why: str) -> None:
        """Note what is wrong with a worker, if anything; the first reason is kept."""
        if why and not worker.leaves_because:
            self._roster.mark(worker, why)


def _is_starved(before: Examined, seen: Examined) -> bool:
    """Return whether a worker waited for a CPU all the time between two examinations.

    Its `waited` does not show that before the wait is over.
    """
    had_none = seen.on_cpu is not None and before.on_cpu == seen.on_cpu
    return had_none and before.is_runnable and seen.is_runnable


def _reached(worker: Worker, recycle: RecyclePolicy, now: float) -> str:
    """Return which limit a worker has reached; empty for none."""
    reading = worker.health.reading
    if recycle.requests and reading is not None:
        most = recycle.requests + int(recycle.requests_jitter * worker.luck)
        if reading.finished >= most:
            return f"max_requests: {reading.finished} served"
    if recycle.lifetime and worker.ready_at is not None:
        age = now - worker.ready_at
        if age >= recycle.lifetime + recycle.lifetime_jitter * worker.luck:
            return f"max_lifetime: {age:.0f} s"
    return ""
