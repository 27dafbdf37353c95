"""What ``srvctl check`` prints: every setting, its value and where the value came from."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING

from srvctl.settings.catalog import catalog
from srvctl.settings.display import format_value

if TYPE_CHECKING:
    from srvctl.settings.load import Loaded


def as_table(loaded: Loaded) -> str:
    """Return three aligned columns under a heading."""
    rows = [("KEY", "VALUE", "FROM")] + [
        (key, format_value(setting, attrgetter(key)(loaded.settings)), str(loaded.origins[key]))
        for key, setting in catalog().items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{key:{widths[0]}}  {value:{widths[1]}}  {origin}" for key, value, origin in rows)


def as_json(loaded: Loaded) -> str:
    """Return one object: key to value and origin; durations in seconds, sizes in bytes."""
    return json.dumps(
        {
            key: {"value": attrgetter(key)(loaded.settings), "origin": str(loaded.origins[key])}
            for key in catalog()
        },
        indent=2,
    )
