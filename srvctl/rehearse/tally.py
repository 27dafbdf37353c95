"""What a load has seen during one act, as plain values that travel between two processes as JSON. Pure.

All times are seconds of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.rehearse.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Single requests that are remembered; the counts go on.
_MOST_LOSSES: Final = 10_000
_FAILED: Final = 500


class Loss(StrEnum):
    """Why a request was not answered; the value is how it is told."""

    REFUSED = "connection refused"
    RESET = "connection reset"
    CLOSED = "closed before the whole answer came"
    #: RFC 9112 section 9.3.1 lets a client send such a request once more. Many do not, so it counts.
    IDLE = "kept connection closed without notice"
    TIMEOUT = "no answer in time"
    WRONG = "what came is no HTTP response"


@dataclass(frozen=True, slots=True)
class Lost:
    """One request that was lost.

    Attributes:
        why: The reason.
        port: Local port of the client's connection; 0 if there was none.
        path: What was asked for.
        due: When it was due.
        ended: When it was known to be lost.
    """

    why: Loss
    port: int
    path: str
    due: float
    ended: float


@dataclass(slots=True)
class Tally:
    """All requests that were due during one act.

    Attributes:
        due: How many, those that were turned away apart.
        turned_away: Connections refused by an instance that had been told to stop.
        lost: Never answered in full.
        late: Answered later than they should have been.
        failures: Answers with a status of 500 or more, by path.
        statuses: Answers by status.
        held_back: Requests that had to wait because every connection of the load was in use.
        reasons: Of the lost ones.
        losses: The lost ones, up to a number.
        latency: From when a request was due to its whole answer.
        lag: From when a request was due to when the load attended to it: its own delay, not the server's.
    """

    due: int = 0
    turned_away: int = 0
    lost: int = 0
    late: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    held_back: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    losses: list[Lost] = field(default_factory=list)
    latency: Histogram = field(default_factory=Histogram)
    lag: Histogram = field(default_factory=Histogram)

    def answer(self, path: str, status: int, seconds: float, late_after: float) -> None:
        """Take in an answer, so many seconds after the request was due."""
        self.latency.add(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.late += seconds > late_after
        if status >= _FAILED:
            self.failures[path] = self.failures.get(path, 0) + 1

    def lose(self, lost: Lost) -> None:
        """Take in that a request will never be answered."""
        self.lost += 1
        self.reasons[lost.why] = self.reasons.get(lost.why, 0) + 1
        if len(self.losses) < _MOST_LOSSES:
            self.losses.append(lost)

    def turn_away(self) -> None:
        """Take in that a request met nobody who had to answer it."""
        self.due -= 1
        self.turned_away += 1

    def lost_at(self, ports: Collection[int]) -> int:
        """Return how many were lost on connections from these local ports."""
        return sum(lost.port in ports for lost in self.losses)

    @property
    def answered(self) -> int:
        """Requests with an answer, whatever it was."""
        return self.latency.count

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        losses = [asdict(lost) for lost in self.losses]
        shown = {name: getattr(self, name) for name in ("due", "turned_away", "lost", "late", "held_back")}
        return {
            **shown,
            "failures": self.failures,
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "reasons": self.reasons,
            "losses": losses,
            "latency": self.latency.as_json(),
            "lag": self.lag.as_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return what `as_json` was made of."""
        made = {
            "statuses": {int(status): count for status, count in values["statuses"].items()},
            "losses": [Lost(**{**lost, "why": Loss(lost["why"])}) for lost in values["losses"]],
            "latency": Histogram.from_json(values["latency"]),
            "lag": Histogram.from_json(values["lag"]),
        }
        return cls(**{**values, **made})
