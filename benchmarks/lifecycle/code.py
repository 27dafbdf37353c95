"""The code that is served and reloaded, as a module on disk, and what its workers note about themselves.

Each revision is a different source: what servers do about changed code is done on changed code.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.apps.lifecycle import STATE, STATE_VARIABLE
from benchmarks.processes import ROOT

_MODULE: Final = "lifecycle_code"
APP: Final = f"{_MODULE}:app"
#: What a reload of code that does not import must be able to show.
IMPORT_FAULT: Final = "this revision does not import"
STARTUP_FAULT: Final = "the startup of this revision fails"


@dataclass(frozen=True, slots=True)
class Code:
    """What one revision does besides answering.

    Attributes:
        burn: Seconds of CPU that its import takes.
        sleep: Seconds that its import waits.
        objects: How many it makes when it is imported; 1,000 are about 0.5 MB.
        startup: ``"raise"``, ``"hang"`` or nothing special.
        is_broken: It does not import.
    """

    burn: float = 0.0
    sleep: float = 0.0
    objects: int = 0
    startup: str = ""
    is_broken: bool = False

    def source(self, revision: int) -> str:
        """Return the module."""
        lines = [
            "import time",
            "from benchmarks.apps import lifecycle",
            # Each revision has a size of its own: Python compares size and time, and that in whole seconds.
            f"# {'x' * revision}",
        ]
        if self.burn:
            lines.append(f"lifecycle.burn({self.burn})")
        if self.sleep:
            lines.append(f"time.sleep({self.sleep})")
        if self.is_broken:
            lines.append(f"raise RuntimeError({IMPORT_FAULT!r})")
        lines.append(f"kept = lifecycle.objects({self.objects})")
        lines.append(f"app = lifecycle.Application({revision}, {self.startup!r}, kept)")
        return "\n".join([*lines, ""])


@dataclass(frozen=True, slots=True)
class State:
    """What one worker has noted; times are monotonic, None for never."""

    worker: int
    ready: float | None
    blocked: float | None
    begun: int
    finished: int


class CodeDirectory:
    """The module and the workers' notes, until `close`."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lifecycle-")
        self._path = Path(self._directory.name)
        self._state = self._path / "state"
        self._state.mkdir()
        self.revision = 0

    def __repr__(self) -> str:
        return f"<CodeDirectory {self._path} revision={self.revision}>"

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a server that is to import it."""
        return {
            "PYTHONPATH": os.pathsep.join((str(self._path), str(ROOT))),
            STATE_VARIABLE: str(self._state),
            # What a service manager gives (systemd.exec(5)): nothing is left in the user's own directories.
            "RUNTIME_DIRECTORY": str(self._path),
            "STATE_DIRECTORY": str(self._path),
            "SRVCTL_CONTROL__SOCKET": str(self.control),
        }

    @property
    def control(self) -> Path:
        """Where a server may listen for its own commands."""
        return self._path / "control.sock"

    def write(self, code: Code) -> int:
        """Put the next revision in place, all at once, and return its number."""
        self.revision += 1
        path = self._path / f"{_MODULE}.py"
        path.with_suffix(".new").write_text(code.source(self.revision), encoding="utf-8")
        path.with_suffix(".new").replace(path)
        return self.revision

    def states(self) -> dict[int, State]:
        """Return the notes of all workers that ever were, by process id."""
        return {int(path.name): _state(path) for path in self._state.iterdir()}

    def close(self) -> None:
        """Remove everything."""
        self._directory.cleanup()


def _state(path: Path) -> State:
    data = path.read_bytes().ljust(STATE.size, b"\0")
    ready, blocked, begun, finished = STATE.unpack(data)
    return State(int(path.name), ready or None, blocked or None, begun, finished)
