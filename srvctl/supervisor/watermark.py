"""What becomes of a service whose memory runs short: nobody is added, the largest worker is replaced. Pure.

Part of `fleet`, which tells it what was seen. A worker is chosen among those that have grown since they
began: another one would be as large. It is replaced as for any other reason, by a successor that serves
before it leaves (`succession`), so there has to be room for one fresh worker above the watermark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.verdicts import size_text
from srvctl.supervisor.actions import Examine
from srvctl.supervisor.autoscale import percent
from srvctl.supervisor.state import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.events import Memory
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State

#: What `Worker.leaves_because` begins with.
REASON: Final = "memory_watermark"
#: Looks in a row that make it more than a passing need.
_TOO_FULL: Final = 2
#: How far the memory has to be below the watermark before there is room again.
_CLEAR: Final = 0.02
#: Workers whose memory is measured to find the largest: each costs the kernel a walk through its pages.
_WEIGHED: Final = 3
#: Seconds for which such a measurement is good.
_FRESH: Final = 5.0
#: Seconds after which it is told that no worker has grown: what boards say of memory is seconds old.
_TELL_AFTER: Final = 15.0
#: What a worker must have grown by since it began: this part of what it had then, and so many bytes.
_GROWN: Final = 0.1
_GROWN_BYTES: Final = 8 * 2**20


class Watermark:
    """The judgement.

    Args:
        state: The fleet's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._above = 0  #: looks in a row that found too much
        self._since = float("-inf")  #: when there were enough of these
        self._has_told = False  #: that nobody has grown
        self._chosen: int | None = None  #: the last worker that was to be replaced
        self._chosen_at = float("-inf")

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {
            "above": self._above,
            "since": self._since,
            "has_told": self._has_told,
            "chosen": self._chosen,
            "chosen_at": self._chosen_at,
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's."""
        self._above, self._since = values["above"], values["since"]
        self._has_told = values["has_told"]
        self._chosen, self._chosen_at = values["chosen"], values["chosen_at"]

    @property
    def is_reached(self) -> bool:
        """Whether there is no memory for more workers."""
        return self._above >= _TOO_FULL

    def looked(self, memory: Memory | None) -> None:
        """Take in how much is used, if somebody looked."""
        watermark = self._state.policy.watermark
        if not watermark:
            self._above = 0
        elif memory is not None:
            self._judge(memory, watermark)

    def _judge(self, memory: Memory, watermark: float) -> None:
        orders, was_reached = self._state.orders, self.is_reached
        is_clear = memory.share < watermark - (_CLEAR if was_reached else 0.0)
        self._above = 0 if is_clear else min(self._above + 1, _TOO_FULL)
        used = f"{percent(memory.share)} of {size_text(memory.limit)} memory are used"
        if self.is_reached and not was_reached:
            self._since = self._state.now
            most = f"{percent(watermark)} at most, workers.memory_watermark"
            orders.warning(f"{used} ({most}): no worker is added.")
        elif was_reached and not self.is_reached:
            orders.info(f"{used}: there is room for workers again.")
            self._has_told = False
        if self.is_reached and self._is_time():
            self._replace_largest(used)

    def _is_time(self) -> bool:
        """Return whether the last replacement has had its effect, and nothing else is on its way."""
        state = self._state
        if state.phase is not Phase.RUNNING or state.reload is not None:
            return False
        if self._chosen in state.roster.workers:
            return False
        if any(worker.leaves_because or not worker.is_ready for worker in state.roster):
            return False
        return state.now >= self._chosen_at + state.policy.recycle.spacing

    def _replace_largest(self, used: str) -> None:
        state = self._state
        grown = [worker for worker in state.roster if has_grown(worker)]
        if not grown:
            if not self._has_told and state.now >= self._since + _TELL_AFTER:
                self._has_told = True
                state.orders.warning(f"{used}, but no worker has grown: to replace one would free nothing.")
            return
        heaviest = sorted(grown, key=_resident, reverse=True)[:_WEIGHED]
        unknown = [worker for worker in heaviest if state.now >= worker.health.weighed_at + _FRESH]
        if unknown:  # the next look knows
            state.orders.give(*(Examine(worker.number) for worker in unknown))
            return
        largest = max(heaviest, key=lambda worker: worker.health.pss or _resident(worker))
        size = largest.health.pss or _resident(largest)
        state.roster.mark(largest, f"{REASON}: {used}, {size_text(size)} by this worker")
        self._chosen, self._chosen_at = largest.number, state.now


def has_grown(worker: Worker) -> bool:
    """Return whether a new worker would have less memory than this one."""
    reading = worker.health.reading
    if reading is None or not reading.rss_trend:
        return False
    first = reading.rss_trend[0]
    return reading.rss >= first + max(first * _GROWN, _GROWN_BYTES)


def _resident(worker: Worker) -> int:
    return worker.health.reading.rss if worker.health.reading is not None else 0
