"""Directories of one server alone, so that no test finds or leaves anything in those of the system."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

#: Short, because the paths of Unix sockets must be; `tmp_path` is not.
_PARENT: Final = "/tmp"


class PrivateDirectories:
    """Where a server keeps its control socket, its broadcast sockets and its ledger."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="srvctl-t-", dir=_PARENT)
        self.runtime = Path(self._directory.name, "run")
        self.state = Path(self._directory.name, "state")
        self.runtime.mkdir()
        self.state.mkdir()

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which a service manager would name them."""
        return {"RUNTIME_DIRECTORY": str(self.runtime), "STATE_DIRECTORY": str(self.state)}

    def remove(self) -> list[str]:
        """Remove them; return what was left of what must not outlive a master."""
        left = [str(path) for path in self.runtime.rglob("*")]
        self._directory.cleanup()
        return left
