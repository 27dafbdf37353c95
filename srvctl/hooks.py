"""What a hook is told. Applications may import it, to say what their functions take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

#: The points of a worker's life at which a function of the application's can be called.
HookName = Literal["on_boot", "pre_fork", "post_fork", "on_ready", "on_drain", "on_exit"]
HOOK_NAMES: Final[tuple[HookName, ...]] = get_args(HookName)


@dataclass(frozen=True, slots=True)
class HookContext:
    """The one argument of every hook.

    Attributes:
        slot: The worker's slot; None in the process that workers are forked from, except in ``pre_fork``,
            which is told whose worker is next.
        generation: 1 from the start, one more for each reload.
        hook: Which hook is called, so that one function can serve several; set by the call.
        pid: The process in which the hook is called; set by the call.
    """

    slot: int | None
    generation: int
    hook: HookName | None = None
    pid: int = 0
