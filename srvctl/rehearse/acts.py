"""The acts of a rehearsal: what there is, in which order, and what cannot be tried. Pure.

Called by the command line for the list, and by `performing`, which carries them out.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from srvctl.errors import UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from srvctl.settings.groups import Settings


class Act(StrEnum):
    """One thing that can happen to a service; in the order in which they are tried."""

    STEADY = "steady"
    RELOAD = "reload"
    BAD_RELOAD = "bad-reload"
    RECYCLE = "recycle"
    SCALE = "scale"
    KILL = "kill"
    HANG = "hang"
    MEMORY = "memory"
    STOP = "stop"


#: What is done in each.
SENTENCES: Final[Mapping[Act, str]] = MappingProxyType(
    {
        Act.STEADY: "Nothing happens: what the application does by itself, for comparison.",
        Act.RELOAD: "srvctl reload: every worker is replaced by one that has imported the code anew.",
        Act.BAD_RELOAD: "A reload to code that fails: the old workers must go on.",
        Act.RECYCLE: "srvctl recycle: every worker is replaced by one of the same code.",
        Act.SCALE: "One worker more, then one less.",
        Act.KILL: "SIGKILL ends a worker, as the kernel does when memory runs out.",
        Act.HANG: "The event loop of a worker is blocked, until health.hang_timeout has it replaced.",
        Act.MEMORY: "A worker grows beyond workers.max_memory, and is replaced.",
        Act.STOP: "SIGTERM while requests come in: what was accepted is answered.",
    }
)
#: Acts in which a process dies or is blocked with requests in its hands, which nobody can answer then.
DEADLY: Final = frozenset({Act.KILL, Act.HANG})
#: Acts that the rehearsal causes by a signal to the worker (`inside`).
_BY_SIGNAL: Final = frozenset({Act.HANG, Act.MEMORY})


def plan(chosen: Sequence[str], skipped: Collection[str]) -> tuple[Act, ...]:
    """Return the acts to try, in their order.

    Args:
        chosen: Names; none means all.
        skipped: Names of those to leave out.

    Raises:
        UsageError: There is no such act, or none is left.
    """
    for name in (*chosen, *skipped):
        if name not in set(Act):
            names = ", ".join(Act)
            raise UsageError(f"there is no act {printable(name)!r}; the acts are {names}")
    acts = tuple(act for act in Act if (not chosen or act in chosen) and act not in skipped)
    if not acts:
        raise UsageError("no act is left to try: --skip names all of them")
    return acts


def obstacle(act: Act, settings: Settings, *, has_signals: bool, has_proc: bool) -> str:
    """Return why an act cannot be tried; nothing if it can.

    Args:
        act: Which.
        settings: Those of the user.
        has_signals: The system has real-time signals.
        has_proc: The kernel tells how much memory a process has (Linux).
    """
    if act in _BY_SIGNAL and not has_signals:
        return "this system has no real-time signals"
    if act is Act.HANG and not settings.health.hang_timeout:
        return "health.hang_timeout is 0, so no worker is replaced for being blocked"
    if act is Act.MEMORY and not has_proc:
        return "this system does not tell how much memory a worker has"
    return ""
