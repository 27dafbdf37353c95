"""Which slots are in which condition, as the parts of `fleet` see it. Pure.

After every event the fleet compares what is there with what is wanted. An event changes one worker, so only
the slot of that one is judged anew; all slots are where something changes that concerns them all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from collections.abc import Set as AbstractSet

    from srvctl.supervisor.roster import Roster

Condition = TypeVar("Condition", bound="Hashable")


class Standing(Generic[Condition]):
    """The slots by their condition.

    Args:
        roster: The workers.
        judge: Returns the condition of a slot, None if there is nothing to say of it. May go by the workers
            of the slot and by what `now` is given, and by nothing else: not by the time.
    """

    def __init__(self, roster: Roster, judge: Callable[[int], Condition | None]) -> None:
        self._roster = roster
        self._judge = judge
        self._changed = roster.follow()
        self._asked: tuple[range, Hashable] | None = None
        self._conditions: dict[int, Condition] = {}
        self._slots: defaultdict[Condition, set[int]] = defaultdict(set)

    def now(self, slots: range, aim: Hashable = None) -> Mapping[Condition, AbstractSet[int]]:
        """Return the slots of each condition that there is.

        Args:
            slots: Those that are wanted; others are judged, too, as long as they have workers.
            aim: All else that the judgement goes by, beside the workers.
        """
        if (slots, aim) != self._asked:
            self._asked = slots, aim
            self._changed.update(slots, self._roster.occupied, self._conditions)
        for slot in self._changed:
            self._enter(slot, self._judge(slot))
        self._changed.clear()
        return self._slots

    def _enter(self, slot: int, condition: Condition | None) -> None:
        before = self._conditions.pop(slot, None)
        if before is not None:
            self._slots[before].discard(slot)
            if not self._slots[before]:
                del self._slots[before]
        if condition is not None:
            self._conditions[slot] = condition
            self._slots[condition].add(slot)
