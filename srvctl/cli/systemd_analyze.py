"""What the systemd of this machine says of units: its version, and what `systemd-analyze verify` finds.

Starts a program, and so is used by commands only that write units. Where systemd is not installed, it has
no opinion.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PROGRAM: Final = "systemd-analyze"
#: Seconds; it reads every unit of the machine.
_PATIENCE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Opinion:
    """What it thinks of units.

    Attributes:
        problems: What it finds, a line each.
        failure: Why it could not judge; nothing if it could.
    """

    problems: tuple[str, ...] = ()
    failure: str = ""


def version() -> int:
    """Return the version of the systemd of this machine; 0 where there is none."""
    done = _run("--version")
    found = re.match(r"systemd (\d+)", done.stdout) if done else None
    return int(found[1]) if found else 0


def judge(units: Sequence[Path], *, is_users: bool) -> Opinion:
    """Have units checked.

    Args:
        units: Their files.
        is_users: They are a user's, and not the system's.
    """
    whose = ["--user"] if is_users else []
    done = _run(*whose, "verify", "--man=no", *(str(unit.absolute()) for unit in units))
    if done is None:
        return Opinion(failure=f"{_PROGRAM} is not installed, or does not answer")
    # It judges whatever these units need, too, and so the machine's own.
    said = [line.strip() for line in done.stderr.splitlines()]
    problems = tuple(line for line in said if any(unit.name in line for unit in units))
    if done.returncode and not problems:
        return Opinion(failure=f"{_PROGRAM} verify failed: {said[-1] if said else done.returncode}")
    return Opinion(problems)


def _run(*words: str) -> subprocess.CompletedProcess[str] | None:
    program = shutil.which(_PROGRAM)
    if program is None:
        return None
    try:
        return subprocess.run(  # noqa: S603 - a program of the system, with paths that were just written
            [program, *words],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            # Without which it judges nothing of a user's; outside of a session nobody has set it.
            env={"XDG_RUNTIME_DIR": tempfile.gettempdir(), **os.environ},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
