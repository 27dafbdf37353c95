"""A control group made for a test, and a command line that begins in it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from srvctl.supervisor.cgroups import folders, read
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_V2_TOP: Final = Path("/sys/fs/cgroup")


class ControlGroup:
    """Such a group.

    Attributes:
        folder: Where its files are.
        is_v1: Of the first version, whose files have other names.
    """

    def __init__(self, folder: Path, *, is_v1: bool) -> None:
        self.folder = folder
        self.is_v1 = is_v1

    @property
    def prefix(self) -> tuple[str, ...]:
        """A command that runs the rest of its line in the group."""
        return ("sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"))

    def limit(self, v1: Mapping[str, str], v2: Mapping[str, str]) -> None:
        """Write into the files of one of the versions; a file that is not there limits nothing."""
        for name, value in (v1 if self.is_v1 else v2).items():
            if (self.folder / name).exists():
                (self.folder / name).write_text(value)

    def take(self, pid: int) -> None:
        """Move a process into the group."""
        (self.folder / "cgroup.procs").write_text(str(pid))


@contextlib.contextmanager
def control_group(controller: str, file: Mapping[bool, str]) -> Iterator[ControlGroup]:
    """Make one for a controller; skip the test where that cannot be.

    Args:
        controller: Such as ``pids``.
        file: What it must have, by whether it is of the first version.
    """
    name = f"srvctl-test-{os.getpid()}"
    of_v1 = next(folders(Path("/"), controller), None)
    if of_v1 is not None:
        group = ControlGroup(of_v1 / name, is_v1=True)
    elif controller in read(_V2_TOP / "cgroup.subtree_control").split():
        group = ControlGroup(_V2_TOP / name, is_v1=False)
    else:
        pytest.skip(f"no control group of this machine has {controller}")
    try:
        group.folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        if not (group.folder / file[group.is_v1]).exists():
            pytest.skip(f"the control groups of this machine have no {file[group.is_v1]}")
        yield group
    finally:
        remove(group.folder)


def remove(folder: Path) -> None:
    """Remove a group whose processes have ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            folder.rmdir()
        except OSError:  # what has just ended is in it for a moment
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
