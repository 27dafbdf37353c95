"""All checks, in the order in which they are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.doctor import check_kernel, check_limits, check_places, check_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.doctor.facts import Facts
    from srvctl.doctor.finding import Finding
    from srvctl.settings.groups import Settings

    Check = Callable[[Settings, Facts], Iterator[Finding]]

CHECKS: Final[tuple[Check, ...]] = (
    check_process.application,
    check_process.interpreter,
    check_process.user,
    check_places.addresses,
    check_places.certificates,
    check_places.trust,
    check_limits.cpus,
    check_limits.affinity,
    check_limits.memory,
    check_limits.open_files,
    check_limits.tasks,
    check_kernel.queue,
    check_kernel.memory_promises,
    check_kernel.sight,
    check_places.files,
    check_places.logs,
    check_process.service,
    check_process.container,
)


def examine(settings: Settings, facts: Facts) -> list[Finding]:
    """Return everything that can be said."""
    return [finding for check in CHECKS for finding in check(settings, facts)]
