"""The molds: for each generation in use, whether workers can be forked, and from what.

A mold is a process that has imported the application and forks workers on command. Its memory is what makes
a generation last: as long as it lives, its code can be had again, whatever the disk says. Pure; part of
`fleet`, which tells it what happened.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from srvctl.supervisor.actions import EndMold, MakeMold
from srvctl.supervisor.portable import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from srvctl.supervisor.backoff import Backoff
    from srvctl.supervisor.orders import Orders


class MoldState(Enum):
    """Where the mold of a generation is in its life."""

    NONE = "none"  #: not wanted, or unsuitable: the master forks, and each worker imports the application
    WANTED = "wanted"  #: no process; one is made as soon as its wait is over
    IMPORTING = "importing"
    READY = "ready"


@dataclass(slots=True)
class Mold:
    """The mold of one generation.

    Attributes:
        generation: The generation.
        state: Where it is in its life.
        pid: Its process.
        deadline: When (monotonic seconds) it has been importing for too long.
        ready_at: When it had imported the application.
        failures: How often in a row it could not be made, or did not last.
        not_before: When it may be made anew.
    """

    generation: int
    state: MoldState
    pid: int | None = None
    deadline: float | None = None
    ready_at: float | None = None
    failures: int = 0
    not_before: float = 0.0


class Molds:
    """Every mold that is wanted, and every process of one that is not reaped yet."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._molds: dict[int, Mold] = {}
        self._ending: set[int] = set()  #: generations whose process was killed and is not reaped yet

    def __iter__(self) -> Iterator[Mold]:
        return iter(list(self._molds.values()))

    @property
    def are_gone(self) -> bool:
        """Whether no process is left."""
        return not self._ending and all(
            mold.state in {MoldState.NONE, MoldState.WANTED} for mold in self._molds.values()
        )

    def want(self, generation: int, *, preload: bool) -> None:
        """Have a mold for a generation, or note that it does without."""
        self._molds[generation] = Mold(generation, MoldState.WANTED if preload else MoldState.NONE)

    def can_fork(self, generation: int) -> bool:
        """Return whether a worker of this generation can be forked now."""
        mold = self._molds.get(generation)
        return mold is not None and mold.state in {MoldState.NONE, MoldState.READY}

    def has_mold(self, generation: int) -> bool:
        """Return whether a worker of this generation comes from a mold, so that its code is the same."""
        mold = self._molds.get(generation)
        return mold is not None and mold.state is MoldState.READY

    def is_importing(self, generation: int) -> bool:
        """Return whether the mold of this generation is on its way."""
        mold = self._molds.get(generation)
        return mold is not None and mold.state is MoldState.IMPORTING

    def make(self, now: float, boot: Callable[[int], float]) -> None:
        """Make what is wanted and need not wait.

        Args:
            now: The time.
            boot: Says how many seconds the mold of a generation has to import the application.
        """
        for mold in self:
            is_due = mold.state is MoldState.WANTED and mold.not_before <= now
            if is_due and mold.generation not in self._ending:
                mold.state, mold.deadline = MoldState.IMPORTING, now + boot(mold.generation)
                self._orders.give(MakeMold(mold.generation))

    def forked(self, generation: int, pid: int) -> None:
        """Note that the process exists."""
        mold = self._molds.get(generation)
        if mold is not None and mold.state is MoldState.IMPORTING:
            mold.pid = pid
        else:  # given up before the news came
            self._ending.add(generation)
            self._orders.give(EndMold(generation))

    def ready(self, generation: int, now: float) -> None:
        """Note that it has imported the application."""
        mold = self._molds[generation]
        mold.state, mold.deadline, mold.ready_at = MoldState.READY, None, now

    def unsuitable(self, generation: int) -> None:
        """Do without it, for no worker can be forked from it."""
        self._kill(self._molds[generation], MoldState.NONE)

    def lost(self, generation: int, now: float, backoff: Backoff, chance: float) -> float:
        """Kill what is left of a mold that does not do, and have another one later; return in how long."""
        mold = self._molds[generation]
        has_lasted = mold.ready_at is not None and now - mold.ready_at >= backoff.stable_after
        mold.failures = 1 if has_lasted else mold.failures + 1
        wait = backoff.delay(mold.failures, chance)
        mold.not_before = now + wait
        self._kill(mold, MoldState.WANTED)
        return wait

    def exited(self, generation: int) -> bool:
        """Note that the process is reaped; return whether it was still wanted."""
        if generation in self._ending:
            self._ending.discard(generation)
            return False
        mold = self._molds.get(generation)
        if mold is None or mold.pid is None:
            return False
        mold.pid = None
        return True

    def end(self, generation: int) -> None:
        """Do without the mold of a generation that is not wanted any more."""
        mold = self._molds.pop(generation, None)
        if mold is not None:
            self._kill(mold, MoldState.NONE)

    def end_all(self) -> None:
        """Do without any."""
        for mold in self:
            self.end(mold.generation)

    def deadlines(self) -> Iterator[float]:
        """Yield when something is due."""
        for mold in self:
            if mold.state is MoldState.WANTED and mold.generation not in self._ending:
                yield mold.not_before
            elif mold.deadline is not None:
                yield mold.deadline

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON."""
        return {
            "molds": [{**asdict(mold), "state": mold.state.value} for mold in self],
            "ending": sorted(self._ending),
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on with another fleet's molds."""
        molds = [unpacked(Mold, {**mold, "state": MoldState(mold["state"])}) for mold in values["molds"]]
        self._molds = {mold.generation: mold for mold in molds}
        self._ending = set(values["ending"])

    def _kill(self, mold: Mold, state: MoldState) -> None:
        if mold.pid is not None:
            self._ending.add(mold.generation)
            self._orders.give(EndMold(mold.generation))
        mold.pid, mold.deadline, mold.ready_at, mold.state = None, None, None, state
