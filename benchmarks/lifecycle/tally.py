"""What a load has seen, as plain values that travel between two processes as JSON. Pure.

All times are seconds of CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

#: A request put out this long after it was due is a fault of the load itself; so many of them spoil a round.
LAG_SECONDS: Final = 0.1
_LAG_SHARE: Final = 0.01


@dataclass(slots=True)
class Seen:
    """One worker as its answers show it.

    Attributes:
        first: When its first answer came.
        last: When its last one came.
        last_sent: When the last request that it answered was sent.
        answers: How many.
        revision: The code of its last answer.
    """

    first: float
    last: float
    last_sent: float
    answers: int
    revision: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """One request that was late, lost, refused or answered wrongly.

    Attributes:
        kind: Which of these, or why it was lost.
        due: When it should have been sent.
        ended: When it was answered or given up.
        worker: Who had answered on the same connection before; 0 on a new one.
    """

    kind: str
    due: float
    ended: float
    worker: int


@dataclass(slots=True)
class Tally:
    """All requests of a load so far.

    Attributes:
        due: Requests that should have been sent by now.
        answered: Rightly, by when ever.
        late: Answered more than a second after they were due.
        wrong: Answered with something else.
        refused: No connection could be opened: whoever asked knows that nothing was done.
        lost: Sent, and never answered.
        retriable: Connections closed without a byte of an answer to a request that was not their first. RFC
            9112 section 9.3.1 lets clients send such a request again, as this one does once: what becomes of
            that is counted above.
        idle_closes: Kept connections closed while nothing was under way.
        laggards: Requests that the load itself put out too late.
        lag: The longest delay of that kind, in seconds.
        slowest: The longest time between due and answered, in seconds.
        first_goodbye: When, since the last mark, a server first refused a connection, closed an idle one or
            announced that it would close one.
        reasons: Of lost and wrong ones.
        workers: Those who answered, by process id.
        troubles: Single requests, the first thousands of them.
    """

    due: int = 0
    answered: int = 0
    late: int = 0
    wrong: int = 0
    refused: int = 0
    lost: int = 0
    retriable: int = 0
    idle_closes: int = 0
    laggards: int = 0
    lag: float = 0.0
    slowest: float = 0.0
    first_goodbye: float | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    workers: dict[int, Seen] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        """Whether the load itself kept its times."""
        return self.laggards <= self.due * _LAG_SHARE

    @property
    def broken(self) -> int:
        """Requests that were lost in any way, where a server should be there all the time."""
        return self.lost + self.refused + self.wrong

    def serving(self, since: float) -> set[int]:
        """Return the workers that have answered a request sent since some time."""
        return {worker for worker, seen in self.workers.items() if seen.last_sent >= since}

    def arrived(self, revision: int) -> list[float]:
        """Return when each worker with this code first answered, in order."""
        return sorted(seen.first for seen in self.workers.values() if seen.revision == revision)

    def last_other(self, revision: int) -> float:
        """Return when the last request was sent that other code answered; 0 if none was."""
        others = (seen.last_sent for seen in self.workers.values() if seen.revision != revision)
        return max(others, default=0.0)

    def as_json(self, *, is_brief: bool = False) -> dict[str, Any]:
        """Return it for JSON; the brief form is without single requests."""
        whole = asdict(self)
        if is_brief:
            whole["troubles"] = []
        return whole

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tally:
        """Return what `as_json` was made of."""
        workers = {int(worker): Seen(**seen) for worker, seen in values["workers"].items()}
        troubles = [Trouble(**trouble) for trouble in values["troubles"]]
        return cls(**(values | {"workers": workers, "troubles": troubles}))
