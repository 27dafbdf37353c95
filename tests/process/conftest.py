"""Servers that several modules ask for in the same form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.proxy_header import MIRROR, ON
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["uvloop", "asyncio"])
def loop_flags(request: pytest.FixtureRequest) -> list[str]:
    return ["--loop", request.param]


@pytest.fixture(scope="module")
def believing() -> Iterator[ServerProcess]:
    """A server that expects PROXY headers, and says what it makes of them."""
    with ServerProcess(MIRROR, *ON, "--log-level", "debug") as server:
        yield server
