"""The extension as applications find it in their scope."""

from __future__ import annotations

import json

import pytest

from srvctl.broadcast import publish, subscribe
from srvctl.broadcast.extension import BroadcastExtension


def test_the_functions_are_there_by_name() -> None:
    extension = BroadcastExtension()
    assert (extension["publish"], extension["subscribe"]) == (publish, subscribe)
    with pytest.raises(KeyError, match="unsubscribe"):
        extension["unsubscribe"]


def test_a_scope_can_be_written_as_json() -> None:
    """Middlewares for logs and debugging do it."""
    assert json.dumps({"srvctl.broadcast": BroadcastExtension()}) == '{"srvctl.broadcast": {}}'
