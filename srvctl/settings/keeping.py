"""Settings that outlive the program that read them: written by one version of srvctl, kept by another.

`flat` is for the master. `kept` validates, so it loads pydantic and is for a short-lived child (ADR 2).
"""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from srvctl.settings.catalog import catalog
from srvctl.settings.option import Change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.settings.groups import Settings


#: Stands for a secret that is set.
HIDDEN: Final = "(hidden)"


def flat(settings: Settings) -> dict[str, Any]:
    """Return every value by its dotted key, as JSON."""
    return {key: attrgetter(key)(settings) for key in catalog()}


def shown(settings: Settings) -> dict[str, Any]:
    """Return every value by its dotted key, as JSON that anybody may see who may see the instance."""
    secrets = {key for key, setting in catalog().items() if setting.option.is_secret}
    return {key: HIDDEN if key in secrets and value else value for key, value in flat(settings).items()}


def in_force(found: Settings, at_start: Settings) -> Settings:
    """Return what a reload brings: what was found, but what needs a restart as it was at the start."""
    restart = [key for key, setting in catalog().items() if setting.option.change is Change.RESTART]
    return _with(found, {key: attrgetter(key)(at_start) for key in restart})


def kept(values: Mapping[str, Any], current: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings that were, and sentences about what is otherwise by now.

    What the values do not name, or name in a way that is not understood any more, is as it is now.

    Args:
        values: What `flat` returned.
        current: As they are read now.
    """
    from srvctl.settings.model import validate  # noqa: PLC0415 - imports pydantic

    typed, wrong = validate({key: value for key, value in values.items() if key in catalog()})
    notes = [f"{key} cannot be kept as it was; it is as it is read now." for key in wrong]
    changed = [key for key, value in typed.items() if value != attrgetter(key)(current)]
    if changed:
        notes.append(f"Settings have changed; a reload brings the new ones: {', '.join(changed)}.")
    return _with(current, {key: typed[key] for key in changed}), tuple(notes)


def _with(settings: Settings, values: Mapping[str, object]) -> Settings:
    groups: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        groups.setdefault(catalog()[key].group, {})[catalog()[key].name] = value
    changed = {group: replace(getattr(settings, group), **found) for group, found in groups.items()}
    return replace(settings, **changed)
