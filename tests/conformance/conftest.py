"""The servers that the conformance tests talk to: of HTTP/1.1 once with each codec, of HTTP/2 one for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.cases import FIELDS, HEAD_SIZE
from tests.conformance.http2_served import EXTENDED, QUIET, SERVED
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


@pytest.fixture(scope="module")
def served() -> Iterator[ServerProcess]:
    """One behaviour for each path, over HTTP/2."""
    with ServerProcess(SERVED, *QUIET) as running:
        yield running


@pytest.fixture(scope="module")
def extended() -> Iterator[ServerProcess]:
    """Extensions, and requests that wait at a gate, over HTTP/2."""
    with ServerProcess(EXTENDED, *QUIET) as running:
        yield running
