"""srvctl's other commands, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parents[2]


def srvctl(*argv: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and return what it printed and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "srvctl", *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=_ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("SRVCTL_")}
        | {**(env or {})},
    )
