"""What ``--reload`` makes of the other settings: what serves well is not what one develops with. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srvctl.settings.groups import Settings

#: Seconds for importing and starting up, a day: who stops at a breakpoint there must not be killed for it.
_BOOT: Final = 86400.0


def for_development(settings: Settings) -> Settings:
    """Return the settings that are obeyed: as they are, unless files are watched.

    There is one worker, and none in reserve: it imports the application itself, right after a file was saved.
    Nothing is replaced for its age or killed for being blocked, which it is at every breakpoint, and nothing
    that is open for long holds up new code, or the end.
    """
    if not settings.reload.enabled:
        return settings
    timeouts, grace = settings.timeouts, settings.reload.grace
    return replace(
        settings,
        workers=replace(
            settings.workers, count=1, preload="off", max_requests=0, max_lifetime=0.0, max_memory=0
        ),
        health=replace(settings.health, hang_timeout=0.0, path=""),
        reload=replace(settings.reload, bake=0.0),
        timeouts=replace(
            timeouts,
            boot=_BOOT,
            drain_delay=0.0,
            drain_idle=0.0,
            stream_shutdown=0.0,
            graceful_shutdown=min(grace, timeouts.graceful_shutdown),
            lifespan_shutdown=min(grace, timeouts.lifespan_shutdown),
        ),
        ws=replace(settings.ws, drain_spread=0.0),
    )
