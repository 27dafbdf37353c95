"""What the fleet aims at: the settings the master obeys, as values. Pure; times in seconds.

A reload brings a new one. What only workers read is not here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.supervisor.autoscale import ScalePolicy
from srvctl.supervisor.backoff import Backoff

if TYPE_CHECKING:
    from srvctl.settings.groups import HookSettings, ProgramSettings, Settings

#: Elsewhere no master can become the parent of what its children fork (PR_SET_CHILD_SUBREAPER, prctl(2)).
_HAS_ADOPTION: Final = sys.platform.startswith("linux")
#: What a worker has beyond its own timeouts before the master kills it.
_LAST_LINES: Final = 4.0
#: The same where somebody waits for it, before a terminal.
_LAST_LINES_OF_DEVELOPMENT: Final = 1.0
#: Between two looks at the boards where nothing has to be noticed sooner. More often would keep the CPU of
#: an idle machine from resting.
_SELDOM: Final = 5.0
_OFTEN: Final = 1.0
#: The same where the number of workers follows the load: a burst is to be met within a second.
_QUICKLY: Final = 0.25


@dataclass(frozen=True, slots=True)
class RecyclePolicy:
    """When a worker that serves well is replaced all the same; 0 stands for never.

    Attributes:
        requests: Requests it has answered.
        requests_jitter: Most that is added to it, by each worker's luck.
        lifetime: Time it has been ready.
        lifetime_jitter: Most that is added to it, by each worker's luck.
        memory: Bytes it uses.
        spacing: Least time between the beginnings of two such replacements.
    """

    requests: int = 0
    requests_jitter: int = 0
    lifetime: float = 0.0
    lifetime_jitter: float = 0.0
    memory: int = 0
    spacing: float = 1.0

    @property
    def is_wanted(self) -> bool:
        """Whether any limit is set."""
        return bool(self.requests or self.lifetime or self.memory)


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """How it is noticed that a worker does not serve.

    Attributes:
        hang_timeout: Time its loop may be blocked; 0 for ever.
        path: What its application is asked for; empty for nothing.
        interval: Time between two questions.
        timeout: Time for an answer.
        threshold: Failures in a row that are enough.
    """

    hang_timeout: float = 0.0
    path: str = ""
    interval: float = 10.0
    timeout: float = 5.0
    threshold: int = 3


@dataclass(frozen=True, slots=True)
class FleetPolicy:
    """All of it.

    Attributes:
        count: Workers wanted at the start.
        boot: Time a worker has from fork to ready, and a mold to import the application.
        drain: Time a worker has from being asked to drain to its exit.
        term: Time a booting worker has from SIGTERM to its exit.
        max_surge: Workers that may run beyond the count while others are replaced.
        preload: Workers are forked from molds.
        bake: Time the first worker of a reload serves before the others are replaced.
        drain_delay: Time from being asked to stop until the workers are asked to drain.
        is_development: Files are watched, and what goes wrong is shown; see `development`.
        scale: What the number of workers follows.
        watermark: Share of the memory from which no worker is added, and the largest replaced; 0 for never.
        recycle: When workers are replaced.
        health: When they do not serve.
        backoff: Wait of a slot whose workers, or of a program whose processes, die too soon.
        programs: What runs beside the workers.
        workers_after: Names of those that must be ready before the first workers are started.
    """

    count: int
    boot: float
    drain: float
    term: float
    max_surge: int = 1
    preload: bool = False
    bake: float = 0.0
    drain_delay: float = 0.0
    is_development: bool = False
    scale: ScalePolicy = field(default_factory=ScalePolicy)
    watermark: float = 0.0
    recycle: RecyclePolicy = field(default_factory=RecyclePolicy)
    health: HealthPolicy = field(default_factory=HealthPolicy)
    backoff: Backoff = field(default_factory=Backoff)
    programs: tuple[ProgramSettings, ...] = ()
    workers_after: tuple[str, ...] = ()

    @property
    def look_every(self) -> float | None:
        """Time between two looks at the boards; None where nothing is to be noticed."""
        if self.scale.is_wanted:
            return _QUICKLY
        if self.recycle.is_wanted or self.health.path or self.watermark:
            return _OFTEN
        if self.health.hang_timeout:
            return min(_SELDOM, max(self.health.hang_timeout / 4, 0.1))
        return None


def policy_of(settings: Settings, count: int) -> FleetPolicy:
    """Return what the settings ask of the fleet.

    Args:
        settings: The settings.
        count: Number of workers, where they say auto.
    """
    workers, timeouts, health = settings.workers, settings.timeouts, settings.health
    scale = _scale_of(settings)
    return FleetPolicy(
        count=scale.clamp(count),
        boot=timeouts.boot,
        drain=timeouts.graceful_shutdown
        + timeouts.lifespan_shutdown
        + _time_of(settings.hooks)
        + (_LAST_LINES_OF_DEVELOPMENT if settings.reload.enabled else _LAST_LINES),
        term=timeouts.lifespan_shutdown,
        max_surge=workers.max_surge,
        preload=workers.preload != "off" and _HAS_ADOPTION,
        bake=settings.reload.bake,
        drain_delay=timeouts.drain_delay,
        is_development=settings.reload.enabled,
        scale=scale,
        watermark=0.0 if settings.reload.enabled else workers.memory_watermark / 100,
        recycle=RecyclePolicy(
            requests=workers.max_requests,
            requests_jitter=workers.max_requests_jitter,
            lifetime=workers.max_lifetime,
            lifetime_jitter=workers.max_lifetime_jitter,
            memory=workers.max_memory,
            spacing=workers.recycle_spacing,
        ),
        health=HealthPolicy(
            hang_timeout=health.hang_timeout,
            path=health.path,
            interval=health.interval,
            timeout=health.timeout,
            threshold=health.threshold,
        ),
        programs=settings.program,
        workers_after=workers.after,
    )


def _scale_of(settings: Settings) -> ScalePolicy:
    workers = settings.workers
    return ScalePolicy(
        least=workers.min,
        most=0 if settings.reload.enabled else workers.max,
        busy=workers.scale_utilization / 100,
        in_flight=workers.scale_in_flight,
        delay=workers.scale_down_delay,
    )


def _time_of(hooks: HookSettings) -> float:
    """Return the seconds that the hooks of a worker's end may take."""
    return hooks.timeout * sum(hook is not None for hook in (hooks.on_drain, hooks.on_exit))
