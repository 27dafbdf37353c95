"""All scenarios by name, in the order in which they are run."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.lifecycle import broken, changes, ends, faults, resources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.lifecycle.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            *changes.SCENARIOS,
            *broken.SCENARIOS,
            *faults.SCENARIOS,
            *ends.SCENARIOS,
            *resources.SCENARIOS,
        )
    }
)
