"""How a master learns who started it."""

from __future__ import annotations

import pytest

from srvctl.supervisor import provenance


@pytest.mark.parametrize(
    ("environ", "word", "left"),
    [
        ({}, "run", {}),
        ({"NOTIFY_SOCKET": "/n"}, "service", {"NOTIFY_SOCKET": "/n"}),
        ({"INVOCATION_ID": "a"}, "service", {"INVOCATION_ID": "a"}),
        ({"INVOCATION_ID": ""}, "run", {"INVOCATION_ID": ""}),
        ({"SRVCTL_STARTED": "start", "NOTIFY_SOCKET": "/n"}, "start", {"NOTIFY_SOCKET": "/n"}),
        ({"SRVCTL_STARTED": ""}, "run", {}),
    ],
)
def test_who_started_it(environ: dict[str, str], word: str, left: dict[str, str]) -> None:
    """What `srvctl start` says comes first: it stands in for a service manager itself."""
    assert provenance.take(environ) == word
    assert environ == left
