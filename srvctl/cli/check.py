"""What ``srvctl check`` prints: every setting, its value and where the value came from."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING

from srvctl.cli import program_rows
from srvctl.settings.catalog import PROGRAM, Setting, catalog
from srvctl.settings.display import format_value
from srvctl.settings.keeping import HIDDEN, shown

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded


def as_table(loaded: Loaded) -> str:
    """Return three aligned columns under a heading."""
    rows = [("KEY", "VALUE", "FROM")] + [
        (
            key,
            _shown(loaded, setting) or format_value(setting, _value(loaded, setting)),
            str(loaded.origins[key]),
        )
        for key, setting in catalog().items()
    ]
    programs = program_rows.rows(shown(loaded.settings)[PROGRAM])
    rows += [
        (label, program_rows.written(key, value), str(origin))
        for (label, key, value), origin in zip(programs, program_rows.origins_of(loaded), strict=True)
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows)


def as_json(loaded: Loaded) -> str:
    """Return one object: key to value and origin; durations in seconds, sizes in bytes."""
    entries: dict[str, object] = {
        key: {
            "value": _shown(loaded, setting) or _value(loaded, setting),
            "origin": str(loaded.origins[key]),
        }
        for key, setting in catalog().items()
    }
    entries[PROGRAM] = program_rows.as_entry(loaded, shown(loaded.settings)[PROGRAM])
    return json.dumps(entries, indent=2)


def _value(loaded: Loaded, setting: Setting) -> object:
    return attrgetter(setting.key)(loaded.settings)


def _shown(loaded: Loaded, setting: Setting) -> str:
    """Return what stands for a secret; nothing for what may be seen."""
    return HIDDEN if setting.option.is_secret and _value(loaded, setting) else ""
