"""What an instance has counted since it began: its workers die, are replaced and upgraded, and this goes on.

Pure. A worker counts on its board; when it is gone, what stood there is added to its slot. So the sum of a
slot never goes down, which is what whoever computes rates of it relies on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.scoreboard import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from srvctl.ipc.deaths import Death
    from srvctl.ipc.scoreboard import Reading

#: How `Death.asked_by` begins, and the cause it is counted under.
_CAUSES: Final[Mapping[str, str]] = {
    "reload": "reload",
    "its reload failed": "reload",
    "max_requests": "max_requests",
    "max_lifetime": "max_lifetime",
    "max_memory": "max_memory",
    "memory_watermark": "memory_watermark",
    "hang": "hang",
    "health probe": "health",
    "scaled down": "scale",
    "boot": "boot",
    "srvctl ": "operator",
    "itself, or a signal": "signal",
}
#: Every cause there is, so that each is there to be watched before it has happened for the first time.
CAUSES: Final = ("crash", "oom", *dict.fromkeys(_CAUSES.values()), "other")
RESULTS: Final = ("succeeded", "failed")


def cause_of(death: Death) -> str:
    """Return which of `CAUSES` a death is counted under; empty if it belonged to the end of the service."""
    if death.oom:
        return "oom"
    if death.asked_by.startswith("stop") or death.asked_by.endswith(", at once"):
        return ""
    for beginning, cause in _CAUSES.items():
        if death.asked_by.startswith(beginning):
            return cause
    if death.asked_by:
        return "other"
    return "boot" if death.state == "booting" else "crash"


@dataclass(slots=True)
class Totals:
    """What the workers of one slot that are gone have counted.

    Attributes:
        requests: Finished, WebSockets among them.
        errors: As `Reading.errors`.
        cut: Requests that were begun and never finished.
        cpu_seconds: Processor time.
        answered: As `Reading.answered`.
        seconds: As `Reading.seconds`.
        restarts: Workers that are gone.
    """

    requests: int = 0
    errors: int = 0
    cut: int = 0
    cpu_seconds: float = 0.0
    answered: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    restarts: int = 0

    def add(self, reading: Reading, *, is_gone: bool) -> None:
        """Add what a worker has counted; what one that is gone had not finished is cut."""
        self.requests += reading.finished
        self.errors += reading.errors
        self.cut += reading.cut + (reading.in_flight if is_gone else 0)
        self.cpu_seconds += reading.cpu_seconds
        for name, counts in reading.answered.items():
            before = self.answered.get(name, [0] * BUCKETS)
            self.answered[name] = [one + other for one, other in zip(before, counts, strict=True)]
        for name, seconds in reading.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    def copy(self) -> Totals:
        """Return the same, to be added to."""
        # The lists may be shared: `add` makes new ones.
        return replace(self, answered=dict(self.answered), seconds=dict(self.seconds))

    def export(self) -> dict[str, Any]:
        """Return all of it, as JSON."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "cut": self.cut,
            "cpu_seconds": round(self.cpu_seconds, 6),
            "answered": {name: list(counts) for name, counts in self.answered.items()},
            "seconds": dict(self.seconds),
            "restarts": self.restarts,
        }


class Tally:
    """The counts.

    Attributes:
        restarts: Workers that are gone, by cause; those that went with the service are not among them.
        reloads: How many succeeded and failed.
    """

    def __init__(self) -> None:
        self.restarts = dict.fromkeys(CAUSES, 0)
        self.reloads = dict.fromkeys(RESULTS, 0)
        self._slots: dict[int, Totals] = {}

    def died(self, death: Death, reading: Reading | None) -> None:
        """Count a death, and what the worker leaves behind."""
        totals = self._slots.setdefault(death.slot, Totals())
        if reading is not None:
            totals.add(reading, is_gone=True)
        cause = cause_of(death)
        if cause:
            totals.restarts += 1
            self.restarts[cause] += 1

    def reloaded(self, *, is_ok: bool) -> None:
        """Count a reload."""
        self.reloads["succeeded" if is_ok else "failed"] += 1

    def totals(self, alive: Iterable[tuple[int, Reading]]) -> dict[str, dict[str, Any]]:
        """Return what each slot has counted, by its number as a text.

        Args:
            alive: Slots, and what the boards of their workers say.
        """
        slots = {slot: totals.copy() for slot, totals in self._slots.items()}
        for slot, reading in alive:
            slots.setdefault(slot, Totals()).add(reading, is_gone=False)
        return {str(slot): slots[slot].export() for slot in sorted(slots)}

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        slots = [[slot, totals.export()] for slot, totals in self._slots.items()]
        return {"restarts": self.restarts, "reloads": self.reloads, "slots": slots}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on where another program has left it."""
        self.restarts |= values["restarts"]
        self.reloads |= values["reloads"]
        self._slots = {slot: Totals(**totals) for slot, totals in values["slots"]}
