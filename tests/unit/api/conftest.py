"""A `Config` sets up the loggers of the process; the next test finds them as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.loggers import loggers_as_they_were

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _loggers_as_they_were() -> Iterator[None]:
    with loggers_as_they_were():
        yield
