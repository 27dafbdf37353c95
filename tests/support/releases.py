"""Versions of srvctl beside each other, as deployments have them; the installed one is where a link leads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import srvctl

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = Path(srvctl.__file__).parent


class Releases:
    """Copies of the package.

    Args:
        directory: Where; nothing else may be in it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._link = directory / "current"
        directory.mkdir()
        self.install("0.1.0")

    @property
    def env(self) -> dict[str, str]:
        """What has a process run the installed one."""
        return {"PYTHONPATH": str(self._link)}

    def install(self, version: str, changes: Mapping[str, str] | None = None) -> None:
        """Install a copy.

        Args:
            version: Of it.
            changes: What is added at the end of its files, by path.
        """
        home = self._directory / version
        shutil.copytree(_PACKAGE, home / "srvctl")  # with what is compiled, which spares doing it again
        init = home / "srvctl" / "__init__.py"
        init.write_text(init.read_text().replace(f'"{srvctl.__version__}"', f'"{version}"'))
        for path, code in (changes or {}).items():
            with (home / "srvctl" / path).open("a") as file:
                file.write(code)
        new = self._directory / "new"
        new.symlink_to(home)
        new.rename(self._link)

    def remove(self, version: str) -> None:
        """Remove a copy."""
        shutil.rmtree(self._directory / version)
