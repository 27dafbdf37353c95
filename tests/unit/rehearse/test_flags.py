"""Flags that make no sense end with one line that says what would."""

from __future__ import annotations

import pytest

from srvctl.cli.rehearse import rehearse_command
from srvctl.errors import UsageError


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"act": ["crash"]}, "no act 'crash'"),
        ({"path": ["shop"]}, "--path: 'shop' is not a path"),
        ({"path": ["/a b"]}, "--path"),
        ({"send": ["Host"]}, "--send: 'Host' is not a header"),
        ({"late": "soon"}, "--late 'soon' is not a duration"),
        ({"duration": "0"}, "--duration 0 is too small"),
        ({"rate": 0.0}, "--rate 0 is too small"),
        ({"connections": 0}, "--connections 0 is too small"),
        ({"max_p99": "-1"}, "--max-p99"),
    ],
)
def test_what_cannot_be_meant_is_refused(flags: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=f"^(there is )?{said}"):
        rehearse_command({}, **flags)  # type: ignore[arg-type] # one flag at a time
