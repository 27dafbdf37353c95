"""A process of its own that becomes what settings say: ``python -m tests.support.privileged JSON``.

It says how that went, and then waits to be looked at until its stdin ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl.settings.groups import WorkersSettings
from srvctl.worker.privileges import PrivilegeError, become, settle
from srvctl.worker.standing import Capability, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parents[2]
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG, _PR_GET_DUMPABLE, _PR_SET_KEEPCAPS = 1, 2, 3, 8
_VARIABLES: Final = ("HOME", "USER", "LOGNAME", "SRVCTL_SLOT", "SRVCTL_GENERATION")
#: KILL, SETGID and SETUID of capabilities(7), what a service manager may give to somebody who is not root.
_AMBIENT: Final = 1 << 5 | 1 << 6 | 1 << 7


def lacking() -> list[str]:
    """Return the capabilities that this process would need to become somebody else; none, as root."""
    needed = (Capability.SETUID, Capability.SETGID, Capability.KILL)
    here = standing()
    return [f"CAP_{capability.name}" for capability in needed if not here.has(capability)]


def status_of(pid: int) -> dict[str, str]:
    """Return what the kernel says of a process (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: " ".join(value.split()) for name, _, value in (line.partition(":") for line in lines)}


class Privileged:
    """Such a process, as the test sees it.

    Attributes:
        said: What it said: ``error`` or ``dumpable``, ``death_signal`` and ``environ``.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._folder = Path(f"/proc/{process.pid}")
        self.said: dict[str, Any] = json.loads(process.stdout.readline())

    @property
    def status(self) -> dict[str, str]:
        """What the kernel says of it."""
        return status_of(int(self._folder.name))

    def limit(self, title: str) -> tuple[str, str]:
        """Soft and hard limit under the title that the kernel gives it."""
        for line in (self._folder / "limits").read_text().splitlines():
            if line.startswith(title):
                soft, hard, *_ = line.removeprefix(title).split()
                return soft, hard
        raise LookupError(title)

    def number(self, file: str) -> int:
        """The number in a file of its folder."""
        return int((self._folder / file).read_text())

    @property
    def niceness(self) -> int:
        return os.getpriority(os.PRIO_PROCESS, int(self._folder.name))


@contextlib.contextmanager
def privileged(
    *, uid: int | None = None, capable: bool = False, slot: int | None = None, **settings: Any
) -> Iterator[Privileged]:
    """Start one.

    Args:
        uid: Who it is before it obeys the settings, with a group of the same number; None for who we are.
        capable: It may change users although it is that user.
        slot: Where it settles afterwards.
        settings: Of the workers.
    """
    asked = {"uid": uid, "capable": capable, "slot": slot, "settings": settings}
    command = [sys.executable, "-m", "tests.support.privileged", json.dumps(asked)]
    process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield Privileged(process)
    assert process.returncode == 0


def _be(uid: int, *, capable: bool) -> None:
    libc = ctypes.CDLL(None)
    if capable:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    if capable:
        header, capabilities = (ctypes.c_uint32 * 2)(0x20080522), (ctypes.c_uint32 * 6)(_AMBIENT, _AMBIENT)
        assert libc.capset(header, capabilities) == 0


def _main() -> None:
    asked = json.loads(sys.argv[1])
    if asked["uid"] is not None:
        _be(asked["uid"], capable=asked["capable"])
    lists = {name: tuple(value) for name, value in asked["settings"].items() if isinstance(value, list)}
    settings = WorkersSettings(**{**asked["settings"], **lists})
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, 15, 0, 0, 0)  # which a change of user undoes
    try:
        become(settings, lambda: libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0))
        if asked["slot"] is not None:
            settle(settings, asked["slot"], 7)
    except PrivilegeError as error:
        said: dict[str, Any] = {"error": str(error)}
    else:
        death_signal = ctypes.c_int()
        libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(death_signal), 0, 0, 0)
        dumpable = libc.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
        environ = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
        said = {"dumpable": dumpable, "death_signal": death_signal.value, "environ": environ}
    print(json.dumps(said), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main()
