"""What variables of the environment give, and what is said about values that depend on them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.settings.catalog import catalog
from srvctl.settings.conflicts import YES

if TYPE_CHECKING:
    from srvctl.migrate.result import Given, Migration

#: Variables that uvicorn and gunicorn share, and the option that each gives.
FOREIGN: Final = {"WEB_CONCURRENCY": "workers", "FORWARDED_ALLOW_IPS": "forwarded_allow_ips"}


def means_yes(value: object) -> bool:
    """Return whether a switch with this value is on."""
    return str(value).lower() in YES


def is_usable(given: Given, key: str, migration: Migration) -> bool:
    """Return whether a value is known, and say what it depends on.

    Args:
        given: The option.
        key: The setting it is for; empty where there is none.
        migration: Told what a person has to look at.
    """
    named = " and ".join(f"${name}" for name in given.variables)
    instead = f"; to go on setting it from outside, set {catalog()[key].variable}" if key else ""
    if not given.is_known:
        unknown = f"{named} is not known here" if named else f"{given.value} cannot be known here"
        migration.ask(given.origin, f"{unknown}, so the setting was left out{instead}")
    elif given.variables:
        migration.ask(given.origin, f"depends on {named}; {given.value} was taken{instead}")
    return given.is_known
