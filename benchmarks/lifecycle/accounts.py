"""The books of a load: what became of each request, decided in one place. Pure; the time is an argument.

Called by ``generator.py``, which has the sockets. A request ends exactly once: answered, wrong, refused or
lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from benchmarks.lifecycle.tally import LAG_SECONDS, Seen, Tally, Trouble

if TYPE_CHECKING:
    from benchmarks.lifecycle.answers import Answer

_MOST_TROUBLES: Final = 5000


class Ending(StrEnum):
    """How a connection ended, or the patience of its client."""

    REFUSED = "refused"
    RESET = "reset"
    CLOSED = "closed"
    TIMEOUT = "timeout"
    UNANSWERED = "unanswered"  #: when the load ended


@dataclass(slots=True)
class Request:
    """One request on its way.

    Attributes:
        number: Its id.
        due: When it should be sent; its latency counts from here, so that waiting for a client is no excuse.
        sent: When it was sent last, or None.
        is_retry: It was sent before, on a connection that was closed without an answer.
        worker: Who had answered before on the connection it was first sent on; 0 for a new one.
    """

    number: int
    due: float
    sent: float | None = None
    is_retry: bool = False
    worker: int = 0


class Accounts:
    """Keeps a `Tally`."""

    def __init__(self, late_after: float) -> None:
        """Call late what is answered so many seconds after it was due."""
        self.tally = Tally()
        self._late_after = late_after

    def __repr__(self) -> str:
        return f"<Accounts due={self.tally.due} answered={self.tally.answered} lost={self.tally.lost}>"

    def begin(self, due: float, now: float) -> Request:
        """Return the next request, which is put out now."""
        tally = self.tally
        tally.due += 1
        lag = now - due
        tally.lag = max(tally.lag, lag)
        tally.laggards += lag > LAG_SECONDS
        return Request(tally.due, due)

    def answer(self, request: Request, answer: Answer, now: float) -> bool:
        """Note an answer, and return whether it is the right one."""
        if answer.number != request.number:
            self.wrong(request, "another request's answer", now)
            return False
        tally = self.tally
        tally.answered += 1
        taken = now - request.due
        tally.slowest = max(tally.slowest, taken)
        if taken > self._late_after:
            tally.late += 1
            self._note("late", request, now)
        self._note_worker(answer, request.due if request.sent is None else request.sent, now)
        return True

    def wrong(self, request: Request, reason: str, now: float) -> None:
        """Note an answer that is none to this request."""
        self.tally.wrong += 1
        self._count(reason)
        self._note("wrong", request, now)

    def unasked(self) -> None:
        """Note that a server spoke on a connection where nothing was under way."""
        self.tally.wrong += 1
        self._count("unasked")

    def end(self, request: Request, ending: Ending, *, is_reused: bool, has_begun: bool, now: float) -> bool:
        """Note the end of a connection under a request, and return whether it is to be sent again.

        RFC 9112 section 9.3.1: a request on a connection that was used before may have crossed with its end.
        With no byte of an answer, and since it may be repeated, it is sent once more; on a new connection
        there is nothing it could have crossed with.
        """
        tally = self.tally
        if ending is Ending.REFUSED:
            tally.refused += 1
            self.goodbye(now)
            self._note(ending, request, now)
            return False
        crossed = is_reused and not has_begun and ending in {Ending.RESET, Ending.CLOSED}
        if crossed and not request.is_retry:
            tally.retriable += 1
            request.is_retry = True
            return True
        reason = "truncated" if has_begun and ending in {Ending.RESET, Ending.CLOSED} else str(ending)
        tally.lost += 1
        self._count(reason)
        self._note(reason, request, now)
        return False

    def idle_close(self, now: float) -> None:
        """Note that a kept connection was closed with nothing under way."""
        self.tally.idle_closes += 1
        self.goodbye(now)

    def goodbye(self, now: float) -> None:
        """Note that a server has begun to send its clients away."""
        if self.tally.first_goodbye is None:
            self.tally.first_goodbye = now

    def mark(self) -> None:
        """Look for the first goodbye anew."""
        self.tally.first_goodbye = None

    def _count(self, reason: str) -> None:
        reasons = self.tally.reasons
        reasons[reason] = reasons.get(reason, 0) + 1

    def _note(self, kind: str, request: Request, now: float) -> None:
        if len(self.tally.troubles) < _MOST_TROUBLES:
            self.tally.troubles.append(Trouble(str(kind), request.due, now, request.worker))

    def _note_worker(self, answer: Answer, sent: float, now: float) -> None:
        seen = self.tally.workers.get(answer.worker)
        if seen is None:
            self.tally.workers[answer.worker] = Seen(now, now, sent, 1, answer.revision)
            return
        seen.last = now
        seen.last_sent = max(seen.last_sent, sent)
        seen.answers += 1
        seen.revision = answer.revision
