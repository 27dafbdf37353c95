"""A reload in progress, as a value: how far it has come, and who waits for it. Pure; part of `fleet`.

Until the last step, nothing of the old generation is given up: its mold lives, and so do its settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.moves import check_move

if TYPE_CHECKING:
    from srvctl.supervisor.policy import FleetPolicy


class Stage(Enum):
    """How far a reload has come; the value is what people are told."""

    READING = "reading the settings"
    MOLDING = "importing the application"
    CANARY = "starting the first worker"
    PROBING = "probing the first worker"
    BAKING = "watching the first worker"
    ROLLING = "replacing the workers"
    RESTORING = "going back"


_FAILED: Final = {Stage.RESTORING: "it failed"}
_GONE: Final = {Stage.CANARY: "its slot was scaled away"}
#: Which stage may follow which, and why it does. A move that is not here is a bug. A reload whose workers
#: serve every slot ends in `ROLLING`, one that failed in `RESTORING`; a stop, or in development the next
#: change, gives it up anywhere.
STAGES: Final[dict[Stage, dict[Stage, str]]] = {
    Stage.READING: {Stage.MOLDING: "the settings are right"} | _FAILED,
    Stage.MOLDING: {Stage.CANARY: "the code is imported"} | _FAILED,
    Stage.CANARY: _GONE
    | {Stage.PROBING: "ready, and health.path is set", Stage.BAKING: "ready, without health.path"}
    | _FAILED,
    Stage.PROBING: {Stage.BAKING: "its application is well"} | _GONE | _FAILED,
    Stage.BAKING: {Stage.ROLLING: "reload.bake is over"} | _GONE | _FAILED,
    Stage.ROLLING: _FAILED,
    Stage.RESTORING: {},
}
#: Stages in which there may be workers of the new generation, and all is well with them.
SPAWNING: Final = frozenset({Stage.CANARY, Stage.PROBING, Stage.BAKING, Stage.ROLLING})
#: Stages that are not worth going on with once the code has changed again.
OUTDATED: Final = frozenset({Stage.READING, Stage.MOLDING, Stage.CANARY, Stage.PROBING, Stage.BAKING})
#: Stages in which one slot has two workers that serve, and both are wanted.
WATCHING: Final = frozenset({Stage.PROBING, Stage.BAKING})


@dataclass(slots=True)
class Reload:
    """One reload.

    Attributes:
        generation: What it brings in.
        began: When it began, in monotonic seconds.
        clients: Of the control socket, who wait for its end.
        anew: The settings are read again.
        stage: How far it has come.
        until: When this stage has lasted long enough, or too long.
        policy: What the fleet aims at once it is done; None until the settings are read.
        canary: The slot whose worker goes first.
        replaced: Slots that people were told about.
        error: Why it failed; empty as long as it did not.
        details: The application's traceback.
    """

    generation: int
    began: float
    clients: list[int] = field(default_factory=list)
    anew: bool = True
    stage: Stage = Stage.READING
    until: float | None = None
    policy: FleetPolicy | None = None
    canary: int = 0
    replaced: int = 0
    error: str = ""
    details: str = ""

    def enter(self, stage: Stage) -> None:
        """Go on to a stage, which lasts until something happens.

        Raises:
            ValueError: The table has no such move.
        """
        check_move(STAGES, self.stage, stage, "a reload")
        self.stage, self.until = stage, None

    @property
    def may_spawn(self) -> bool:
        """Whether workers of the new generation are wanted."""
        return self.stage in SPAWNING

    def watches(self, slot: int) -> bool:
        """Return whether both workers of this slot are wanted for now."""
        return self.stage in WATCHING and slot == self.canary


@dataclass(slots=True)
class Waiting:
    """The one reload that will begin when the current one has ended, however often it was asked for."""

    by: str
    clients: list[int] = field(default_factory=list)
    anew: bool = True
