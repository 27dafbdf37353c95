"""Decides whether a worker accepts the connection that waits, or leaves it to one that has fewer.

Pure: the table and the time are passed in. Knows no sockets. Called by `srvctl.worker.balance`.

A worker's share is the mean of what all have and of what waits, rounded up: whoever is below it accepts at
once, and somebody always is. Who is not steps back for a while, and then has been patient enough: siblings
that have not moved meanwhile are absent, and nothing is left to them until they move. So one that is stopped,
blocked or dead costs its siblings one such wait.

Connections that end as fast as they come even out by themselves: the more of them there are, the less it
matters who is a little ahead, and the more it costs to step back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srvctl.ipc.shares import Shares

GRACE: Final = 0.008  #: seconds in which a worker that is not absent moves
PATIENCE: Final = 0.016  #: seconds after which whatever waits is accepted, whoever should have
#: Seconds that one look counts for, and the part of what is beyond them: where we are kept from looking, by
#: others on the same processors or by our own application, siblings may be kept from moving as well.
_LOOK: Final = 0.002
_BEYOND: Final = 4
MOST: Final = 32  #: connections accepted before others have their turn
_FEW: Final = 4  #: connections that come and go for each that is there, of which no notice is taken
_LEEWAY: Final = 32  #: one connection in so many may be beyond the share


@dataclass(slots=True)
class Wait:
    """That of one worker in front of one listener, from the first connection it left to others.

    Attributes:
        seen: When it was last looked, in seconds.
        awaited: Who took part when it began, by row, with its turn.
        spent: Seconds of patience.
    """

    seen: float
    awaited: dict[int, int]
    spent: float = 0.0


class Courtesy:
    """That of one worker.

    Args:
        shares: The table.
        row: The worker's own.

    Attributes:
        missed: Rows of those who did not come, with the turn they stood at.
        ended: How many connections ended in the last second that had not lasted long.
    """

    def __init__(self, shares: Shares, row: int) -> None:
        self.missed: dict[int, int] = {}
        self.ended = 0
        self._shares = shares
        self._row = row
        self._seen = b""  #: the groups, when peers were last looked for
        self._peers: list[int] = []

    @property
    def is_alone(self) -> bool:
        """Whether nobody else accepts from the same listeners."""
        return len(self._find_peers()) <= 1

    def room(self, queued: int | None) -> int:
        """Return how many connections may be accepted at once, of those that wait in front of a listener.

        Args:
            queued: How many these are; None if the kernel does not tell.
        """
        own = self._shares.open(self._row) or 1
        leeway = (self.ended // (_FEW * own)).bit_length()
        if queued is not None and queued <= 2 + leeway - own:
            return queued  # whatever others have: the share of everybody is one at least
        present = self._present()
        number = len(present) or 1
        has = sum(present.values())
        # Where it does not tell: as if each had one more to come, and more where they have many.
        waiting = number * (1 + has // number // (_LEEWAY // 2)) if queued is None else queued
        share = -(-(has + waiting) // number)
        room = share + share // _LEEWAY + leeway - own
        return max(min(room, MOST if queued is not None else 1), 0)

    def wait(self, wait: Wait | None, now: float) -> tuple[bool, Wait]:
        """Return whether to accept a connection in spite of having no room, and the wait for the next look.

        Args:
            wait: In front of the same listener, as returned last; None if nothing has been waiting since.
            now: Seconds of a clock that only rises.
        """
        if wait is None:
            turns = self._shares.turns
            return False, Wait(now, {row: turns(row) for row in self._present() if row != self._row})
        elapsed, wait.seen = now - wait.seen, now
        wait.spent += max(min(elapsed, _LOOK), elapsed / _BEYOND)
        if wait.spent >= GRACE:
            self._miss(wait)
        return wait.spent >= PATIENCE, wait

    def _find_peers(self) -> list[int]:
        groups = self._shares.groups()
        if (seen := groups.tobytes()) != self._seen:
            own = groups[self._row] if self._row < len(groups) else 0
            self._peers = [row for row, group in enumerate(groups) if group == own and own]
            self._seen = seen
        return self._peers

    def _present(self) -> dict[int, int]:
        """Return the rows of those to whom connections can be left, with one more than each has."""
        missed = self.missed
        if missed:
            turns = self._shares.turns
            for row in [row for row, turn in missed.items() if turns(row) != turn]:
                del missed[row]
        count_of = self._shares.open
        return {row: count for row in self._find_peers() if row not in missed and (count := count_of(row))}

    def _miss(self, wait: Wait) -> None:
        """Take those who did not move for absent."""
        turns = self._shares.turns
        self.missed.update({row: turn for row, turn in wait.awaited.items() if turns(row) == turn})
        wait.awaited.clear()
