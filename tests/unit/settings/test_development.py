"""What ``--reload`` makes of the other settings."""

from __future__ import annotations

from dataclasses import replace

from srvctl.settings.development import for_development
from srvctl.settings.groups import ReloadSettings, Settings, TimeoutSettings, WorkersSettings

SETTINGS = Settings(
    workers=WorkersSettings(count=1, max_requests=10),
    timeouts=TimeoutSettings(graceful_shutdown=300.0, lifespan_shutdown=1.0),
)


def test_a_service_is_left_alone() -> None:
    assert for_development(SETTINGS) is SETTINGS


def test_one_worker_imports_by_itself_and_is_not_judged() -> None:
    found = for_development(replace(SETTINGS, reload=ReloadSettings(enabled=True, grace=2.0)))
    assert (found.workers.count, found.workers.preload, found.workers.max_requests) == (1, "off", 0)
    assert found.health.hang_timeout == 0
    assert found.reload.bake == 0


def test_the_grace_is_the_longest_time_that_is_waited() -> None:
    found = for_development(replace(SETTINGS, reload=ReloadSettings(enabled=True, grace=2.0))).timeouts
    assert (found.graceful_shutdown, found.lifespan_shutdown) == (2.0, 1.0)
    assert (found.stream_shutdown, found.drain_idle, found.drain_delay) == (0, 0, 0)
