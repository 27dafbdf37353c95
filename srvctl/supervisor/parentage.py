"""Tells who started srvctl in a container a way in which no stop reaches it: by a shell that is process 1.

The kernel drops signals for the first process of a PID namespace unless that has a handler for them
(pid_namespaces(7)). A shell which waits for a command has none for SIGTERM and passes nothing on, so
``docker stop`` waits in vain for its time, and then kills everything. Owns what is such a shell, and the
sentence about it. Must not know what srvctl serves. Called at the start; `srvctl doctor` asks for the name.

One that catches SIGTERM (``trap``) may pass it on, one that ignores it has somebody at its terminal; nothing
is said about either, nor about programs that are made to be process 1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Final

from srvctl.errors import printable
from srvctl.supervisor.cgroups import read

_FIRST: Final = 1
_SHELLS: Final = frozenset({"sh", "ash", "bash", "busybox", "dash", "ksh", "mksh", "yash", "zsh"})
_SIGTERM: Final = 1 << SIGTERM - 1  #: in the masks of proc_pid_status(5)


@dataclass(frozen=True, slots=True)
class Parent:
    """A process that started this one.

    Attributes:
        pid: Its number.
        words: Its command line; empty where it is not told.
        caught: The signals it has handlers for, a bit each; None where it is not told.
        ignored: Those it ignores; None where it is not told.
    """

    pid: int
    words: tuple[str, ...] = ()
    caught: int | None = None
    ignored: int | None = None

    @property
    def shell(self) -> str:
        """The shell it is, as it was called; empty for anything else.

        Its command line tells that also of a script, of which ``comm`` has the name.
        """
        name = self.words[0] if self.words else ""
        return name if name.rpartition("/")[2].removeprefix("-") in _SHELLS else ""


def objection(parent: Parent) -> str:
    """Return a sentence about a parent that keeps SIGTERM to itself; nothing about any other."""
    if parent.pid != _FIRST or not parent.shell or parent.caught is None or parent.ignored is None:
        return ""
    if (parent.caught | parent.ignored) & _SIGTERM:
        return ""
    return (
        f"A shell ({printable(' '.join(parent.words[:2]))}) is process 1 of this container and passes no "
        "signal on: a stop does not reach srvctl and becomes a kill, which cuts requests off. Use the exec "
        'form, CMD ["srvctl", "run", ...], or write exec before srvctl in the script.'
    )


def parent(root: Path = Path("/")) -> Parent:
    """Return what the kernel says of the process that started this one; reads nothing but of process 1.

    Args:
        root: Where /proc is looked for.
    """
    pid = os.getppid()
    return first_process(root) if pid == _FIRST else Parent(pid)


def first_process(root: Path = Path("/")) -> Parent:
    """Return what the kernel says of process 1.

    Args:
        root: Where /proc is looked for.
    """
    folder = root / "proc/1"
    words = tuple(read(folder / "cmdline").rstrip("\0").split("\0"))
    status = dict(line.split(":", 1) for line in read(folder / "status").splitlines() if ":" in line)
    return Parent(_FIRST, words if words[0] else (), _mask(status, "SigCgt"), _mask(status, "SigIgn"))


def _mask(status: dict[str, str], name: str) -> int | None:
    try:
        return int(status.get(name, ""), 16)
    except ValueError:
        return None
