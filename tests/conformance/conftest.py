"""The server that the conformance tests talk to, once with each codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.cases import FIELDS, HEAD_SIZE
from tests.support.server import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = (
    *("--limit-request-head-size", str(HEAD_SIZE), "--limit-request-fields", str(FIELDS)),
    *("--limit-request-body-size", "8MB", "--limit-unread-body-size", "64KiB"),
    *("--timeout-keep-alive", "60", "--timeout-graceful-shutdown", "1", "--no-access-log"),
)


@pytest.fixture(scope="module", params=["native", "h11"])
def server(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    with ServerProcess("tests.conformance.served:app", "--http", request.param, *FLAGS) as running:
        yield running
