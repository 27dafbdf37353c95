"""What the parts of the fleet share: what is wanted, what is observed, and the time. Pure; without rules.

`fleet` puts the parts together: `crew` takes steps on one worker, `succession` says which workers there are
to be, `reloader` brings new code in, `watch` judges workers by what is seen of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from srvctl.supervisor.autoscale import Scaling
from srvctl.supervisor.molds import Molds
from srvctl.supervisor.moves import check_move
from srvctl.supervisor.orders import Orders
from srvctl.supervisor.programs.places import Places
from srvctl.supervisor.roster import Roster
from srvctl.supervisor.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.ipc.channel import Apology
    from srvctl.supervisor.policy import FleetPolicy
    from srvctl.supervisor.reloading import Reload
    from srvctl.supervisor.roster import Worker


class Phase(Enum):
    """Where the whole service is in its life."""

    BOOTING = "booting"  #: not every slot has been served yet
    RUNNING = "running"
    LEAVING = "leaving"  #: asked to stop; serves on until load balancers have noticed
    STOPPING = "stopping"
    ENDED = "ended"


#: Which phase may follow which, and why it does. A move that is not here is a bug.
PHASES: Final[dict[Phase, dict[Phase, str]]] = {
    Phase.BOOTING: {
        Phase.RUNNING: "every slot is served",
        Phase.LEAVING: "stop, after a worker was ready",
        Phase.STOPPING: "stop, or never up",
    },
    Phase.RUNNING: {
        Phase.LEAVING: "stop",
        Phase.STOPPING: "stop, without a delay",
    },
    Phase.LEAVING: {Phase.STOPPING: "the delay is over, or a second stop"},
    Phase.STOPPING: {Phase.ENDED: "no process is left"},
    Phase.ENDED: {},
}
#: Phases in which nobody has asked for the end.
UP: Final = frozenset({Phase.BOOTING, Phase.RUNNING})
#: Phases in which slots are kept filled.
SERVING: Final = UP | {Phase.LEAVING}


@dataclass(slots=True)
class State:
    """The fleet's.

    Attributes:
        policy: What to aim at.
        chance: Gives a random number from 0 to 1, for jitter.
        target: Workers wanted.
        phase: Where the service is in its life.
        now: Monotonic time of the current event, in seconds.
        generation: The accepted code and settings.
        tolerated: Generations beside it whose workers may stay: a reload without a mold failed half-way, and
            the old code cannot be had any more.
        reload: The one in progress.
        reload_error: Why the last one failed; empty if it did not.
        upgrade_error: Why the last upgrade failed; empty if it did not.
        apology: What is shown in development as long as no code works; None as long as some does.
        is_upgrading: The master is about to be replaced, so no reload begins.
        was_ever_ready: A worker has once been ready; from then on nothing but a stop ends the service.
        roster: The workers.
        orders: What is to be done.
        programs: The processes beside the workers.
        scaling: What operators are told of how the number of workers follows the load.
        molds: The processes that workers are forked from.
        serving: The slots by the generations of the workers that serve them.
    """

    policy: FleetPolicy
    chance: Callable[[], float]
    target: int
    phase: Phase = Phase.BOOTING
    now: float = 0.0
    generation: int = 1
    tolerated: set[int] = field(default_factory=set)
    reload: Reload | None = None
    reload_error: str = ""
    upgrade_error: str = ""
    apology: Apology | None = None
    is_upgrading: bool = False
    was_ever_ready: bool = False
    roster: Roster = field(default_factory=Roster)
    orders: Orders = field(default_factory=Orders)
    programs: Places = field(default_factory=Places)
    scaling: Scaling = field(default_factory=Scaling)
    molds: Molds = field(init=False)
    serving: Standing[frozenset[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.molds = Molds(self.orders)
        self.serving = Standing(self.roster, self._generations_serving)

    def export(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON; between two reloads."""
        return {
            "target": self.target,
            "phase": self.phase.value,
            "now": self.now,
            "generation": self.generation,
            "tolerated": sorted(self.tolerated),
            "reload_error": self.reload_error,
            "was_ever_ready": self.was_ever_ready,
            "roster": self.roster.export(),
            "molds": self.molds.export(),
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Go on as another fleet's state, by the policy and the chance of this one."""
        self.target, self.phase, self.now = values["target"], Phase(values["phase"]), values["now"]
        self.generation, self.tolerated = values["generation"], set(values["tolerated"])
        self.reload_error = values.get("reload_error", "")  # an earlier srvctl has none
        self.was_ever_ready = values["was_ever_ready"]
        self.roster.restore(values["roster"])
        self.molds.restore(values["molds"])

    def enter(self, phase: Phase) -> None:
        """Go on to a phase; nothing where it is that already.

        Raises:
            ValueError: The table has no such move.
        """
        if phase is self.phase:
            return
        check_move(PHASES, self.phase, phase, "a service")
        self.phase = phase

    @property
    def slots(self) -> range:
        """The places that are to be served."""
        return range(self.target)

    def served(self, generation: int | None = None) -> int:
        """Return how many of these places a ready worker (of a generation, if given) holds."""
        serving = self.serving.now(self.slots)
        return sum(len(slots) for by, slots in serving.items() if generation is None or generation in by)

    def _generations_serving(self, slot: int) -> frozenset[int] | None:
        by = {worker.generation for worker in self.roster.serving(slot)} if slot in self.slots else ()
        return frozenset(by) or None

    def is_accepted(self, generation: int) -> bool:
        """Return whether workers of a generation may stay where they are, but for a reload in progress."""
        return generation == self.generation or generation in self.tolerated

    def has_code_that_works(self, *, but: Worker | None = None) -> bool:
        """Return whether a worker, other than this one, serves the accepted code or may do so soon."""
        return any(
            worker.holds_slot and worker.apology is None and self.is_accepted(worker.generation)
            for worker in self.roster
            if worker is not but
        )

    def is_new(self, generation: int) -> bool:
        """Return whether a generation is the one that the reload in progress brings in."""
        return self.reload is not None and self.reload.may_spawn and generation == self.reload.generation

    def policy_for(self, generation: int) -> FleetPolicy:
        """Return what is aimed at with workers of a generation."""
        new = self.reload
        return new.policy if new and new.policy and new.generation == generation else self.policy


def workers(count: int) -> str:
    """Return so many workers in words."""
    return "1 worker" if count == 1 else f"{count} workers"
