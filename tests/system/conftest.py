"""What several system tests share: a machine of their own, one for all tests of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.machine_service import install
from tests.support.nspawn import booted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine import Machine


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Return a machine whose process 1 is systemd, and where the shipped units are installed."""
    with booted() as machine:
        install(machine)
        yield machine
