"""Looks at this Python, and at what this process runs in."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import stat
import sys
import sysconfig
from typing import TYPE_CHECKING, Final

from srvctl.asked_of_service import asked_of
from srvctl.doctor.facts import Interpreter, Surroundings
from srvctl.supervisor.cgroups import read
from srvctl.supervisor.parentage import first_process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: Number of CAP_NET_BIND_SERVICE in capabilities(7).
_NET_BIND_SERVICE: Final = 10
#: What makes Python slower, as its documentation of the command line says.
_SLOWING: Final = ("PYTHONDEVMODE", "PYTHONASYNCIODEBUG", "PYTHONTRACEMALLOC")
_MARKS_OF_CONTAINERS: Final = (".dockerenv", "run/.containerenv")
_ASKING: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC")
_STDOUT: Final = 1


def interpreter(environ: Mapping[str, str]) -> Interpreter:
    """Return what this Python is."""
    return Interpreter(
        version=platform.python_version(),
        name=sys.implementation.name,
        slowed_by=slowed_by(environ, is_debug_build=bool(sysconfig.get_config_var("Py_DEBUG"))),
        uvloop=_uvloop(),
    )


def slowed_by(
    environ: Mapping[str, str], *, is_debug_build: bool, is_dev_mode: bool | None = None
) -> tuple[str, ...]:
    """Return what makes Python slower for the sake of debugging.

    Args:
        environ: The environment.
        is_debug_build: Python was built with its own checks.
        is_dev_mode: Python's development mode is on; None asks it.
    """
    found = [name for name in _SLOWING if environ.get(name)]
    if (sys.flags.dev_mode if is_dev_mode is None else is_dev_mode) and "PYTHONDEVMODE" not in found:
        found.append("-X dev")
    if "debug" in environ.get("PYTHONMALLOC", ""):
        found.append("PYTHONMALLOC")
    if is_debug_build:
        found.append("its build (--with-pydebug)")
    return tuple(found)


def _uvloop() -> str:
    """Return its version, without loading it."""
    if importlib.util.find_spec("uvloop") is None:
        return ""
    try:
        return importlib.metadata.version("uvloop")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def surroundings(environ: Mapping[str, str], root: Path) -> Surroundings:
    """Return whose process this is, and in what it runs."""
    kind, blocks = _stdout()
    # WATCHDOG_PID means whoever serves, which this process does not.
    asked = asked_of({name: environ[name] for name in _ASKING if name in environ}, os.getpid())
    return Surroundings(
        uid=os.geteuid(),
        may_bind_low=_may_bind_low(root),
        is_notified=bool(asked.address),
        is_service=bool(environ.get("INVOCATION_ID")),
        watchdog=asked.watchdog,
        mistakes=asked.mistakes,
        is_container=bool(environ.get("container"))
        or any((root / name).exists() for name in _MARKS_OF_CONTAINERS),
        first_process=_first_process(root),
        is_read_only=bool(os.statvfs(root).f_flag & os.ST_RDONLY),
        stdout=kind,
        stdout_blocks=blocks,
    )


def _first_process(root: Path) -> str:
    """Return what process 1 is; of a script, which shell runs it."""
    return first_process(root).shell.rpartition("/")[2].lstrip("-") or read(root / "proc/1/comm").strip()


def _may_bind_low(root: Path) -> bool:
    for line in read(root / "proc/self/status").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value.strip() or "0", 16) >> _NET_BIND_SERVICE & 1)
    return os.geteuid() == 0  # without /proc, root may


def _stdout() -> tuple[str, bool]:
    """Return what stdout is, and whether writing to it can wait."""
    try:
        mode, blocks = os.fstat(_STDOUT).st_mode, os.get_blocking(_STDOUT)
    except OSError:
        return "other", False
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return "pipe", blocks
    if stat.S_ISREG(mode):
        return "file", blocks
    return ("terminal" if os.isatty(_STDOUT) else "other"), blocks
