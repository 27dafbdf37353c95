"""What tests of sockets with a path need."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose path leaves room for that of a socket, which pytest's own may not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)
